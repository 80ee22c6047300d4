"""Repayments on the wire."""

from aval.loans.v1 import loans_pb2

from chassis import money
from services.loans.repayment.model import Repayment


def to_proto(repayment: Repayment) -> loans_pb2.Repayment:
    """The wire form; a tombstone says no more than that it is cancelled."""
    message = loans_pb2.Repayment(
        name=repayment.name,
        loan=repayment.loan,
        bank=repayment.bank,
        payment=repayment.payment,
        state=repayment.state.value,
    )
    if repayment.loan:
        message.interest.CopyFrom(money.to_proto(repayment.interest_part))
        message.principal.CopyFrom(money.to_proto(repayment.principal_part))
        message.unsecured.CopyFrom(money.to_proto(repayment.unsecured or repayment.interest_part.zero()))
        message.amount.CopyFrom(money.to_proto(repayment.interest_part + repayment.principal_part))
    return message
