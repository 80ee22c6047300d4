"""The totals as requests ask for them: the only SQL of this room."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from services.declarations.insight.counting.model import DECLARED
from services.declarations.insight.counting.store import enterprise_totals, statistics_cells
from services.declarations.insight.statistics.model import DIMENSIONS, Total

# Groups by their dimensions and the currency; a dimension that isn't told apart is empty.
Groups = dict[tuple[str, ...], Total]


@dataclass(frozen=True, slots=True)
class Query:
    """The wanted totals: of one enterprise or (empty) all, told apart by dimensions, of these values only."""

    enterprise: str
    group_by: frozenset[str]
    values: Mapping[str, Sequence[str]] = field(default_factory=dict)


def totals(connection: sa.Connection, query: Query, first_month: str, last_month: str) -> Groups:
    """Returns the totals of the months from the first to the last."""
    source: Any = enterprise_totals if query.enterprise else statistics_cells
    columns = source.c
    groups = [columns[name] for name in DIMENSIONS if name in query.group_by]
    declarations = sa.case((columns.outcome.in_(sorted(DECLARED)), columns.documents), else_=0)
    sums = (_sum(declarations), _sum(columns.documents - declarations), _sum(columns.minor_units))
    statement = sa.select(*groups, columns.currency, *sums).group_by(*groups, columns.currency)
    statement = statement.where(columns.month >= first_month, columns.month <= last_month)
    if query.enterprise:
        statement = statement.where(columns.enterprise == query.enterprise)
    for name, wanted in query.values.items():
        statement = statement.where(columns[name].in_(wanted))
    return {_key(query, row[:-3]): Total(*row[-3:]) for row in connection.execute(statement)}


def _sum(column: Any) -> Any:
    return sa.cast(sa.func.sum(column), sa.BigInteger)


def _key(query: Query, columns: Sequence[str]) -> tuple[str, ...]:
    """Returns the group with an empty text for each dimension that isn't told apart."""
    parts = iter(columns)
    return tuple(next(parts) if name in query.group_by else "" for name in DIMENSIONS) + (columns[-1],)


def total_of(cell: Any) -> Total:
    """Returns the total of a cell."""
    is_declared = cell.outcome in DECLARED
    return Total(cell.documents if is_declared else 0, 0 if is_declared else cell.documents, cell.minor_units)


def changed(connection: sa.Connection, position: int, key: Sequence[str], count: int) -> Sequence[Any]:
    """Returns cells in the order of their last change, after one of them."""
    cells = statistics_cells
    columns = (cells.c.changed, *(cells.c[name] for name in (*DIMENSIONS, "currency")))
    statement = sa.select(cells).order_by(*columns).limit(count)
    statement = statement.where(cells.c.changed >= position, sa.tuple_(*columns) > sa.tuple_(position, *key))
    return connection.execute(statement).all()
