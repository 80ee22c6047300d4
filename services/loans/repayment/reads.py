"""Showing a repayment to its loan's bank and borrower."""

from aval.loans.v1 import loans_pb2

from chassis.errors import NotFound
from chassis.participants import tenants
from chassis.service import Reading
from services.loans.loan.store import LOANS
from services.loans.repayment import rpc
from services.loans.repayment.store import REPAYMENTS


def seen(reading: Reading, name: str) -> loans_pb2.Repayment:
    """Returns a repayment to whoever takes part in its loan. Raises NotFound."""
    repayment = REPAYMENTS.load(reading.connection, name)
    loan = LOANS.load(reading.connection, repayment.loan) if repayment and repayment.loan else None
    if repayment is None or loan is None or reading.caller.tenant not in tenants(loan):
        raise NotFound(resource=name)
    return rpc.to_proto(repayment)
