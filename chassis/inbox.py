"""Taking another service's events: effect and cursor commit together, so that each takes effect once.

The events of a resource take effect in their order. One that a reaction fails on waits (parked.py), and behind it the
later ones of its resource; the source goes on. No money moves because an event came: it stops what isn't done yet, and
is shown. The consumer (consumer.py) follows the log.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from aval.events.v1 import events_pb2
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from chassis import database, parked, tables, tasks, telemetry
from chassis.clock import MICROSECONDS
from chassis.command import Operation, Transaction
from chassis.records import Conflict

Reaction = Callable[[Transaction, events_pb2.Event], None]
# The reactions to a source's events by their type; events of other types are passed over.
Reactions = Mapping[str, Reaction]


class Gap(AssertionError):
    """The source skipped positions: nothing more is consumed until a person has looked."""


def cursor(connection: sa.Connection, source: str) -> tuple[str, int]:
    """Returns epoch and position up to which a source was consumed."""
    rows = tables.inbox
    row = connection.execute(sa.select(rows).where(rows.c.source == source)).first()
    return ("", 0) if row is None else (row.epoch, row.position)


def advance(connection: sa.Connection, source: str, epoch: str, position: int) -> None:
    """Moves the cursor of a source, in the transaction of the effect."""
    rows = tables.inbox
    values = {"epoch": epoch, "position": position}
    updated = connection.execute(sa.update(rows).where(rows.c.source == source).values(**values))
    if updated.rowcount == 0:
        connection.execute(sa.insert(rows).values(source=source, **values))


def consume_operation(source: str, reactions: Reactions) -> Operation:
    """Returns the internal command that takes a range of a source's events.

    A range that was taken before changes nothing; of one that overlaps the cursor the rest counts. Raises Gap.
    """

    def consume(transaction: Transaction, response: events_pb2.WatchResponse) -> Message:
        epoch, position = cursor(transaction.connection, source)
        if epoch not in ("", response.log_epoch) or response.after_position > position:
            raise Gap(f"{source}: expected {epoch}/{position}, got {response.log_epoch}/{response.after_position}")
        for event in response.events:
            if event.position > position and event.type in reactions:
                _take(transaction, source, reactions[event.type], event)
        if response.through_position > position:
            advance(transaction.connection, source, response.log_epoch, response.through_position)
        return Empty()

    return _operation(f"consume {source}", source, consume)


def _operation(method: str, source: str, run: Callable[[Transaction, Any], Message]) -> Operation:
    names = [parked.lock_name(source)]
    return Operation(method, Empty, run=run, names=lambda _request: names, keeps_requests=False)


def _take(transaction: Transaction, source: str, reaction: Reaction, event: events_pb2.Event) -> None:
    """Lets an event take effect, or wait: behind an earlier one of its resource, or because its reaction failed."""
    connection, now_us = transaction.connection, transaction.now_us
    if parked.is_waiting(connection, source, event.resource):
        parked.park(connection, source, event, now_us, None)
    elif failure := attempt(transaction, source, reaction, event):
        parked.park(connection, source, event, now_us, tasks.failure_of(failure))


def attempt(transaction: Transaction, source: str, reaction: Reaction, event: events_pb2.Event) -> Exception | None:
    """Runs a reaction in a savepoint of its own. Returns why it failed; then nothing of it is left.

    Raises what may go away by itself: a store out of reach, another transaction in the way.
    """
    savepoint, told = transaction.connection.begin_nested(), len(transaction.events)
    try:
        with telemetry.event_span(source, event.type, event.resource, event.traceparent) as span:
            transaction.traceparent = telemetry.traceparent_of(span) or event.traceparent
            reaction(transaction, event)
    except (*database.PASSING, Conflict):
        raise
    except Exception as failure:
        savepoint.rollback()
        del transaction.events[told:]
        return failure
    savepoint.commit()
    return None


def retry_operation(source: str, reactions: Reactions) -> Operation:
    """Returns the internal command that takes the waiting events of a resource again: in order, to the first failure.

    The request is an event that names the resource.
    """

    def retry(transaction: Transaction, request: events_pb2.Event) -> Message:
        connection, now_us = transaction.connection, transaction.now_us
        for waiting in parked.of_resource(connection, source, request.resource):
            reaction = reactions.get(waiting.type, _pass_over)
            if failure := attempt(transaction, source, reaction, waiting.event):
                parked.count(connection, waiting, now_us, tasks.failure_of(failure))
                return Empty()
            parked.forget(connection, waiting)
        for following in parked.of_resource(connection, source, request.resource, 1):
            parked.take_again(connection, following, now_us)
        return Empty()

    return _operation(f"retry {source}", source, retry)


def _pass_over(_transaction: Transaction, _event: events_pb2.Event) -> None:
    """Nobody reacts to events of this type any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """How far a subscription is behind its source: the cursor, the source's newest position, the events that it has
    yet to take, and the age of the oldest of these.
    """

    source: str
    position: int
    head: int
    waiting: int
    age_seconds: int


def lag(connection: sa.Connection, log: sa.Connection, source: str, reactions: Reactions, now_us: int) -> Lag:
    """Returns the lag of a subscription; `connection` is to the subscriber's store, `log` to the source's.

    One event of 12:00:00 that isn't taken at 12:00:07: 7 seconds. None that isn't taken: 0 seconds.
    """
    _, position = cursor(connection, source)
    rows = tables.events
    query = sa.select(sa.func.count(), sa.func.min(rows.c.create_us)).where(rows.c.position > position)
    ((waiting, oldest_us),) = log.execute(query.where(rows.c.type.in_(sorted(reactions))))
    head = log.execute(sa.select(tables.log_head.c.position)).scalar_one()
    age_us = max(now_us - oldest_us, 0) if waiting else 0
    return Lag(source=source, position=position, head=head, waiting=waiting, age_seconds=age_us // MICROSECONDS)
