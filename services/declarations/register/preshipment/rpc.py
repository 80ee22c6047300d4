"""Orders and credits on the wire."""

from collections.abc import Sequence

from aval.declarations.v1 import pre_shipment_pb2

from chassis import money
from chassis.money import Money, total
from chassis.rpc import to_date
from services.declarations.register.preshipment import model
from services.declarations.register.preshipment.model import Kind, Link, PreShipment
from trade import names as trade_names

# The platform sets these, never the sender.
OUTPUT_ONLY = ("name", "registrant", "declarations", "shipped", "available", "netted", "create_time", "etag")
KindProto = pre_shipment_pb2.PreShipment.Kind


def from_proto(message: pre_shipment_pb2.PreShipment, enterprise: str, registrant: str, now_us: int) -> PreShipment:
    """Returns the record of an order or credit to be registered. Raises ValueError where the date isn't one."""
    body = pre_shipment_pb2.PreShipment()
    body.CopyFrom(message)
    for field in OUTPUT_ONLY:
        body.ClearField(field)
    body.enterprise = enterprise
    contract = trade_names.letters_and_digits(message.contract_number)
    return PreShipment(
        id=model.identifier(enterprise, contract),
        enterprise=enterprise,
        kind=Kind(KindProto.Name(message.kind)),
        contract=contract,
        amount=money.from_proto(message.amount),
        expire_date=to_date(message.expire_date),
        body=body.SerializeToString(deterministic=True),
        registrant=registrant,
        create_us=now_us,
        revision=1,
    )


def to_proto(
    order: PreShipment, links: Sequence[Link], reader: str = "", available: Money | None = None
) -> pre_shipment_pb2.PreShipment:
    """Returns the order as a reader sees it; with what may be reserved, where that was looked up.

    Only the enterprise and the institution that registered it are told which institution that is.
    """
    message = pre_shipment_pb2.PreShipment.FromString(order.body)
    message.name, message.etag = order.name, str(order.revision)
    if order.enterprise in (order.registrant, reader) or order.registrant == reader:
        message.registrant = order.registrant
    message.create_time.FromMicroseconds(order.create_us)
    message.declarations.extend(link.declaration for link in links)
    message.shipped.CopyFrom(money.to_proto(model.shipped(order.amount, links)))
    if available is not None:
        message.available.CopyFrom(money.to_proto(available))
    if reader == order.enterprise:
        message.netted.CopyFrom(money.to_proto(total([link.netted for link in links], order.amount.currency)))
    return message
