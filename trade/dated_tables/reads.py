"""Dated tables as a transaction sees them: the newest version of each, parsed once in a process.

A transaction asks its store once which version of a table is in force, by one step down an index, and sees that version
until it ends; a version that is loaded meanwhile counts for the next one.
"""

import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

import sqlalchemy as sa

from chassis import codetables
from chassis.codetables import CodeTable
from chassis.errors import DomainError
from trade import calendars
from trade.calendars import Calendar
from trade.dated_tables import store
from trade.dated_tables.kinds import CALENDARS
from trade.dated_tables.model import Edition

Value = TypeVar("Value")

# Tables in force and a few of before, which explain what was computed by them.
MOST_PARSED = 64

_in_force: "weakref.WeakKeyDictionary[Any, dict[str, Edition]]" = weakref.WeakKeyDictionary()
_parsed: OrderedDict[Any, Any] = OrderedDict()


class TableUnfit(LookupError):
    """The store has no version of a table, or its rows aren't those that were loaded."""


def in_force(connection: sa.Connection, name: str) -> Edition:
    """Returns the version of a table that is in force in this transaction. Raises TableUnfit."""
    transaction = connection.get_transaction()
    assert transaction is not None, "a table is read within a transaction"
    seen = _in_force.setdefault(transaction, {})
    if name not in seen:
        edition = store.newest(connection, name)
        if edition is None:
            raise TableUnfit(f"{name} is missing")
        seen[name] = edition
    return seen[name]


def dated_table(connection: sa.Connection, name: str) -> CodeTable:
    """Returns the table that is in force, as rows by code and day. Raises TableUnfit."""
    return parsed(connection, in_force(connection, name), _code_table)


def calendar(connection: sa.Connection, name: str) -> Calendar:
    """Returns the calendar that is in force under a name, as CN.working. Raises TableUnfit."""
    return parsed(connection, in_force(connection, f"{CALENDARS}{name}"), _calendar)


def _code_table(_edition: Edition, text: str) -> CodeTable:
    return codetables.parse(text)


def _calendar(edition: Edition, text: str) -> Calendar:
    return calendars.read(edition.name.removeprefix(CALENDARS), edition.version, text)


def parsed(connection: sa.Connection, edition: Edition, parse: Callable[[Edition, str], Value]) -> Value:
    """Returns what a parser makes of a version's CSV text, made once in a process. Raises TableUnfit."""
    key = (parse, *edition.identity)
    value: Value | None = _parsed.get(key)
    if value is None:
        table = store.version(connection, edition.name, edition.version)
        if table.edition.digest != edition.digest:
            raise TableUnfit(f"{edition} holds other rows than were loaded")
        value = _parsed[key] = _made(edition, table.content, parse)
        while len(_parsed) > MOST_PARSED:
            _parsed.popitem(last=False)
    return value


def _made(edition: Edition, content: bytes, parse: Callable[[Edition, str], Value]) -> Value:
    try:
        return parse(edition, content.decode("utf-8"))
    except (DomainError, KeyError, ValueError) as fault:
        raise TableUnfit(f"{edition} can't be read: {fault}") from fault


def calendar_of_version(connection: sa.Connection, name: str, number: int) -> Calendar | None:
    """Returns a calendar in a version, be it in force or not; None where the store doesn't have it.

    Raises TableUnfit.
    """
    edition = store.edition(connection, f"{CALENDARS}{name}", number)
    return None if edition is None else parsed(connection, edition, _calendar)
