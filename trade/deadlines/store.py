"""Deadlines as rows: the only SQL of this room."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from chassis import bulk
from trade import calendars
from trade.calendars import Calendar
from trade.dated_tables import reads
from trade.dated_tables.kinds import CALENDARS
from trade.dated_tables.reads import TableUnfit
from trade.deadlines.model import Kept
from trade.tables import dated_tables, deadlines, waiting_deadlines

# Rows that a proof has in memory at a time.
PAGE = 1_000
_REPLACED = ("date", "is_provisional", "content")


def put(connection: sa.Connection, kept: Sequence[Kept]) -> None:
    """Keeps deadlines of distinct fields, in the transaction that sets their dates; those of before are replaced."""
    bulk.add(connection, deadlines, [_row(each) for each in kept], (), _REPLACED)
    rest(connection, kept)
    waiting = [
        (f"{CALENDARS}{edition.name}", edition.version, each.resource, each.field)
        for each in kept
        for edition in each.deadline.calendars
    ]
    bulk.insert(connection, waiting_deadlines, waiting)


def rest(connection: sa.Connection, kept: Sequence[Kept]) -> None:
    """Lets deadlines wait for no calendar any more: their dates stay."""
    rows = waiting_deadlines.c
    for field in sorted({each.field for each in kept}):
        resources = [each.resource for each in kept if each.field == field]
        among = bulk.among(connection, rows.resource, resources)
        connection.execute(sa.delete(waiting_deadlines).where(among, rows.field == field))


def drop(connection: sa.Connection, field: str, resources: Sequence[str]) -> None:
    """Removes the deadlines of a field of these resources: their dates rest on no rule any more."""
    for table in (waiting_deadlines, deadlines) if resources else ():
        among = bulk.among(connection, table.c.resource, resources)
        connection.execute(sa.delete(table).where(among, table.c.field == field))


def load(connection: sa.Connection, field: str, resources: Sequence[str]) -> dict[str, Kept]:
    """Returns the deadlines of a field of these resources, those that have one, by resource."""
    among = bulk.among(connection, deadlines.c.resource, resources)
    query = sa.select(deadlines).where(among, deadlines.c.field == field)
    return {row.resource: _kept(row) for row in connection.execute(query)}


def outdated(connection: sa.Connection, limit: int) -> list[Kept]:
    """Returns deadlines of whose calendar a newer version is in force, in no order: the first rows of the index."""
    rows, newest = waiting_deadlines.c, _newest_calendars()
    is_older = sa.and_(rows.calendar == newest.c.name, rows.calendar_version < newest.c.version)
    this = sa.and_(deadlines.c.resource == rows.resource, deadlines.c.field == rows.field)
    query = sa.select(deadlines).select_from(newest).join(waiting_deadlines, is_older).join(deadlines, this)
    found = connection.execute(query.limit(limit))
    # A deadline may wait for two calendars at once.
    return list({(row.resource, row.field): _kept(row) for row in found}.values())


def _newest_calendars() -> sa.Subquery:
    rows = dated_tables.c
    is_calendar = sa.and_(rows.name >= CALENDARS, rows.name < CALENDARS[:-1] + chr(ord(CALENDARS[-1]) + 1))
    newest = sa.select(rows.name, sa.func.max(rows.version).label("version")).where(is_calendar)
    return newest.group_by(rows.name).subquery()


def violations(connection: sa.Connection) -> list[str]:
    """Lists deadlines that aren't what their rules give by the versions that they name, and waits without any."""
    return [*_of_rules(connection), *_of_waiting(connection)]


def _of_rules(connection: sa.Connection) -> Iterator[str]:
    known: dict[tuple[str, int], Calendar] = {}
    for page in _pages(connection):
        for kept in page:
            by_name = _calendars(connection, kept, known)
            if by_name is None or kept.again(by_name) != kept:
                rule, date = kept.deadline.rule, kept.deadline.date
                yield f"DT2: {kept.resource} {kept.field} {date} isn't what {rule} gives by its calendars"


def _calendars(
    connection: sa.Connection, kept: Kept, known: dict[tuple[str, int], Calendar]
) -> Mapping[str, Calendar] | None:
    """Returns the calendars of a deadline in its versions; None where the store lacks a version."""
    for edition in kept.deadline.calendars:
        key = (edition.name, edition.version)
        if key not in known:
            calendar = _calendar(connection, *key)
            if calendar is None:
                return None
            known[key] = calendar
    return {edition.name: known[edition.name, edition.version] for edition in kept.deadline.calendars}


def _calendar(connection: sa.Connection, name: str, version: int) -> Calendar | None:
    try:
        return reads.calendar_of_version(connection, name, version)
    except TableUnfit:
        return None


def _pages(connection: sa.Connection) -> Iterator[list[Kept]]:
    """Yields all deadlines by resource and field, at most a page at a time."""
    key, last = sa.tuple_(deadlines.c.resource, deadlines.c.field), ("", "")
    query = sa.select(deadlines).order_by(deadlines.c.resource, deadlines.c.field).limit(PAGE)
    while rows := connection.execute(query.where(key > sa.tuple_(*map(sa.literal, last)))).all():
        yield [_kept(row) for row in rows]
        last = (rows[-1].resource, rows[-1].field)


def _of_waiting(connection: sa.Connection) -> Iterator[str]:
    """Yields waits for a calendar without a deadline."""
    rows = waiting_deadlines.c
    this = sa.and_(deadlines.c.resource == rows.resource, deadlines.c.field == rows.field)
    query = sa.select(rows.resource, rows.field, rows.calendar).outerjoin(deadlines, this)
    for row in connection.execute(query.where(deadlines.c.resource.is_(None))):
        yield f"DT2: {row.resource} {row.field} waits for {row.calendar}, but has no deadline"


def _row(kept: Kept) -> tuple[Any, ...]:
    deadline = kept.deadline
    content = calendars.to_json(deadline)
    return kept.resource, kept.field, deadline.date.isoformat(), deadline.is_provisional, content


def _kept(row: Any) -> Kept:
    return Kept(resource=row.resource, field=row.field, deadline=calendars.from_json(row.content))
