"""Orders on the wire."""

from collections.abc import Mapping

from aval.declarations.v1 import retail_pb2

from chassis import money
from chassis.money import Money
from chassis.rpc import problem
from services.declarations.window.retail import identity
from services.declarations.window.retail.flows.documents import Arrival
from services.declarations.window.retail.flows.matching.model import Match
from services.declarations.window.retail.flows.model import Order, State

Direction = retail_pb2.Direction


def identify(row: retail_pb2.RetailOrder) -> str:
    """Returns the id of an order."""
    return identity.order_id(row.direction, row.platform_code, row.order_number)


def to_record(arrival: Arrival, enterprises: Mapping[str, str]) -> Order:
    """Returns the record of an arriving version; enterprises by merchant code."""
    row, version = arrival.row, arrival.version
    return Order(
        id=arrival.id,
        enterprise=enterprises.get(row.merchant_code, ""),
        direction=Direction.Name(row.direction),
        platform_code=row.platform_code,
        order_number=row.order_number,
        merchant_code=row.merchant_code,
        value=money.from_proto(row.goods_value),
        due=due(row),
        match_state=State.WITHDRAWN if version.is_deleted else State.INCOMPLETE,
        send_us=version.send_us,
        change=version.change,
        digest=version.digest,
        body=arrival.body,
        create_us=arrival.now_us,
        revision=1,
    )


def due(row: retail_pb2.RetailOrder) -> Money:
    """Returns the amount that the buyer has to pay: the paid amount, else goods, freight and tax less the discount.

    Goods of 100, freight of 10, tax of 5 and a discount of 15 give 100.
    """
    if row.HasField("paid"):
        return money.from_proto(row.paid)
    currency = row.goods_value.currency_code
    parts = [(row.goods_value, 1), (row.freight, 1), (row.tax, 1), (row.discount, -1)]
    return Money(currency, sum(sign * part.minor_units for part, sign in parts if part.currency_code == currency))


def to_proto(order: Order) -> retail_pb2.RetailOrder:
    """Returns the order as everyone sees it who may see it: never a person."""
    message = retail_pb2.RetailOrder.FromString(order.body)
    message.name = order.name
    message.enterprise = order.enterprise
    message.envelope.send_time.FromMicroseconds(order.send_us)
    message.envelope.MergeFrom(retail_pb2.RetailEnvelope(change=order.change.value))
    message.match.CopyFrom(retail_pb2.RetailMatch(state=order.match_state.value))
    message.create_time.FromMicroseconds(order.create_us)
    message.etag = str(order.revision)
    return message


def match_to_proto(match: Match, language: str) -> retail_pb2.RetailMatch:
    """Returns the match of the three flows, with the reasons in the caller's language."""
    return retail_pb2.RetailMatch(
        state=match.state.value,
        waybills=[f"retailWaybills/{waybill}" for waybill in match.waybills],
        payments=[f"retailPayments/{payment}" for payment in match.payments],
        reasons=[problem(reason, language) for reason in match.reasons],
    )
