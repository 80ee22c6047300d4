"""Filters on the wire, and as conditions on the declarations' rows."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2, insight_pb2

from chassis.errors import InvalidFields, Problem
from chassis.rpc import to_date
from services.declarations.customs.direction import DIGITS_BEFORE, digit
from services.declarations.window.filters.model import SavedFilter
from trade import checks as trade_checks
from trade.names import searchable

Filter = insight_pb2.DeclarationFilter
# What a date, a currency or a status may be is known only here.
UNKNOWN_STATUS = Problem(
    "statuses",
    "STATUS_UNKNOWN",
    "No declaration has this status; use the names of Declaration.Status.",
    "没有该状态；请使用 Declaration.Status 的名称。",
)


def to_proto(saved: SavedFilter) -> insight_pb2.SavedFilter:
    """The wire form."""
    message = insight_pb2.SavedFilter(name=saved.name, title=saved.title, filter=Filter.FromString(saved.content))
    message.create_time.FromMicroseconds(saved.create_us)
    return message


def check(wanted: insight_pb2.DeclarationFilter, path: str) -> None:
    """InvalidFields with all that no field rule says: dates that are none, statuses that there aren't."""
    problems = list(_problems(wanted, path))
    if problems:
        raise InvalidFields(problems)


def _problems(wanted: insight_pb2.DeclarationFilter, path: str) -> Iterator[Problem]:
    for name in ("from_date", "to_date"):
        try:
            _day(wanted, name)
        except ValueError:
            yield trade_checks.no_such_day(f"{path}.{name}")
    known = declarations_pb2.Declaration.Status.keys()
    for index, status in enumerate(wanted.statuses):
        if status not in known:
            name = f"{path}.statuses[{index}]"
            yield Problem(name, UNKNOWN_STATUS.reason, UNKNOWN_STATUS.english, UNKNOWN_STATUS.chinese)


def _day(wanted: insight_pb2.DeclarationFilter, name: str) -> str:
    return to_date(getattr(wanted, name)).isoformat() if wanted.HasField(name) else ""


def scope(wanted: insight_pb2.DeclarationFilter, rows: Any) -> Iterator[Any]:
    """What a row of the filter's enterprise must meet that an index finds."""
    columns = rows.c
    yield from _days(wanted, columns)
    if wanted.number_prefix:
        yield _begins(columns.id, wanted.number_prefix)


def _begins(column: Any, digits: str) -> Any:
    """That a column of digits begins so, as an index has it: a colon follows the digits."""
    return sa.and_(column >= digits, column < f"{digits}:")


def sieve(wanted: insight_pb2.DeclarationFilter, rows: Any) -> Iterator[Any]:
    """What a row must meet that only the row tells."""
    columns = rows.c
    yield from _alternatives(wanted, columns)
    yield from _values(wanted, columns)
    for prefixes in (wanted.chapters, wanted.commodity_prefixes):
        if prefixes:
            yield sa.or_(*(_begins(columns.commodity_code, prefix) for prefix in prefixes))
    if wanted.search_text:
        yield columns.search_text.contains(searchable(wanted.search_text), autoescape=True)
    if wanted.direction:
        yield columns.id.like(f"{'_' * DIGITS_BEFORE}{digit(wanted.direction)}%")


def _alternatives(wanted: insight_pb2.DeclarationFilter, columns: Any) -> Iterator[Any]:
    lists = {
        "trade_mode": wanted.trade_modes,
        "destination_country": wanted.destination_countries,
        "status": wanted.statuses,
    }
    for name, values in lists.items():
        if values:
            yield columns[name].in_(list(values))


def _days(wanted: insight_pb2.DeclarationFilter, columns: Any) -> Iterator[Any]:
    first, last = _day(wanted, "from_date"), _day(wanted, "to_date")
    if first:
        yield columns.declared_on >= first
    if last:
        yield columns.declared_on <= last


def _values(wanted: insight_pb2.DeclarationFilter, columns: Any) -> Iterator[Any]:
    if wanted.HasField("least_value"):
        yield columns.value_currency == wanted.least_value.currency_code
        yield columns.value_minor_units >= wanted.least_value.minor_units
    if wanted.HasField("most_value"):
        yield columns.value_currency == wanted.most_value.currency_code
        yield columns.value_minor_units <= wanted.most_value.minor_units
