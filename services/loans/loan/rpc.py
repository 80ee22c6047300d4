"""Loans on the wire."""

from aval.loans.v1 import loans_pb2

from chassis import wire
from services.loans.loan.model import Loan
from services.loans.loan.payoff import Due
from trade import breach


def to_proto(loan: Loan) -> loans_pb2.Loan:
    """Returns the wire form, for its bank and its borrower."""
    return wire.fill(
        loans_pb2.Loan,
        loan,
        declarations=[item.declaration for item in loan.items],
        encumbrance=f"encumbrances/{loan.encumbrance_id}" if loan.is_encumbered or loan.start_date else "",
        breaches=map(breach.to_proto, loan.breaches),
        maturity_provisional=loan.is_maturity_provisional,
    )


def payoff_to_proto(due: Due) -> loans_pb2.Payoff:
    """Returns the wire form of the amount that repays a loan in full."""
    return wire.fill(loans_pb2.Payoff, due, date=due.day)
