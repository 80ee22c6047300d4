"""Rebates on the wire."""

from aval.declarations.v1 import rebate_pb2

from chassis import money
from chassis.money import Money
from services.declarations.assets.rebate.model import Rebate


def to_proto(rebate: Rebate, available: Money | None = None) -> rebate_pb2.Rebate:
    """Returns the rebate on the wire; with what may be reserved, where that was looked up."""
    message = rebate_pb2.Rebate(
        name=rebate.name,
        enterprise=rebate.enterprise,
        declaration=rebate.declaration,
        period=rebate.period,
        amount=money.to_proto(rebate.amount),
        etag=str(rebate.revision),
    )
    message.create_time.FromMicroseconds(rebate.create_us)
    if available is not None:
        message.available.CopyFrom(money.to_proto(available))
    return message
