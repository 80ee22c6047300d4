"""Orders and credits as assets."""

import datetime
from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from chassis.errors import Problem
from services.declarations.register.asset import FINAL, Asset
from services.declarations.register.kind import Kind
from services.declarations.register.preshipment import store
from services.declarations.register.preshipment.model import Link, PreShipment, counting, remaining

EXPIRED = Problem(
    "expire_date",
    "PRE_SHIPMENT_EXPIRED",
    "The order or credit has expired; finance what was shipped under it by its declarations.",
    "订单或信用证已过期；已出运部分请以报关单融资。",
)


def load(connection: sa.Connection, names: Iterable[str], on: datetime.date) -> dict[str, Asset]:
    """Returns the orders and credits with these names as assets, by name."""
    orders = store.load(connection, [name.removeprefix("preShipments/") for name in names])
    links = store.links(connection, [order.name for order in orders.values()])
    return {order.name: as_asset(order, counting(links, order), on) for order in orders.values()}


def as_asset(order: PreShipment, links: Sequence[Link], on: datetime.date) -> Asset:
    """Returns the order as an asset, worth what remains to be shipped plus what is netted out of declarations."""
    value = remaining(order.amount, links)
    for link in links:
        value += link.netted
    is_over = order.expire_date < on
    return Asset(
        order.name, order.enterprise, value, "NOT_ELIGIBLE" if is_over else FINAL, (EXPIRED,) if is_over else ()
    )


KIND = Kind(load=load)
