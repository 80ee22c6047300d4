"""Sales as rows: the only SQL of this room."""

from collections.abc import Iterable

import sqlalchemy as sa

from chassis import bulk, records
from chassis.money import Money
from services.declarations.retail.sale.model import WarehouseSale
from services.declarations.tables import store_sales, warehouse_sales


def load(connection: sa.Connection, identifiers: Iterable[str]) -> dict[str, WarehouseSale]:
    """The sales with these ids, those that are known."""
    query = sa.select(warehouse_sales).where(bulk.among(connection, warehouse_sales.c.id, set(identifiers)))
    return {one.id: one for one in records.many(connection, query, WarehouseSale)}


def sold(connection: sa.Connection, declaration: str, currency: str) -> Money:
    """The value of all sales of a declaration."""
    rows = warehouse_sales
    query = sa.select(sa.func.sum(rows.c.value_minor_units)).where(rows.c.declaration == declaration)
    return Money(currency, int(connection.execute(query).scalar() or 0))


def add(connection: sa.Connection, sale: WarehouseSale) -> None:
    """A new sale."""
    records.insert(connection, warehouse_sales, sale)


def add_store_sale(connection: sa.Connection, identifier: str, store: str, handover: str, sale_us: int) -> None:
    """A list whose goods were sold in a store."""
    row = {"list": identifier, "store": store, "handover": handover, "sale_us": sale_us}
    connection.execute(sa.insert(store_sales).values(row))


def store_sale(connection: sa.Connection, identifiers: Iterable[str]) -> dict[str, tuple[str, int]]:
    """Store and time in microseconds of those lists whose goods were sold in one."""
    query = sa.select(store_sales).where(bulk.among(connection, store_sales.c.list, set(identifiers)))
    return {row.list: (row.store, row.sale_us) for row in connection.execute(query)}
