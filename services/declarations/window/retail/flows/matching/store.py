"""Matches the three flows of stored rows: set-based, a few statements whatever the number of orders."""

import datetime
import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa

from chassis import bulk, records
from chassis.command import Transaction
from chassis.records import Conflict
from services.declarations.window.retail.flows.matching.model import (
    Match,
    OrderSide,
    PaymentSide,
    WaybillSide,
    match,
    terms,
)
from services.declarations.window.retail.flows.tables import (
    retail_links,
    retail_orders,
    retail_payments,
    retail_waybills,
)

Side = TypeVar("Side", OrderSide, WaybillSide, PaymentSide)
# How finely commands on orders are kept apart: enough for parallel writers, few enough to lock all of them.
LOCKS = 256


@dataclass(frozen=True, slots=True)
class Legs:
    """The legs of some orders: waybills and payments by order number, linked waybills by order id."""

    waybills: Mapping[str, Sequence[WaybillSide]]
    payments: Mapping[str, Sequence[PaymentSide]]
    linked: Mapping[str, Sequence[WaybillSide]]

    def of(self, order: OrderSide) -> tuple[list[WaybillSide], list[PaymentSide]]:
        """Returns an order's waybills and payments, in the order of their ids."""
        waybills = {waybill.id: waybill for waybill in self.waybills.get(order.order_number, ())}
        waybills |= {waybill.id: waybill for waybill in self.linked.get(order.id, ())}
        payments = self.payments.get(order.order_number, ())
        return [waybills[key] for key in sorted(waybills)], sorted(payments, key=lambda payment: payment.id)


def names(order_numbers: Iterable[str], waybills: Iterable[str] = ()) -> set[str]:
    """Returns the locks of a command on documents of these orders, or waybills of these ids, against other commands."""
    return {f"retail/{zlib.crc32(order_number.encode()) % LOCKS}" for order_number in (*order_numbers, *waybills)}


def refresh(transaction: Transaction, order_numbers: Collection[str]) -> None:
    """Matches all orders of these numbers anew, and saves their new states."""
    if not order_numbers:
        return
    orders = _read(transaction.connection, retail_orders, OrderSide, retail_orders.c.order_number, order_numbers)
    by_order = matches(transaction.connection, orders, transaction.business_date)
    _save(
        transaction.connection,
        [(order, by_order[order.id]) for order in orders if order.match_state != by_order[order.id].state],
    )


def matches(connection: sa.Connection, orders: Sequence[OrderSide], on: datetime.date) -> dict[str, Match]:
    """Returns how orders stand by the limits of a business date, by id."""
    legs, limits = _legs(connection, orders), terms(on)
    return {order.id: match(order, *legs.of(order), limits) for order in orders}


def of(connection: sa.Connection, identifiers: Collection[str], on: datetime.date) -> dict[str, Match]:
    """Returns how the orders with these ids stand, those that exist."""
    return matches(connection, _read(connection, retail_orders, OrderSide, retail_orders.c.id, identifiers), on)


def link(transaction: Transaction, links: Collection[tuple[str, str]]) -> None:
    """Ties orders and waybills by their ids, as lists do, and matches those orders anew; stored ties stay."""
    if not links:
        return
    rows = retail_links
    query = sa.select(rows).where(bulk.among(transaction.connection, rows.c.order_id, {order for order, _ in links}))
    stored = {tuple(row) for row in transaction.connection.execute(query)}
    added = sorted({*links} - stored)
    bulk.insert(transaction.connection, retail_links, added)
    orders = retail_orders
    numbers = sa.select(orders.c.order_number).distinct()
    numbers = numbers.where(bulk.among(transaction.connection, orders.c.id, {order for order, _ in added}))
    refresh(transaction, set(transaction.connection.execute(numbers).scalars()) if added else ())


def order_numbers(connection: sa.Connection, waybills: Collection[str]) -> set[str]:
    """Returns the numbers of the orders that these waybills (ids) are tied to."""
    rows, orders = retail_links, retail_orders
    query = sa.select(orders.c.order_number).join(rows, rows.c.order_id == orders.c.id)
    return set(connection.execute(query.where(bulk.among(connection, rows.c.waybill_id, waybills))).scalars())


def _legs(connection: sa.Connection, orders: Sequence[OrderSide]) -> Legs:
    numbers = {order.order_number for order in orders}
    waybills = _read(connection, retail_waybills, WaybillSide, retail_waybills.c.order_number, numbers)
    payments = _read(connection, retail_payments, PaymentSide, retail_payments.c.order_number, numbers)
    linked = _linked(connection, {order.id for order in orders})
    return Legs(_by_number(waybills), _by_number(payments), linked)


def _by_number(sides: Iterable[Side]) -> Mapping[str, list[Side]]:
    by_number: dict[str, list[Side]] = defaultdict(list)
    for side in sides:
        by_number[side.order_number].append(side)
    return by_number


def _linked(connection: sa.Connection, orders: Collection[str]) -> Mapping[str, list[WaybillSide]]:
    """Returns the waybills that lists tie to orders, by order id."""
    rows = retail_links
    ties = connection.execute(sa.select(rows).where(bulk.among(connection, rows.c.order_id, orders))).all()
    sides = _read(connection, retail_waybills, WaybillSide, retail_waybills.c.id, {waybill for _, waybill in ties})
    by_id = {side.id: side for side in sides}
    by_order: dict[str, list[WaybillSide]] = defaultdict(list)
    for order, waybill in ties:
        if waybill in by_id:
            by_order[order].append(by_id[waybill])
    return by_order


def _read(
    connection: sa.Connection, table: sa.Table, side: type[Side], column: Any, values: Collection[str]
) -> list[Side]:
    """Returns the sides of those rows; reads only the columns that are matched."""
    if not values:
        return []
    query = sa.select(*records.columns_of(table, side)).where(bulk.among(connection, column, values))
    return records.many(connection, query, side)


def _save(connection: sa.Connection, moved: Sequence[tuple[OrderSide, Match]]) -> None:
    """Saves the orders' states. Raises Conflict if one changed meanwhile."""
    rows = retail_orders
    statement = (
        sa.update(rows)
        .where(rows.c.id == sa.bindparam("key"), rows.c.revision == sa.bindparam("known"))
        .values(match_state=sa.bindparam("new_state"), revision=rows.c.revision + 1)
    )
    values = [
        {"key": order.id, "known": order.revision, "new_state": order_match.state.value} for order, order_match in moved
    ]
    if values and connection.execute(statement, values).rowcount != len(values):
        raise Conflict(rows.name)
