"""Lists as they count, and which of them a declaration sums up."""

from collections.abc import Iterable

import sqlalchemy as sa

from chassis import bulk
from services.declarations.insight.counting.model import UNCOUNTED
from services.declarations.insight.lists.model import ListRow
from services.declarations.window.declaration.store import declarations
from services.declarations.window.retail.list.store import retail_lists
from services.declarations.window.retail.result.store import retail_result_lists, retail_results
from services.declarations.window.retail.summary.model import MODE
from services.declarations.window.retail.summary.store import backs, retail_summaries, retail_summary_lists

EXPORT = "0"


def rows(connection: sa.Connection, identifiers: Iterable[str]) -> list[ListRow]:
    """Returns the lists as they are."""
    columns = (retail_lists.c[name] for name in ListRow._fields)
    counting_lists = connection.execute(
        sa.select(*columns).where(bulk.among(connection, retail_lists.c.id, identifiers))
    )
    return [ListRow(*row) for row in counting_lists]


def summarised(connection: sa.Connection, identifiers: Iterable[str]) -> set[str]:
    """Returns those of these lists that are in the value of a declaration that counts."""
    own, lists, claims = retail_summaries, retail_lists, retail_summary_lists
    query = (
        sa.select(lists.c.id)
        .join(claims, sa.and_(claims.c.list_number == lists.c.list_number, claims.c.is_dropped.is_(False)))
        .join(own, sa.and_(own.c.id == claims.c.summary, backs(lists, own)))
        .join(declarations, declarations.c.id == own.c.declaration)
        .where(
            bulk.among(connection, lists.c.id, identifiers),
            declarations.c.trade_mode == MODE,
            sa.func.substr(declarations.c.id, 9, 1) == EXPORT,
            declarations.c.status.not_in(sorted(UNCOUNTED)),
        )
    )
    return set(connection.execute(query).scalars()) | _in_results(connection, identifiers)


def _in_results(connection: sa.Connection, identifiers: Iterable[str]) -> set[str]:
    """Returns those of these lists that went into a counting declaration, by customs' own results (CEB 792)."""
    own, lists, named = retail_results, retail_lists, retail_result_lists
    query = (
        sa.select(lists.c.id)
        .join(named, named.c.list_number == lists.c.list_number)
        .join(own, own.c.unified_number == named.c.unified_number)
        .join(declarations, declarations.c.id == own.c.declaration)
        .where(
            bulk.among(connection, lists.c.id, identifiers),
            own.c.merchant_code == lists.c.merchant_code,
            lists.c.trade_mode == MODE,
            declarations.c.trade_mode == MODE,
            sa.func.substr(declarations.c.id, 9, 1) == EXPORT,
            declarations.c.status.not_in(sorted(UNCOUNTED)),
        )
    )
    return set(connection.execute(query).scalars())


def of_declarations(connection: sa.Connection, numbers: Iterable[str]) -> set[str]:
    """Returns the lists that these declarations sum up, by the summaries that became them and by customs' results."""
    own, lists, claims = retail_summaries, retail_lists, retail_summary_lists
    query = (
        sa.select(lists.c.id)
        .join(claims, claims.c.list_number == lists.c.list_number)
        .join(own, own.c.id == claims.c.summary)
        .where(bulk.among(connection, own.c.declaration, numbers), claims.c.is_dropped.is_(False))
    )
    own, named = retail_results, retail_result_lists
    by_results = (
        sa.select(lists.c.id)
        .join(named, named.c.list_number == lists.c.list_number)
        .join(own, own.c.unified_number == named.c.unified_number)
        .where(bulk.among(connection, own.c.declaration, numbers))
    )
    return {*connection.execute(query).scalars(), *connection.execute(by_results).scalars()}
