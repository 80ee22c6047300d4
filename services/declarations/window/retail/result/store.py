"""Results of summaries and the lists in them, as rows: the only SQL of this room."""

from collections.abc import Collection, Iterable, Mapping, Sequence

import sqlalchemy as sa

from chassis import bulk, records
from chassis.records import TEXT
from services.declarations.schema import metadata
from services.declarations.window.retail.result.model import Result

# The outcomes of summaries (CEB 792), and the lists in each goods declaration.
retail_results = records.table(
    "retail_results",
    Result,
    metadata,
    sa.Index("retail_results_summary_number", "summary_number"),
    sa.Index("retail_results_unified_number", "unified_number"),
    sa.Index("retail_results_declaration", "declaration"),
)

retail_result_lists = sa.Table(
    "retail_result_lists",
    metadata,
    sa.Column("list_number", TEXT, primary_key=True),
    sa.Column("unified_number", TEXT, primary_key=True),
    sa.Index("retail_result_lists_unified_number", "unified_number"),
    sqlite_with_rowid=False,
)


def known(connection: sa.Connection, identifiers: Iterable[str]) -> set[str]:
    """Returns the ids of those results that have come."""
    query = sa.select(retail_results.c.id).where(bulk.among(connection, retail_results.c.id, identifiers))
    return set(connection.execute(query).scalars())


def add(connection: sa.Connection, added: Sequence[Result], lists: Iterable[tuple[str, str]]) -> None:
    """Adds new results, and pairs of list number and unified number; stored ones stay."""
    bulk.add(connection, retail_results, [list(records.to_row(result).values()) for result in added])
    bulk.add(connection, retail_result_lists, sorted(set(lists)))


def lists_of_summaries(connection: sa.Connection, numbers: Mapping[str, Collection[str]]) -> dict[str, set[str]]:
    """Returns the lists that went into declarations made of summaries; numbers: customs' own. Both by summary id."""
    own, rows = retail_results.c, retail_result_lists.c
    wanted = {number for own_numbers in numbers.values() for number in own_numbers}
    query = sa.select(own.summary_number, rows.list_number).distinct()
    query = query.join_from(retail_results, retail_result_lists, rows.unified_number == own.unified_number)
    by_number: dict[str, set[str]] = {}
    if wanted:
        for row in connection.execute(query.where(bulk.among(connection, own.summary_number, wanted))):
            by_number.setdefault(row.summary_number, set()).add(row.list_number)
    return {
        summary: set().union(*(by_number.get(number, set()) for number in own_numbers))
        for summary, own_numbers in numbers.items()
    }


def declarations_of_lists(connection: sa.Connection, list_numbers: Collection[str]) -> dict[str, list[str]]:
    """Returns the declarations that lists went into, by list number: each by its number, else by its unified number."""
    own, rows = retail_results.c, retail_result_lists.c
    query = sa.select(rows.list_number, own.unified_number, sa.func.max(own.declaration).label("declaration"))
    query = query.join_from(retail_results, retail_result_lists, rows.unified_number == own.unified_number)
    query = query.where(bulk.among(connection, rows.list_number, list_numbers))
    query = query.group_by(rows.list_number, own.unified_number).order_by(rows.list_number, own.unified_number)
    by_list: dict[str, list[str]] = {}
    for row in connection.execute(query) if list_numbers else ():
        by_list.setdefault(row.list_number, []).append(row.declaration or row.unified_number)
    return by_list


def declarations_of_summaries(connection: sa.Connection, summary_numbers: Collection[str]) -> list[tuple[str, str]]:
    """Returns the declarations that customs made of summaries with its numbers: each unified number and number."""
    own = retail_results.c
    query = sa.select(own.unified_number, sa.func.max(own.declaration).label("declaration"))
    query = query.where(bulk.among(connection, own.summary_number, summary_numbers))
    rows = connection.execute(query.group_by(own.unified_number).order_by(own.unified_number))
    return [(row.unified_number, row.declaration) for row in rows] if summary_numbers else []


def lists_of_declarations(connection: sa.Connection, unified_numbers: Collection[str]) -> set[str]:
    """Returns the numbers of the lists that went into declarations with these unified numbers."""
    rows = retail_result_lists.c
    query = sa.select(rows.list_number).distinct()
    return set(connection.execute(query.where(bulk.among(connection, rows.unified_number, unified_numbers))).scalars())
