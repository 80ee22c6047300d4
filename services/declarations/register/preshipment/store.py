"""Orders and credits as rows, and the declarations shipped under them: the only SQL of this room."""

import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from chassis import records
from chassis.command import Transaction
from chassis.money import Money
from chassis.records import TEXT, Conflict
from services.declarations.privacy.consent import store as consent_store
from services.declarations.register.preshipment import rpc
from services.declarations.register.preshipment.model import Link, PreShipment
from services.declarations.schema import metadata
from trade.reference_rates import RateOrigin

pre_shipments = records.table(
    "pre_shipments", PreShipment, metadata, sa.Index("pre_shipments_enterprise", "enterprise", "id")
)

# The declarations shipped under an order or credit; each under one.
shipped_under = sa.Table(
    "shipped_under",
    metadata,
    sa.Column("declaration", TEXT, primary_key=True),
    sa.Column("pre_shipment", TEXT, nullable=False),
    sa.Column("currency", TEXT, nullable=False),
    sa.Column("shipped_minor_units", sa.BigInteger, nullable=False),
    sa.Column("netted_currency", TEXT, nullable=False),
    sa.Column("netted_minor_units", sa.BigInteger, nullable=False),
    sa.Column("hold_number", sa.BigInteger, nullable=False),
    sa.Column("exchange_rate", TEXT),
    sa.Column("haircut", TEXT),
    # Where the rate comes from, as JSON.
    sa.Column("rate_origin", TEXT),
    sa.Index("shipped_under_pre_shipment", "pre_shipment", "declaration"),
)


def matching(*conditions: Any) -> Any:
    """Returns a query of the orders and credits that meet the conditions."""
    return sa.select(pre_shipments).where(*conditions)


def load(connection: sa.Connection, identifiers: Iterable[str]) -> dict[str, PreShipment]:
    """Returns the orders and credits with these ids, by id, without those that don't exist."""
    query = sa.select(pre_shipments).where(pre_shipments.c.id.in_(set(identifiers)))
    return {order.id: order for order in records.many(connection, query, PreShipment)}


def links(connection: sa.Connection, pre_shipments: Iterable[str]) -> list[Link]:
    """Returns the links to these orders and credits, by declaration."""
    query = sa.select(shipped_under).where(shipped_under.c.pre_shipment.in_(set(pre_shipments)))
    return [_link(row) for row in connection.execute(query.order_by(shipped_under.c.declaration))]


def links_of(connection: sa.Connection, declarations: Iterable[str]) -> dict[str, Link]:
    """Returns the link of each of these declarations that has one."""
    query = sa.select(shipped_under).where(shipped_under.c.declaration.in_(set(declarations)))
    return {row.declaration: _link(row) for row in connection.execute(query)}


def _link(row: Any) -> Link:
    return Link(
        row.declaration,
        row.pre_shipment,
        Money(row.currency, row.shipped_minor_units),
        Money(row.netted_currency, row.netted_minor_units),
        row.hold_number,
        exchange_rate=Decimal(row.exchange_rate) if row.exchange_rate else None,
        haircut=Decimal(row.haircut) if row.haircut else None,
        rate_origin=records.from_json(RateOrigin, json.loads(row.rate_origin)) if row.rate_origin else None,
    )


def _values(link: Link) -> dict[str, Any]:
    return {
        "currency": link.shipped.currency,
        "shipped_minor_units": link.shipped.minor_units,
        "netted_currency": link.netted.currency,
        "netted_minor_units": link.netted.minor_units,
        "hold_number": link.hold_number,
        "exchange_rate": None if link.exchange_rate is None else str(link.exchange_rate),
        "haircut": None if link.haircut is None else str(link.haircut),
        "rate_origin": None if link.rate_origin is None else json.dumps(records.to_json(link.rate_origin)),
    }


def add_links(connection: sa.Connection, new_links: Sequence[Link]) -> None:
    """Inserts links of declarations to orders or credits."""
    rows = [{"declaration": link.declaration, "pre_shipment": link.pre_shipment} | _values(link) for link in new_links]
    if rows:
        connection.execute(sa.insert(shipped_under), rows)


def remove_link(connection: sa.Connection, declaration: str) -> None:
    """Removes a declaration's link, if it has one."""
    connection.execute(sa.delete(shipped_under).where(shipped_under.c.declaration == declaration))


def save_link(connection: sa.Connection, before: Link, after: Link) -> None:
    """Saves a changed link. Raises Conflict if another changed it meanwhile."""
    rows, before_values = shipped_under, _values(before)
    this = sa.and_(
        rows.c.declaration == before.declaration, *(rows.c[name] == value for name, value in before_values.items())
    )
    if connection.execute(sa.update(rows).where(this).values(**_values(after))).rowcount != 1:
        raise Conflict(f"shipped_under {before.declaration}")


def add(transaction: Transaction, pre_shipment: PreShipment) -> None:
    """Inserts a new order or credit, and tells its event."""
    records.insert(transaction.connection, pre_shipments, pre_shipment)
    tell(transaction, pre_shipment, "preShipment.created")


def tell(transaction: Transaction, pre_shipment: PreShipment, event: str) -> None:
    """Tells an event to the enterprise and to those institutions that it lets see."""
    institutions = consent_store.institutions(transaction.connection, [pre_shipment.enterprise], transaction.now_us)
    parties = [pre_shipment.enterprise, *institutions.get(pre_shipment.enterprise, ())]
    transaction.append(event, pre_shipment.name, rpc.to_proto(pre_shipment, ()), parties)
