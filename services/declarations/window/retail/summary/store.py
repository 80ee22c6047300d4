"""Summaries and the lists that back them, as rows: the only SQL of this room."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from chassis import bulk, records
from chassis.records import TEXT, Conflict
from services.declarations.schema import metadata, orphans_index
from services.declarations.window.retail.list.model import RELEASING, RetailList
from services.declarations.window.retail.list.store import retail_lists
from services.declarations.window.retail.summary.model import DIRECTION, MODE, Part, RetailSummary

retail_summaries = records.table(
    "retail_summaries",
    RetailSummary,
    metadata,
    sa.Index("retail_summaries_enterprise", "enterprise", "id"),
    sa.Index("retail_summaries_declaration", "declaration"),
    orphans_index("retail_summaries"),
)

# The key is the list's number: it backs one summary ever, also before it is known and after the summary dropped it.
retail_summary_lists = sa.Table(
    "retail_summary_lists",
    metadata,
    sa.Column("list_number", TEXT, primary_key=True),
    sa.Column("summary", TEXT, nullable=False),
    sa.Column("is_dropped", sa.Boolean, nullable=False),
    sa.Index("retail_summary_lists_summary", "summary", "list_number"),
    sqlite_with_rowid=False,
)

# The parts of each summary as they were sent last; part 0 is its deletion.
retail_summary_parts = sa.Table(
    "retail_summary_parts", metadata, *records.columns(Part, keys=("summary", "number")), sqlite_with_rowid=False
)

KEY = ("id", "revision")
CHANGING = ("enterprise", "declaration", "value_currency", "value_minor_units", "send_us", "change", "body", "digest")


def matching(*conditions: Any) -> Any:
    """Returns a query of the summaries that keep the conditions."""
    return sa.select(retail_summaries).where(*conditions)


def backing(summary: str) -> Any:
    """Returns a query of the numbers of the lists that back a summary."""
    own = retail_summary_lists.c
    return sa.select(own.list_number).where(own.summary == summary, own.is_dropped.is_(False))


def load(connection: sa.Connection, identifiers: Iterable[str]) -> dict[str, RetailSummary]:
    """Returns the summaries with these ids, those that exist, by id."""
    query = sa.select(retail_summaries).where(bulk.among(connection, retail_summaries.c.id, set(identifiers)))
    return {summary.id: summary for summary in records.many(connection, query, RetailSummary)}


def lists_numbered(connection: sa.Connection, list_numbers: Iterable[str]) -> dict[str, RetailList]:
    """Returns the lists with these numbers, those that exist, by number."""
    query = sa.select(retail_lists).where(bulk.among(connection, retail_lists.c.list_number, set(list_numbers)))
    return {str(retail_list.list_number): retail_list for retail_list in records.many(connection, query, RetailList)}


def claims(connection: sa.Connection, list_numbers: Iterable[str]) -> dict[str, tuple[str, bool]]:
    """Returns the summary that each of these lists backs, and whether it was dropped, by number."""
    rows = retail_summary_lists
    query = sa.select(rows).where(bulk.among(connection, rows.c.list_number, set(list_numbers)))
    return {row.list_number: (row.summary, row.is_dropped) for row in connection.execute(query)}


def of_lists(connection: sa.Connection, lists: Iterable[RetailList]) -> dict[str, str]:
    """Returns the summary of its merchant that each of these lists backs now, by the list's id."""
    numbers = {retail_list.list_number: retail_list for retail_list in lists if retail_list.list_number}
    rows, own = retail_summary_lists, retail_summaries
    query = sa.select(rows.c.list_number, rows.c.summary, own.c.merchant_code).join(own, own.c.id == rows.c.summary)
    query = query.where(bulk.among(connection, rows.c.list_number, numbers), rows.c.is_dropped.is_(False))
    return {
        numbers[row.list_number].id: row.summary
        for row in connection.execute(query)
        if row.merchant_code == numbers[row.list_number].merchant_code
    }


