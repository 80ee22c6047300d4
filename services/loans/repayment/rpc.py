"""Repayments on the wire."""

from aval.loans.v1 import loans_pb2

from chassis import wire
from services.loans.repayment.model import Repayment


def to_proto(repayment: Repayment) -> loans_pb2.Repayment:
    """Returns the wire form; a tombstone says no more than that it is cancelled."""
    return wire.fill(loans_pb2.Repayment, repayment, unsecured=repayment.unsecured_part)
