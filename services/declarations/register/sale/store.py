"""Sales as rows: the only SQL of this room."""

from collections.abc import Iterable

import sqlalchemy as sa

from chassis import bulk, records
from chassis.money import Money
from chassis.records import TEXT
from services.declarations.register.sale.model import WarehouseSale
from services.declarations.schema import metadata

# Sales out of overseas warehouses, and of bonded goods in stores.
warehouse_sales = records.table(
    "warehouse_sales",
    WarehouseSale,
    metadata,
    sa.Index("warehouse_sales_declaration", "declaration", "id"),
)

# The key is the list: its goods are sold once.
store_sales = sa.Table(
    "store_sales",
    metadata,
    sa.Column("list", TEXT, primary_key=True),
    sa.Column("store", TEXT, nullable=False),
    sa.Column("handover", TEXT, nullable=False),
    sa.Column("sale_us", sa.BigInteger, nullable=False),
)


def load(connection: sa.Connection, identifiers: Iterable[str]) -> dict[str, WarehouseSale]:
    """Returns the sales with these ids, by id, without those that don't exist."""
    query = sa.select(warehouse_sales).where(bulk.among(connection, warehouse_sales.c.id, set(identifiers)))
    return {sale.id: sale for sale in records.many(connection, query, WarehouseSale)}


def sold(connection: sa.Connection, numbers: Iterable[str]) -> dict[str, Money]:
    """Returns the value of all sales of each of these declarations that has any."""
    rows = warehouse_sales
    total = sa.select(rows.c.declaration, rows.c.value_currency, sa.func.sum(rows.c.value_minor_units))
    query = total.where(bulk.among(connection, rows.c.declaration, set(numbers)))
    rows_by_currency = connection.execute(query.group_by(rows.c.declaration, rows.c.value_currency))
    return {number: Money(currency, int(units)) for number, currency, units in rows_by_currency}


def of_declarations(connection: sa.Connection, numbers: Iterable[str]) -> dict[str, list[WarehouseSale]]:
    """Returns the sales of each of these declarations that has any, in the order they were reported."""
    rows = warehouse_sales
    query = sa.select(rows).where(bulk.among(connection, rows.c.declaration, set(numbers)))
    sales_by_declaration: dict[str, list[WarehouseSale]] = {}
    for sale in records.many(connection, query.order_by(rows.c.create_us, rows.c.id), WarehouseSale):
        sales_by_declaration.setdefault(sale.declaration, []).append(sale)
    return sales_by_declaration


def save_value(connection: sa.Connection, sale: WarehouseSale) -> None:
    """Saves a sale's changed value."""
    rows = warehouse_sales
    connection.execute(sa.update(rows).where(rows.c.id == sale.id).values(value_minor_units=sale.value.minor_units))


def add(connection: sa.Connection, sale: WarehouseSale) -> None:
    """Inserts a new sale."""
    records.insert(connection, warehouse_sales, sale)


def add_store_sale(connection: sa.Connection, identifier: str, store: str, handover: str, sale_us: int) -> None:
    """Records that a list's goods were sold in a store."""
    row = {"list": identifier, "store": store, "handover": handover, "sale_us": sale_us}
    connection.execute(sa.insert(store_sales).values(row))


def store_sale(connection: sa.Connection, identifiers: Iterable[str]) -> dict[str, tuple[str, int]]:
    """Returns store and time in microseconds of those lists whose goods were sold in a store."""
    query = sa.select(store_sales).where(bulk.among(connection, store_sales.c.list, set(identifiers)))
    return {row.list: (row.store, row.sale_us) for row in connection.execute(query)}
