"""Reading loans and what repays them: their bank and their borrower do."""

from datetime import date

from aval.loans.v1 import loans_pb2

from chassis import rpc as wire
from chassis.errors import InvalidFields, Problem, WrongState
from chassis.service import Reading
from services.loans.loan import rpc, store
from services.loans.loan.model import DISBURSED
from services.loans.loan.payoff import due
from services.loans.repayment import store as repayments
from services.loans.repayment.model import State as RepaymentState

NO_SUCH_DAY = Problem("date", "DATE_INVALID", "There is no such day.", "日期不存在。")


def get(reading: Reading, request: loans_pb2.GetLoanRequest) -> loans_pb2.Loan:
    """One loan."""
    return rpc.to_proto(store.find(reading.connection, request.name, reading.caller.tenant))


def list_(reading: Reading, request: loans_pb2.ListLoansRequest) -> loans_pb2.ListLoansResponse:
    """A page of the caller's, newest first."""
    page, token = store.LOANS.page(reading.connection, reading.caller.tenant, request)
    return loans_pb2.ListLoansResponse(loans=map(rpc.to_proto, page), next_page_token=token)


def payoff(reading: Reading, request: loans_pb2.GetPayoffRequest) -> loans_pb2.Payoff:
    """Returns what repays a loan in full on a day, after the repayments whose money has moved."""
    loan = store.find(reading.connection, request.name, reading.caller.tenant)
    if loan.state not in DISBURSED:
        raise WrongState(resource=loan.name, state=loan.state.value)
    on = day(request) if request.HasField("date") else reading.business_date
    posted = repayments.of_loan(reading.connection, loan.name, [RepaymentState.POSTED])
    return rpc.payoff_to_proto(due(loan, posted, on))


def day(request: loans_pb2.GetPayoffRequest | loans_pb2.CreateRepaymentRequest) -> date:
    """The request's date. InvalidFields if there is no such day."""
    try:
        return wire.to_date(request.date)
    except ValueError as error:
        raise InvalidFields([NO_SUCH_DAY]) from error
