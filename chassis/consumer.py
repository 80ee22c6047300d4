"""Following another service's log: from the cursor, for ever, after every break again."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable, Sequence

from aval.events.v1 import events_pb2

from chassis import inbox, metrics, parked, tasks
from chassis.channel import Channels
from chassis.clock import MICROSECONDS, Clock
from chassis.command import Operation, Submission
from chassis.contracts import contract
from chassis.database import Database
from chassis.errors import DomainError, LogRestored
from chassis.identity import service_caller
from chassis.ids import RandomBytes
from chassis.inbox import Reactions
from chassis.runner import to_the_end
from chassis.watch import HEARTBEAT_SECONDS
from chassis.writer import Writer

logger = logging.getLogger(__name__)

WATCH = "Watch"
# A source that misses three heartbeats is asked anew.
SILENCE_SECONDS = 3 * HEARTBEAT_SECONDS
LOOK_SECONDS = 1.0


class Consumer:
    """A service's subscription to one source."""

    def __init__(
        self,
        source: str,
        reactions: Reactions,
        *,
        store: Database,
        writer: Writer,
        channels: Channels,
        clock: Clock,
        random: RandomBytes,
    ) -> None:
        """`store` is the subscriber's, `channels` reach the source."""
        self._source, self._types = source, sorted(reactions)
        self._store, self._writer, self._channels = store, writer, channels
        self._clock, self._random = clock, random
        self._consuming = inbox.consume_operation(source, reactions)
        self._retrying = inbox.retry_operation(source, reactions)
        self._failures = self._position = self._head = 0
        self._caught_up_us = clock.now_us()

    async def run(self) -> None:
        """Follows the log until cancelled."""
        while True:
            try:
                await self._follow()
            except Exception as error:
                self._log(error)
            self._failures += 1
            await asyncio.sleep(tasks.backoff_us(f"{self._store.schema}/{self._source}", self._failures) / MICROSECONDS)

    def _log(self, error: Exception) -> None:
        if isinstance(error, DomainError) and error.reason == LogRestored.reason:
            logger.error("%s: its log was restored; a person has to decide", self._source)
        elif isinstance(error, DomainError | TimeoutError):
            logger.warning("%s: its events can't be read now (%s)", self._source, tasks.failure_of(error))
        else:
            logger.exception("%s: its events can't be consumed; it will be tried again", self._source)

    async def _follow(self) -> None:
        epoch, self._position = await to_the_end(self._cursor)
        request = events_pb2.WatchRequest(log_epoch=epoch, after_position=self._position, types=self._types)
        async with contextlib.aclosing(self._responses(request)) as responses:
            async for response in responses:
                self._failures, self._head = 0, response.head_position
                if response.through_position > self._position:
                    await self._submit(self._consuming, response)
                    self._position = response.through_position
                if self._position >= self._head:
                    self._caught_up_us = self._clock.now_us()

    async def _responses(self, request: events_pb2.WatchRequest) -> AsyncGenerator[events_pb2.WatchResponse]:
        """Yields the source's ranges and heartbeats. Raises TimeoutError where these stay away, RemoteError."""
        path = contract(self._source).path(WATCH)
        async with contextlib.aclosing(self._channels.watch(self._source, path, request)) as stream:
            while True:
                async with asyncio.timeout(SILENCE_SECONDS):
                    response = await anext(stream, None)
                if response is None:
                    return
                yield response

    async def retry(self) -> None:
        """Takes waiting events again when they are due, until cancelled."""
        while True:
            for resource in await self._read(self._due, ()):
                try:
                    await self._submit(self._retrying, events_pb2.Event(resource=resource))
                except Exception:
                    logger.exception("%s: %s can't be taken again now", self._source, resource)
            await asyncio.sleep(LOOK_SECONDS)

    async def _read(self, look: Callable[[], Sequence[str]], otherwise: Sequence[str]) -> Sequence[str]:
        """Looks on another thread; a store that can't be read is looked at again later."""
        try:
            return await to_the_end(look)
        except Exception:
            logger.exception("%s: which events wait can't be read; it will be tried again", self._source)
            return otherwise

    def measure(self) -> None:
        """Tells how far the source is followed, as metrics."""
        with self._store.read() as connection:
            waiting = parked.number(connection, self._source)
        age_us = self._clock.now_us() - self._caught_up_us
        behind = max(self._head - self._position, 0)
        metrics.tell_followed(self._source, behind=behind, age_seconds=age_us / MICROSECONDS, parked=waiting)

    def _due(self) -> Sequence[str]:
        with self._store.read() as connection:
            return parked.due(connection, self._source, self._clock.now_us())

    def _cursor(self) -> tuple[str, int]:
        with self._store.read() as connection:
            return inbox.cursor(connection, self._source)

    async def _submit(self, operation: Operation, request: events_pb2.WatchResponse | events_pb2.Event) -> None:
        caller, now_us = service_caller(self._store.schema), self._clock.now_us()
        await self._writer.submit(Submission(operation, caller, request, "", now_us, self._random(16)))
