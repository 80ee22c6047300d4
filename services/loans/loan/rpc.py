"""Loans on the wire."""

from aval.loans.v1 import loans_pb2

from chassis import money
from chassis import rpc as wire
from services.loans.loan.model import Loan
from services.loans.loan.payoff import Due
from trade import breach


def to_proto(loan: Loan) -> loans_pb2.Loan:
    """Returns the wire form, for its bank and its borrower."""
    message = loans_pb2.Loan(
        name=loan.name,
        offer=loan.offer,
        bank=loan.bank,
        enterprise=loan.enterprise,
        declarations=[item.declaration for item in loan.items],
        principal=money.to_proto(loan.principal),
        fee=money.to_proto(loan.fee),
        annual_rate=wire.decimal(loan.annual_rate),
        day_count_basis=loan.day_count_basis,
        tenor_days=loan.tenor_days,
        outstanding=money.to_proto(loan.outstanding),
        interest_paid=money.to_proto(loan.interest_paid),
        state=loan.state.value,
        cancellation_reason=loan.cancellation_reason,
        encumbrance=f"encumbrances/{loan.encumbrance_id}" if loan.is_encumbered or loan.start_date else "",
        contract=loan.contract,
        seal=loan.seal,
        signature=loan.signature,
        etag=str(loan.revision),
        breaches=map(breach.to_proto, loan.breaches),
    )
    message.create_time.FromMicroseconds(loan.create_us)
    if loan.start_date and loan.maturity_date:
        message.start_date.CopyFrom(wire.date(loan.start_date))
        message.maturity_date.CopyFrom(wire.date(loan.maturity_date))
    return message


def payoff_to_proto(due: Due) -> loans_pb2.Payoff:
    """Returns the wire form of the amount that repays a loan in full."""
    return loans_pb2.Payoff(
        date=wire.date(due.day),
        principal=money.to_proto(due.principal),
        interest=money.to_proto(due.interest),
        total=money.to_proto(due.total),
        days=due.days,
        derivation=due.derivation,
    )
