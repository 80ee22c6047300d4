"""Uses of permits as rows."""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from chassis import bulk, records
from chassis.records import Conflict
from services.declarations.schema import metadata
from services.declarations.window.eligibility.model import PermitUse

# What declarations take of permits, numbered for each enterprise.
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
    """What each of these declarations takes of permits, or waits for: now, or as it was at a time."""
    found: dict[str, list[PermitUse]] = {}
    for use in _uses(connection, permit_uses.c.declaration, numbers, counting(at_us)):
        found.setdefault(use.declaration, []).append(use)
    return found


def permits_taken(connection: sa.Connection, permits: Iterable[str], at_us: int | None = None) -> list[PermitUse]:
    """All that is taken of these permits."""
    return _uses(connection, permit_uses.c.permit, permits, counting(at_us))


def waiting_uses(connection: sa.Connection, enterprises: Iterable[str]) -> list[PermitUse]:
    """What has no permit, in the order in which it waits."""
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
    """The last position that a use of each enterprise has; only those with uses are in it."""
    rows = permit_uses.c
    query = sa.select(rows.enterprise, sa.func.max(rows.position).label("last"))
    query = query.where(bulk.among(connection, rows.enterprise, enterprises)).group_by(rows.enterprise)
    return {found.enterprise: found.last for found in connection.execute(query)}


def add_permit_uses(connection: sa.Connection, fresh: Sequence[PermitUse]) -> None:
    """What declarations take from now on."""
    records.insert(connection, permit_uses, *fresh)


def end_permit_uses(connection: sa.Connection, ended: Sequence[PermitUse], now_us: int) -> None:
    """These count no longer."""
    rows = permit_uses.c
    over = sa.update(permit_uses).where(
        rows.enterprise == sa.bindparam("of"), rows.position == sa.bindparam("at"), rows.until_us == 0
    )
    if ended:
        keys = [{"of": use.enterprise, "at": use.position} for use in ended]
        if connection.execute(over.values(until_us=now_us), keys).rowcount != len(keys):
            raise Conflict("permit_uses")


def all_assigned_uses(connection: sa.Connection) -> list[PermitUse]:
    """All that is taken of permits, for verification."""
    query = sa.select(permit_uses).where(counting(None), permit_uses.c.permit != "")
    return records.many(connection, query.order_by(permit_uses.c.place, permit_uses.c.position), PermitUse)
