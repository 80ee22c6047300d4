"""Events of others that a reaction failed on, as rows: each waits, and behind it all later ones of its resource.

The first of a resource is taken again by itself, ever more seldom, and after many attempts only when a person asks.
Events of other resources go on meanwhile.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from aval.events.v1 import events_pb2

from chassis import database, tables, tasks
from chassis.clock import MICROSECONDS

# Why an event waits that nobody has tried.
BEHIND = "waits behind an earlier event"
# So many events of a resource are taken in one transaction.
AT_ONCE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedEvent:
    """An event that waits: the first of its resource has a `failure`, those behind it have none.

    `since_us` is when it came, `due_us` when it is taken again: None behind another, and where a person has to ask.
    """

    source: str
    position: int
    resource: str
    type: str
    content: bytes
    since_us: int
    due_us: int | None
    attempts: int
    failure: str | None

    @property
    def event(self) -> events_pb2.Event:
        """Returns the event as it came."""
        return events_pb2.Event.FromString(self.content)


def is_waiting(connection: sa.Connection, source: str, resource: str) -> bool:
    """Whether an event of a resource waits, so that a later one has to wait behind it."""
    return bool(of_resource(connection, source, resource, 1))


def of_resource(connection: sa.Connection, source: str, resource: str, limit: int = AT_ONCE) -> Sequence[ParkedEvent]:
    """Returns the waiting events of a resource in their order."""
    rows = tables.parked_events
    query = sa.select(rows).where(rows.c.source == source, rows.c.resource == resource)
    return _events(connection, query.order_by(rows.c.position).limit(limit))


def _events(connection: sa.Connection, query: sa.Select[tuple[object]]) -> list[ParkedEvent]:
    return [ParkedEvent(**row) for row in connection.execute(query).mappings()]


def park(connection: sa.Connection, source: str, event: events_pb2.Event, now_us: int, failure: str | None) -> None:
    """Sets an event aside: the first of its resource with the reason of its failure, a later one with None."""
    parked = ParkedEvent(
        source=source,
        position=event.position,
        resource=event.resource,
        type=event.type,
        content=event.SerializeToString(),
        since_us=now_us,
        due_us=None,
        attempts=0,
        failure=None,
    )
    connection.execute(sa.insert(tables.parked_events), [asdict(parked)])
    if failure is not None:
        count(connection, parked, now_us, failure)


def count(connection: sa.Connection, parked: ParkedEvent, now_us: int, failure: str) -> None:
    """Counts an attempt that failed; after many of them it waits for a person."""
    attempts = parked.attempts + 1
    due_us = now_us + tasks.backoff_us(f"{parked.source}/{parked.resource}", attempts)
    is_over = attempts >= tasks.PARK_AFTER_ATTEMPTS
    values = {"attempts": attempts, "failure": failure, "due_us": None if is_over else due_us}
    connection.execute(sa.update(tables.parked_events).where(*_is(parked)).values(values))


def forget(connection: sa.Connection, parked: ParkedEvent) -> None:
    """Removes an event that has taken effect."""
    connection.execute(sa.delete(tables.parked_events).where(*_is(parked)))


def take_again(connection: sa.Connection, parked: ParkedEvent, now_us: int) -> None:
    """Makes an event due at once, as if it had never been tried."""
    connection.execute(sa.update(tables.parked_events).where(*_is(parked)).values(due_us=now_us, attempts=0))


def _is(parked: ParkedEvent) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    rows = tables.parked_events
    return rows.c.source == parked.source, rows.c.position == parked.position


def due(connection: sa.Connection, source: str, now_us: int) -> Sequence[str]:
    """Returns the resources of a source whose first waiting event is due."""
    rows = tables.parked_events
    query = sa.select(rows.c.resource).where(rows.c.source == source, rows.c.due_us <= now_us)
    return connection.execute(query.order_by(rows.c.due_us)).scalars().all()


def number(connection: sa.Connection, source: str) -> int:
    """Returns how many events of a source wait."""
    rows = tables.parked_events
    query = sa.select(sa.func.count()).where(rows.c.source == source)
    return int(connection.execute(query).scalar_one())


def every(connection: sa.Connection) -> Sequence[ParkedEvent]:
    """Returns all waiting events, by source and position."""
    rows = tables.parked_events
    return _events(connection, sa.select(rows).order_by(rows.c.source, rows.c.position))


def retry(connection: sa.Connection, resource: str, now_us: int) -> int:
    """Makes the first waiting event of a resource due at once. Returns of how many sources there is one."""
    sources = [parked.source for parked in every(connection) if parked.resource == resource]
    for source in sorted(set(sources)):
        database.lock(connection, [lock_name(source)])
        for parked in of_resource(connection, source, resource, 1):
            take_again(connection, parked, now_us)
    return len(set(sources))


def lock_name(source: str) -> str:
    """Returns the name under which whatever changes what was consumed of a source is locked: inbox/declarations."""
    return f"inbox/{source}"


def seconds_waiting(parked: ParkedEvent, now_us: int) -> int:
    """Returns how long an event has waited: one of 12:00:00 at 12:01:30 for 90 seconds."""
    return max(now_us - parked.since_us, 0) // MICROSECONDS


def violations(connection: sa.Connection) -> Sequence[str]:
    """Returns the waiting events that lie beyond their source's cursor: they would be taken twice."""
    rows, cursors = tables.parked_events, tables.inbox
    query = sa.select(rows.c.source, rows.c.position).join(
        cursors, sa.and_(cursors.c.source == rows.c.source, cursors.c.position < rows.c.position)
    )
    return [f"inbox: {row.source} {row.position} waits beyond the cursor" for row in connection.execute(query)]