def numbers_of(connection: sa.Connection, summaries: Iterable[str]) -> dict[str, set[str]]:
    """Returns the numbers of the lists of each of these summaries."""
    by_summary: dict[str, set[str]] = {summary: set() for summary in summaries}
    rows = retail_summary_lists
    query = sa.select(rows.c.summary, rows.c.list_number).where(
        bulk.among(connection, rows.c.summary, list(by_summary))
    )
    for row in connection.execute(query.where(rows.c.is_dropped.is_(False))):
        by_summary[row.summary].add(row.list_number)
    return by_summary


def parts_of(connection: sa.Connection, summaries: Iterable[str]) -> dict[str, dict[int, Part]]:
    """Returns the parts of each of these summaries, by number."""
    by_summary: dict[str, dict[int, Part]] = {summary: {} for summary in summaries}
    query = sa.select(retail_summary_parts).where(
        bulk.among(connection, retail_summary_parts.c.summary, list(by_summary))
    )
    for part in records.many(connection, query, Part):
        by_summary[part.summary][part.number] = part
    return by_summary


def put_parts(connection: sa.Connection, parts: Iterable[Part]) -> None:
    """Stores parts as they were sent last. The caller holds their merchants' locks."""
    rows = [list(records.to_row(part).values()) for part in parts]
    bulk.add(connection, retail_summary_parts, rows, replaced=("count", "send_us", "change", "digest", "body"))


def add(connection: sa.Connection, added: Sequence[RetailSummary]) -> None:
    """Adds new summaries."""
    records.insert(connection, retail_summaries, *added)


def save(connection: sa.Connection, changed: Sequence[RetailSummary]) -> None:
    """Saves changed summaries, one revision up. Raises Conflict if another writer was faster."""
    rows = [[row[name] for name in (*CHANGING, *KEY)] for row in map(records.to_row, changed)]
    if bulk.update(connection, retail_summaries, CHANGING, rows, KEY) != len(rows):
        raise Conflict(retail_summaries.name)


def claim(connection: sa.Connection, claimed: Mapping[str, str]) -> None:
    """Claims lists, by number, for a summary for good."""
    bulk.insert(connection, retail_summary_lists, [(number, summary, False) for number, summary in claimed.items()])


def set_dropped(connection: sa.Connection, list_numbers: Iterable[str], is_dropped: bool) -> None:
    """Marks lists as dropped by their summary, or as back in it."""
    rows = [{"key": number} for number in list_numbers]
    if rows:
        table = retail_summary_lists
        statement = sa.update(table).where(table.c.list_number == sa.bindparam("key")).values(is_dropped=is_dropped)
        connection.execute(statement, rows)


def backs(lists: sa.Table, own: sa.Table) -> sa.ColumnElement[bool]:
    """Returns the condition that a list may back a summary that has its number, as `model.misfits` says it."""
    return sa.and_(
        lists.c.merchant_code == own.c.merchant_code,
        lists.c.value_currency == own.c.value_currency,
        lists.c.trade_mode == MODE,
        lists.c.direction == DIRECTION,
    )


def violations(connection: sa.Connection) -> list[str]:
    """Proves invariant S1: a summary's value is the sum of its released lists, each of which backs it alone."""
    own, lists, rows = retail_summaries, retail_lists, retail_summary_lists
    fits = sa.and_(lists.c.list_number == rows.c.list_number, lists.c.status.in_(RELEASING), backs(lists, own))
    added = sa.func.coalesce(sa.func.sum(lists.c.value_minor_units), 0)
    query = (
        sa.select(own.c.id, own.c.value_minor_units, added)
        .outerjoin(rows, sa.and_(rows.c.summary == own.c.id, rows.c.is_dropped.is_(False)))
        .outerjoin(lists, fits)
        .group_by(own.c.id, own.c.value_minor_units)
        .having(added != own.c.value_minor_units)
    )
    return [f"summaries: {row[0]} has {row[1]}, its lists give {row[2]}" for row in connection.execute(query)]
