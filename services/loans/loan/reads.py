"""Reading what repays a loan: its bank and its borrower do."""

from datetime import date

from aval.loans.v1 import loans_pb2

from chassis.errors import InvalidFields, WrongState
from chassis.rpc import to_date
from chassis.service import Reading
from services.loans.loan import rpc
from services.loans.loan.model import DISBURSED
from services.loans.loan.payoff import due
from services.loans.loan.store import LOANS
from services.loans.repayment import store as repayment_store
from services.loans.repayment.model import State as RepaymentState
from trade import checks


def payoff(reading: Reading, request: loans_pb2.GetPayoffRequest) -> loans_pb2.Payoff:
    """Returns what repays a loan in full on a day, after the repayments whose money has moved.

    Raises NotFound, WrongState, InvalidFields.
    """
    loan = LOANS.find(reading.connection, request.name, reading.caller.tenant)
    if loan.state not in DISBURSED:
        raise WrongState(resource=loan.name, state=loan.state.value)
    on = day(request) if request.HasField("date") else reading.business_date
    posted = repayment_store.of_loan(reading.connection, loan.name, [RepaymentState.POSTED])
    return rpc.payoff_to_proto(due(loan, posted, on))


def day(request: loans_pb2.GetPayoffRequest | loans_pb2.CreateRepaymentRequest) -> date:
    """Returns the date of a request. Raises InvalidFields if there is no such day."""
    if problems := list(checks.day("date", request.date)):
        raise InvalidFields(problems)
    return to_date(request.date)
