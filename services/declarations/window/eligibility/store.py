"""Uses of permits as rows."""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from chassis import bulk, records
from chassis.records import Conflict
from services.declarations.schema import metadata
from services.declarations.window.eligibility.model import PermitUse

# The uses of permits by declarations, numbered for each enterprise.
permit_uses = sa.Table(
    "permit_uses",
    metadata,
    *records.columns(PermitUse, keys=("enterprise", "position")),
    sa.Index("permit_uses_declaration", "declaration"),
    sa.Index("permit_uses_permit", "permit", "enterprise"),
    sqlite_with_rowid=False,
)


def permit_uses_of(
    connection: sa.Connection, numbers: Iterable[str], at_us: int | None = None
) -> dict[str, list[PermitUse]]:
    """Returns each of these declarations' uses of permits, assigned or waiting: now, or as they were at a time."""
    by_declaration: dict[str, list[PermitUse]] = {}
    for use in _uses(connection, permit_uses.c.declaration, numbers, counting(at_us)):
        by_declaration.setdefault(use.declaration, []).append(use)
    return by_declaration


def permits_taken(connection: sa.Connection, permits: Iterable[str], at_us: int | None = None) -> list[PermitUse]:
    """Returns all uses of these permits."""
    return _uses(connection, permit_uses.c.permit, permits, counting(at_us))


def waiting_uses(connection: sa.Connection, enterprises: Iterable[str]) -> list[PermitUse]:
    """Returns the uses that have no permit, in the order in which they wait."""
    return _uses(connection, permit_uses.c.enterprise, enterprises, counting(None), permit_uses.c.permit == "")


def _uses(connection: sa.Connection, column: Any, values: Iterable[str], *conditions: Any) -> list[PermitUse]:
    query = sa.select(permit_uses).where(bulk.among(connection, column, values), *conditions)
    return records.many(connection, query.order_by(permit_uses.c.place, permit_uses.c.position), PermitUse)


def counting(at_us: int | None) -> Any:
    rows = permit_uses.c
    if at_us is None:
        return rows.until_us == 0
    return sa.and_(rows.since_us <= at_us, sa.or_(rows.until_us == 0, rows.until_us > at_us))


def last_positions(connection: sa.Connection, enterprises: Iterable[str]) -> dict[str, int]:
    """Returns the last position of a use of each enterprise; only enterprises with uses are in it."""
    rows = permit_uses.c
    query = sa.select(rows.enterprise, sa.func.max(rows.position).label("last"))
    query = query.where(bulk.among(connection, rows.enterprise, enterprises)).group_by(rows.enterprise)
    return {row.enterprise: row.last for row in connection.execute(query)}


def add_permit_uses(connection: sa.Connection, uses: Sequence[PermitUse]) -> None:
    """Adds uses that count from now on."""
    records.insert(connection, permit_uses, *uses)


def end_permit_uses(connection: sa.Connection, ended: Sequence[PermitUse], now_us: int) -> None:
    """Ends uses: they count no longer. Raises Conflict where one has ended already."""
    rows = permit_uses.c
    over = sa.update(permit_uses).where(
        rows.enterprise == sa.bindparam("of"), rows.position == sa.bindparam("at"), rows.until_us == 0
    )
    if ended:
        keys = [{"of": use.enterprise, "at": use.position} for use in ended]
        if connection.execute(over.values(until_us=now_us), keys).rowcount != len(keys):
            raise Conflict("permit_uses")


def all_assigned_uses(connection: sa.Connection) -> list[PermitUse]:
    """Returns all uses that have a permit, for verification."""
    query = sa.select(permit_uses).where(counting(None), permit_uses.c.permit != "")
    return records.many(connection, query.order_by(permit_uses.c.place, permit_uses.c.position), PermitUse)
