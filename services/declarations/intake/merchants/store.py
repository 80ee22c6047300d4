"""Merchants that became enterprises of the platform, and their documents without one: the only SQL of this room."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from chassis import bulk
from chassis.records import TEXT
from services.declarations.schema import metadata
from services.declarations.window.retail.flows.tables import retail_orders
from services.declarations.window.retail.list.store import retail_lists
from services.declarations.window.retail.summary.store import retail_summaries

# Merchants that were registered, until none of their documents is without its enterprise.
merchant_adoptions = sa.Table(
    "merchant_adoptions",
    metadata,
    sa.Column("merchant_code", TEXT, primary_key=True),
    sa.Column("expect_us", sa.BigInteger, nullable=False),
    sa.Index("merchant_adoptions_due", "expect_us", "merchant_code"),
    sqlite_with_rowid=False,
)

# A literal of the statement itself, as in the index of documents without an enterprise.
NOBODY: sa.ColumnElement[str] = sa.literal_column("''")
# By the collection of their names.
TABLES: Mapping[str, sa.Table] = {
    "retailOrders": retail_orders,
    "retailLists": retail_lists,
    "retailSummaries": retail_summaries,
}


@dataclass(frozen=True, slots=True)
class Orphan:
    """A document whose merchant was no enterprise when it came."""

    id: str
    merchant_code: str


def expect(connection: sa.Connection, codes: Iterable[str], now_us: int) -> None:
    """Notes that documents of these merchants may be without their enterprise."""
    bulk.add(connection, merchant_adoptions, [(code, now_us) for code in sorted(set(codes))], replaced=["expect_us"])


def expected(connection: sa.Connection, limit: int) -> dict[str, int]:
    """Returns since when documents of merchants may be without their enterprise, the longest first, by code."""
    rows = merchant_adoptions.c
    query = sa.select(rows.merchant_code, rows.expect_us).order_by(rows.expect_us, rows.merchant_code).limit(limit)
    return {row.merchant_code: row.expect_us for row in connection.execute(query)}


def end(connection: sa.Connection, codes: Sequence[str]) -> None:
    """Ends the watch on these merchants."""
    rows = merchant_adoptions
    connection.execute(sa.delete(rows).where(bulk.among(connection, rows.c.merchant_code, codes)))


def orphans(connection: sa.Connection, table: sa.Table, codes: Iterable[str], limit: int) -> list[Orphan]:
    """Returns documents of these merchants that have no enterprise."""
    query = sa.select(table.c.id, table.c.merchant_code).where(
        bulk.among(connection, table.c.merchant_code, codes), table.c.enterprise == NOBODY
    )
    return [Orphan(*row) for row in connection.execute(query.limit(limit))]


def adopt(connection: sa.Connection, table: sa.Table, enterprises: Mapping[str, str]) -> None:
    """Gives documents, by id, their enterprise."""
    bulk.update(connection, table, ("enterprise",), [(enterprise, name) for name, enterprise in enterprises.items()])
