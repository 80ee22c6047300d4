"""Consuming another service's events: effect and cursor commit together; a poison event parks its source.

No money decision rests on an event having arrived; events only speed things up.
"""

import asyncio
import logging
from typing import Any

import sqlalchemy as sa
from aval.events.v1 import events_pb2
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from chassis import tables, telemetry
from chassis.channel import Channels
from chassis.clock import Clock
from chassis.command import Operation, Submission, Transaction
from chassis.database import Database
from chassis.errors import LogRestored
from chassis.identity import service_caller
from chassis.ids import RandomBytes
from chassis.service import Reaction
from chassis.status import RemoteError
from chassis.writer import Writer

logger = logging.getLogger(__name__)
RETRY_SECONDS = 1.0


class Gap(AssertionError):
    """The source skipped positions: nothing more is consumed until a person has looked."""


def cursor(connection: sa.Connection, source: str) -> tuple[str, int]:
    """Epoch and position up to which a source was consumed."""
    rows = tables.inbox
    row = connection.execute(sa.select(rows).where(rows.c.source == source)).first()
    return ("", 0) if row is None else (row.epoch, row.position)


def consume_operation(source: str, react: Reaction) -> Operation:
    """The internal command that takes a range of a source's events."""

    def consume(transaction: Transaction, response: events_pb2.WatchResponse) -> Message:
        epoch, position = cursor(transaction.connection, source)
        if (epoch, position) == (response.log_epoch, response.through_position):
            return Empty()
        if (epoch or response.log_epoch, position) != (response.log_epoch, response.after_position):
            raise Gap(f"{source}: expected {epoch}/{position}, got {response.log_epoch}/{response.after_position}")
        for event in response.events:
            with telemetry.event_span(source, event.type, event.resource, event.traceparent) as span:
                transaction.traceparent = telemetry.traceparent_of(span) or event.traceparent
                react(transaction, event)
        advance(transaction.connection, source, response.log_epoch, response.through_position)
        return Empty()

    return Operation(
        f"consume {source}", Empty, run=consume, names=lambda _r: [f"inbox/{source}"], keeps_requests=False
    )


def advance(connection: sa.Connection, source: str, epoch: str, position: int) -> None:
    """Moves the cursor of a source, in the transaction of the effect."""
    rows = tables.inbox
    values = {"epoch": epoch, "position": position, "parked": None}
    updated = connection.execute(sa.update(rows).where(rows.c.source == source).values(**values))
    if updated.rowcount == 0:
        connection.execute(sa.insert(rows).values(source=source, **values))


class Consumer:
    """Follows one source's log for ever."""

    def __init__(
        self,
        source: str,
        react: Reaction,
        store: Database,
        writer: Writer,
        channels: Channels,
        path: str,
        clock: Clock,
        random: RandomBytes,
        service: str,
    ) -> None:
        self._source, self._store, self._writer = source, store, writer
        self._channels, self._path, self._clock, self._random = channels, path, clock, random
        self._operation = consume_operation(source, react)
        self._caller = service_caller(service)

    async def run(self) -> None:
        """Until cancelled; resumes after every break."""
        while True:
            try:
                await self._follow()
            except RemoteError as error:
                if error.reason == LogRestored.reason:
                    logger.error("%s: its log was restored; a person has to decide", self._source)
            except Exception:
                logger.exception("%s: an event can't be consumed; parked until it can", self._source)
            await asyncio.sleep(RETRY_SECONDS)

    async def _follow(self) -> None:
        epoch, position = await asyncio.to_thread(self._cursor)
        request = events_pb2.WatchRequest(log_epoch=epoch, after_position=position)
        async for response in self._channels.watch(self._source, self._path, request):
            if response.through_position > position or response.log_epoch != epoch:
                await self._writer.submit(self._submission(response))
                epoch, position = response.log_epoch, response.through_position

    def _cursor(self) -> tuple[str, int]:
        with self._store.read() as connection:
            return cursor(connection, self._source)

    def _submission(self, response: Any) -> Submission:
        traceparent = response.events[0].traceparent if response.events else ""
        now_us = self._clock.now_us()
        return Submission(self._operation, self._caller, response, "", now_us, self._random(16), traceparent)
