"""Breaches on the wire: the enterprise sees all of a breach, a holder its own share."""

from aval.declarations.v1 import value_pb2

from chassis import money
from services.declarations.register.breach.model import Breach


def to_proto(breach: Breach, party: str) -> value_pb2.Breach:
    """Returns the breach as a party sees it: its own share, or all of it."""
    share = breach.share_of(party)
    amount, left = (share.amount, share.open) if share else (breach.amount, breach.open_amount)
    message = value_pb2.Breach(
        name=breach.name,
        holder=share.holder if share else "",
        asset=breach.asset,
        enterprise=breach.enterprise,
        asset_class=breach.asset_class.value,
        amount=money.to_proto(amount),
        open_amount=money.to_proto(left),
        cause=breach.cause,
        state=breach.state.value,
        etag=str(share.revision if share else breach.revision),
    )
    message.create_time.FromMicroseconds(breach.create_us)
    if share and share.maker:
        message.proposal.CopyFrom(value_pb2.BreachResolution(kind=share.kind, note=share.note, maker=share.maker))
    return message
