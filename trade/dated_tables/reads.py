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
from trade.dated_tables import store
from trade.dated_tables.model import Edition

Value = TypeVar("Value")

# Tables in force and a few of before, which explain what was computed by them.
MOST_PARSED = 64

_in_force: "weakref.WeakKeyDictionary[Any, dict[str, Edition]]" = weakref.WeakKeyDictionary()
_parsed: OrderedDict[Any, Any] = OrderedDict()


class TableMissing(LookupError):
    """The store has no version of a table: it wasn't prepared, or nobody loaded one."""


def in_force(connection: sa.Connection, name: str) -> Edition:
    """Returns the version of a table that is in force in this transaction. Raises TableMissing."""
    transaction = connection.get_transaction()
    assert transaction is not None, "a table is read within a transaction"
    seen = _in_force.setdefault(transaction, {})
    if name not in seen:
        edition = store.newest(connection, name)
        if edition is None:
            raise TableMissing(name)
        seen[name] = edition
    return seen[name]


def dated_table(connection: sa.Connection, name: str) -> CodeTable:
    """Returns the table that is in force, as rows by code and day. Raises TableMissing."""
    return parsed(connection, in_force(connection, name), codetables.parse)


def parsed(connection: sa.Connection, edition: Edition, parse: Callable[[str], Value]) -> Value:
    """Returns a version's content as a parser makes it of the CSV text, made once in a process."""
    key = (parse, *edition.identity)
    if key not in _parsed:
        content = store.version(connection, edition.name, edition.version).content
        _parsed[key] = parse(content.decode("utf-8"))
        while len(_parsed) > MOST_PARSED:
            _parsed.popitem(last=False)
    value: Value = _parsed[key]
    return value
