"""The calls that a service owes others, for its operators: how late each is, and why."""

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from chassis import database, tables, tasks
from chassis.channel import CALL_SECONDS
from chassis.clock import MICROSECONDS

LATE_US = int(CALL_SECONDS * MICROSECONDS)


class State(enum.StrEnum):
    """The state of a call, the worst first."""

    # It waits for a person.
    PARKED = "PARKED"
    # It has been owed for longer than a call may take.
    LATE = "LATE"
    OWED = "OWED"
    # Its time hasn't come.
    WAITING = "WAITING"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwedCall:
    """A call that is owed to a peer: since when, when it is made next, and how it went so far."""

    resource: str
    branch: str
    step: str
    peer: str
    not_before_us: int
    since_us: int
    due_us: int
    attempts: int
    failure: str | None
    parked: str | None

    def state(self, now_us: int) -> State:
        """Returns its state: owed since 12:00:00 it is OWED until 12:00:10 and LATE from then on."""
        if self.parked is not None:
            return State.PARKED
        if self.since_us > now_us:
            return State.WAITING
        return State.LATE if now_us - self.since_us > LATE_US else State.OWED


def calls(connection: sa.Connection) -> Iterator[OwedCall]:
    """Yields every call that is owed, the oldest first."""
    rows = tables.tasks
    columns = [rows.c.service.label("peer") if name == "peer" else rows.c[name] for name in OwedCall.__slots__]
    for row in connection.execute(sa.select(*columns).order_by(rows.c.since_us, rows.c.resource)).mappings():
        yield OwedCall(**row)


def ages(connection: sa.Connection, now_us: int) -> Mapping[str, float]:
    """Returns the age in seconds of the oldest call that is due to each peer and not parked.

    A call that failed and is made again later is as old as before.
    """
    oldest = {row.service: row.since_us for row in connection.execute(_OLDEST)}
    due = {peer: since_us for peer, since_us in oldest.items() if since_us is not None and since_us <= now_us}
    return {peer: (now_us - since_us) / MICROSECONDS for peer, since_us in due.items()}


def _oldest_of(peer: Any) -> sa.Select[tuple[int]]:
    rows = tables.tasks
    return sa.select(sa.func.min(rows.c.since_us)).where(rows.c.service == peer, rows.c.parked.is_(None))


_OLDEST = sa.select(tasks.PEERS.c.service, _oldest_of(tasks.PEERS.c.service).scalar_subquery().label("since_us"))


def retry(connection: sa.Connection, resource: str, now_us: int) -> int:
    """Makes the parked calls of a resource due at once, as if they had never been tried. Returns how many there are."""
    database.lock(connection, [resource])
    rows = tables.tasks
    parked = rows.c.resource == resource, rows.c.parked.is_not(None)
    anew = {"due_us": now_us, "attempts": 0, "parked": None}
    return connection.execute(sa.update(rows).where(*parked).values(anew)).rowcount
