"""Watch: a service's events as a stream, for services, institutions and exporters alike."""

import asyncio
import base64
import contextlib
import dataclasses
import secrets
from collections.abc import AsyncIterator, Callable
from functools import partial

from aval.events.v1 import events_pb2
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chassis import eventlog
from chassis.clock import MICROSECONDS, Clock
from chassis.database import Database
from chassis.errors import LogRestored
from chassis.identity import Caller
from chassis.looks import Lately, Look
from chassis.notes import Notes
from chassis.service import Reading, Service
from chassis.streams import Places, Turns

HEARTBEAT_SECONDS = 5.0
# An outsider's stream ends before its assertion would; the client resumes with its token.
LONGEST_OUTSIDER_SECONDS = 290


class Tokens:
    """Positions as opaque tokens of one length, since they would tell a bank the volume of its rivals."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, epoch: str, position: int) -> str:
        """The token of a position."""
        nonce = secrets.token_bytes(12)
        content = f"{epoch} {position:019}".encode()
        return base64.urlsafe_b64encode(nonce + self._cipher.encrypt(nonce, content, None)).decode()

    def open(self, token: str) -> tuple[str, int]:
        """Epoch and position of a token. LogRestored if it isn't ours."""
        if not token:
            return "", 0
        try:
            data = base64.urlsafe_b64decode(token)
            epoch, position = self._cipher.decrypt(data[:12], data[12:], None).decode().split(" ")
        except (ValueError, InvalidTag) as error:
            raise LogRestored from error
        return epoch, int(position)


class Watchers:
    """All streams of one process."""

    def __init__(
        self,
        service: Service,
        store: Database,
        clock: Clock,
        tokens: Tokens,
        sign_head: Callable[[int, bytes], events_pb2.SignedHead],
        notes: Notes,
        places: Places,
    ) -> None:
        self._service, self._store, self._clock = service, store, clock
        self._tokens, self._sign_head, self._notes, self._places = tokens, sign_head, notes, places
        self._turns, self._lately = Turns(), Lately()
        self._wakes: set[asyncio.Event] = set()

    def wake(self) -> None:
        """Something was committed."""
        for wake in self._wakes:
            wake.set()

    async def stream(self, caller: Caller, request: events_pb2.WatchRequest) -> AsyncIterator[events_pb2.WatchResponse]:
        """Ranges with the caller's events, and heartbeats. LogRestored for a foreign cursor, QuotaExceeded."""
        with self._places.of(caller):
            wake = asyncio.Event()
            self._wakes.add(wake)
            try:
                async for response in self._ranges(caller, request, wake):
                    yield response
            finally:
                self._wakes.discard(wake)

    def close(self) -> None:
        """Ends the reading threads."""
        self._turns.close()

    async def _ranges(
        self, caller: Caller, request: events_pb2.WatchRequest, wake: asyncio.Event
    ) -> AsyncIterator[events_pb2.WatchResponse]:
        epoch, position = request.log_epoch, request.after_position
        if not caller.service:
            epoch, position = self._tokens.open(request.resume_token)
        started_us, pulse, told = self._clock.now_us(), Pulse(), position
        # An outsider learns from no answer's time that others are busy; who asks for types isn't woken by others.
        is_told_all = bool(caller.service) and not request.types
        while True:
            wake.clear()
            found = await self._next(caller, request, epoch, position)
            is_quiet = pulse.is_due
            is_news = bool(found.events) or (is_told_all and found.through_position > position)
            if is_news or is_quiet or not epoch or request.until_end:
                found = dataclasses.replace(found, after_position=told)
                yield await self._turns.run(caller.tenant, partial(self._response, caller, found, is_quiet))
                pulse.restart()
                told = found.through_position
            epoch, position = found.epoch, found.through_position
            if found.is_full:
                continue
            if request.until_end or self._is_over(caller, started_us):
                return
            await pulse.wait(wake)

    def _is_over(self, caller: Caller, started_us: int) -> bool:
        age_us = self._clock.now_us() - started_us
        return not caller.service and age_us > LONGEST_OUTSIDER_SECONDS * MICROSECONDS

    async def _next(
        self, caller: Caller, request: events_pb2.WatchRequest, epoch: str, position: int
    ) -> eventlog.Range:
        """The next range; what of it has to be written down is durable before it is told."""
        look = self._lately.look(caller, self._clock.now_us())
        read = partial(self._read, caller, request, epoch, position, look)
        found, reading = await self._turns.run(caller.tenant, read)
        await self._notes.write(caller, reading.notes)
        look.keep()
        return found

    def _read(
        self, caller: Caller, request: events_pb2.WatchRequest, epoch: str, position: int, look: Look
    ) -> tuple[eventlog.Range, Reading]:
        tenant = "" if caller.service else caller.tenant
        with self._store.read() as connection:
            names = _names(caller, request.resource)
            found = eventlog.read(connection, epoch, position, tenant, *names, types=request.types)
            reading = Reading(connection, caller, self._clock.now_us(), self._store.keys, look=look)
            if not caller.service:
                found.events[:] = self._service.visible(reading, found.events)
            return found, reading

    def _response(self, caller: Caller, found: eventlog.Range, heartbeat: bool) -> events_pb2.WatchResponse:
        response = events_pb2.WatchResponse(log_epoch=found.epoch, events=found.events)
        if caller.service:
            response.after_position = found.after_position
            response.through_position = found.through_position
            response.head_position = found.head
        else:
            response.resume_token = self._tokens.seal(found.epoch, found.through_position)
            for event in response.events:
                event.position = 0
        if heartbeat:
            self._add_head(response)
        return response

    def _add_head(self, response: events_pb2.WatchResponse) -> None:
        with self._store.read() as connection:
            head = self._service.ledger_head(connection)
        if head:
            response.ledger_head.CopyFrom(self._sign_head(*head))


def _names(caller: Caller, resource: str) -> tuple[str, ...]:
    """The names that a caller may mean: the one it says, or that of what it gave this id to; none for all."""
    collection, _, identifier = resource.partition("/")
    return (resource, f"{collection}/{caller.kept_id(identifier)}") if resource else ()


class Pulse:
    """The steady pace of a stream's heartbeats: one when nothing was told for a while."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Something was told."""
        self._due = asyncio.get_running_loop().time() + HEARTBEAT_SECONDS

    @property
    def is_due(self) -> bool:
        """Whether it is time for the next."""
        return asyncio.get_running_loop().time() >= self._due

    async def wait(self, wake: asyncio.Event) -> None:
        """Until something is committed, or the next is due."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(self._due):
                await wake.wait()
