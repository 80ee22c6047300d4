"""Bills as rows: the only SQL of this room."""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from chassis import bulk, records
from chassis.records import Conflict
from services.declarations.bill.model import Bill
from services.declarations.tables import bills


def load(connection: sa.Connection, identifiers: Iterable[str]) -> dict[str, Bill]:
    """The bills with these ids, those that are known."""
    wanted = list(identifiers)
    if not wanted:
        return {}
    query = sa.select(bills).where(bulk.among(connection, bills.c.id, wanted))
    return {found.id: found for found in records.many(connection, query, Bill)}


def add(connection: sa.Connection, fresh: Sequence[Bill]) -> None:
    """New bills."""
    records.insert(connection, bills, *fresh)


def save(connection: sa.Connection, changed: Sequence[Bill]) -> None:
    """Bills that their issuers changed. Conflict if one changed meanwhile."""
    if not changed:
        return
    values: dict[str, Any] = {
        column.name: sa.bindparam(f"new_{column.name}") for column in bills.c if column.name != "id"
    }
    values["revision"] = bills.c.revision + 1
    statement = sa.update(bills).where(bills.c.id == sa.bindparam("key"), bills.c.revision == sa.bindparam("known"))
    rows = [
        {"key": one.id, "known": one.revision, **{f"new_{name}": value for name, value in records.to_row(one).items()}}
        for one in changed
    ]
    for row in rows:
        del row["new_id"], row["new_revision"]
    if connection.execute(statement.values(values), rows).rowcount != len(rows):
        raise Conflict("bills")
