"""A running service: store, writer, watchers, sagas, consumers and server of one process."""

import asyncio
import contextlib
import hashlib
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
from aval.events.v1 import events_pb2
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from grpc_health.v1 import health

from chassis import certificates, keyring, metrics, migrations, owed, runner, server, signatures, tasks
from chassis.channel import Channels
from chassis.clock import Clock, SystemClock
from chassis.command import Operation, Seal, Submission, Transaction
from chassis.consumer import Consumer
from chassis.database import Database, Failure
from chassis.identity import Verifier, service_caller
from chassis.ids import RandomBytes, system_random
from chassis.inbox import Reactions
from chassis.jobs import Closing
from chassis.keyring import KeyFile
from chassis.notes import Notes
from chassis.runner import Runner
from chassis.service import Service
from chassis.settings import Settings
from chassis.streams import Places
from chassis.watch import Tokens, Watchers
from chassis.writer import Writer, run_batch

Submit = Callable[[Submission], Awaitable[Message]]

logger = logging.getLogger(__name__)
GRACE_SECONDS = 2.0
SWEEP_SECONDS = 1.0
# While the writer is busy what is derived waits so long for each batch, looking so often.
DERIVED_AT_LATEST_SECONDS = 10.0
LOOK_SECONDS = 0.05


async def _at_once() -> None:
    """Waits for nothing."""


class Node:
    """One process of a service. `start` returns the bound port; `stop` finishes what was submitted."""

    def __init__(
        self,
        service: Service,
        settings: Settings,
        clock: Clock | None = None,
        random: RandomBytes = system_random,
    ) -> None:
        self.service, self._settings = service, settings
        self._clock, self._random = clock or SystemClock(), random
        keys = KeyFile(settings.keys or keyring.file_of(settings.certificates, service.name), random)
        self.store = Database(settings.database, service.name, keys)
        self.writer = Writer(self.store, lambda: self.watchers.wake(), lambda: self._runner.wake())
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="derivations")
        self._notes = Notes(service, self.writer, self._clock, random)
        self._places = Places(settings.streams_per_tenant)
        self._health = health.aio.HealthServicer()
        self._background: list[asyncio.Task[None]] = []

    async def start(self) -> int:
        """Migrates, opens the port and begins to work off what is owed."""
        await asyncio.to_thread(self._migrate)
        credentials = certificates.Credentials.load(self._settings.certificates, f"services/{self.service.name}")
        self.channels = Channels(credentials, self._settings.services)
        self.watchers = self._watchers()
        self.writer.start()
        self._handlers = self._build_handlers()
        names = [self.service.contract.descriptor.full_name]
        self._server = server.build_server([self._handlers.generic()], names, self._health)
        port: int = self._server.add_secure_port(self._settings.listen, server.server_credentials(credentials))
        await self._server.start()
        self._start_background()
        await server.set_serving(self._health, names, True)
        return port

    def _migrate(self) -> None:
        """Brings the store up to date; a store that was carried over owes calls by today's plans."""
        service = self.service
        if migrations.upgrade(self.store, service.migrations, self._random, service.prepare):
            with self.store.write() as connection:
                tasks.realign(connection, service.sagas, service_caller(service.name), self._clock.now_us())

    def _watchers(self) -> Watchers:
        key = _read_signing_key(self._settings, self.service.name)
        raw = key.private_bytes_raw()

        def sign_head(block: int, digest: bytes) -> events_pb2.SignedHead:
            text = f"{self.service.name}:{block}:{digest.hex()}"
            return events_pb2.SignedHead(
                block=block,
                hash=digest,
                signature=key.sign(text.encode()),
                key_id=f"services/{self.service.name}",
            )

        tokens = Tokens(hashlib.sha256(b"watch tokens" + raw).digest())
        return Watchers(self.service, self.store, self._clock, tokens, sign_head, self._notes, self._places)

    def _seal(self) -> Seal:
        key = _read_signing_key(self._settings, self.service.name)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return lambda content: signatures.sign(content, pem, f"services/{self.service.name}")

    def _build_handlers(self) -> server.Handlers:
        public_key = (self._settings.certificates / "services_gateway.pub").read_bytes()
        verifier = Verifier(public_key, self.service.name)
        return server.Handlers(
            service=self.service,
            store=self.store,
            writer=self.writer,
            watchers=self.watchers,
            verifier=verifier,
            clock=self._clock,
            random=self._random,
            seal=self._seal(),
            notes=self._notes,
            places=self._places,
        )

    def _start_background(self) -> None:
        send = runner.over(self.channels)
        self._runner = Runner(self.store, self.writer, self.service.sagas, send, self._clock, self._random)
        if self.service.sagas:
            self._spawn(self._runner.run())
        self._consumers = [self._subscribe(*subscription) for subscription in self.service.subscriptions.items()]
        if self.service.sagas or self._consumers:
            self._spawn(self._observe())
        for sweep in self.service.sweeps:
            self._spawn(self._sweep(sweep, self.writer.submit))
        # SQLite has one writer, whatever it writes.
        submit = self._run_beside if self.store.dialect == "postgresql" else self.writer.submit
        for derivation in self.service.derivations:
            self._spawn(self._sweep(derivation, submit, self._until_quiet))
        self._spawn(self._close_dates())
        if self.store.dialect == "postgresql":
            self._spawn(self._listen())

    def _subscribe(self, source: str, reactions: Reactions) -> Consumer:
        consumer = Consumer(
            source,
            reactions,
            store=self.store,
            writer=self.writer,
            channels=self.channels,
            clock=self._clock,
            random=self._random,
        )
        self._spawn(consumer.run())
        self._spawn(consumer.retry())
        return consumer

    def _spawn(self, work: Any) -> None:
        self._background.append(asyncio.create_task(work))

    async def _observe(self) -> None:
        """Tells every few seconds how old the oldest owed call to each peer is and how far each source is followed,
        where somebody wants to know.
        """
        peers = set(self.channels.names)
        while metrics.is_wanted(os.environ):
            with contextlib.suppress(*Failure):
                ages = await runner.to_the_end(self._ages)
                peers |= ages.keys()
                metrics.tell_owed(peers, ages)
                for consumer in self._consumers:
                    await runner.to_the_end(consumer.measure)
            await asyncio.sleep(metrics.OBSERVE_SECONDS)

    def _ages(self) -> Mapping[str, float]:
        with self.store.read() as connection:
            return owed.ages(connection, self._clock.now_us())

    async def _run_beside(self, submission: Submission) -> Message:
        """Runs a command in a transaction of its own beside the writer's."""
        loop = asyncio.get_running_loop()
        outcome = (await loop.run_in_executor(self._beside, run_batch, self.store, [submission]))[submission]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def _until_quiet(self) -> None:
        """Until the writer has nothing to do, at most some seconds: what is derived shall not slow what comes in."""
        latest = asyncio.get_running_loop().time() + DERIVED_AT_LATEST_SECONDS
        while self.writer.in_flight and asyncio.get_running_loop().time() < latest:
            await asyncio.sleep(LOOK_SECONDS)

    async def _sweep(
        self, sweep: Callable[[Transaction], bool], submit: Submit, moment: Callable[[], Awaitable[None]] = _at_once
    ) -> None:
        """Does what is due by the clock alone, every second, and at once where one batch was not enough."""
        found = [False]

        def run(transaction: Transaction, _request: Empty) -> Message:
            found[0] = sweep(transaction)
            return Empty()

        operation = Operation("sweep", Empty, run=run, keeps_requests=False)
        caller = service_caller(self.service.name)
        while True:
            await moment()
            submission = Submission(operation, caller, Empty(), "", self._clock.now_us(), self._random(16))
            try:
                await submit(submission)
            except Exception:
                logger.exception("a sweep failed; it will be tried again")
                found[0] = False
            if not found[0]:
                await asyncio.sleep(SWEEP_SECONDS)

    async def _close_dates(self) -> None:
        """Closes the dates that the clock or a command has left, a step at a time, between what comes in."""
        closing = Closing(self.service.name, self.service.jobs, self.store, self._clock, self._random)
        while True:
            submission = closing.submission()
            try:
                await self.writer.submit(submission)
            except Exception:
                logger.exception("a step of closing a date failed; it will be tried again")
                await asyncio.sleep(SWEEP_SECONDS)
                continue
            if submission.request.is_last:
                await asyncio.sleep(SWEEP_SECONDS)

    def _wake(self) -> None:
        """Another process of the service has committed."""
        self.watchers.wake()
        self._runner.wake()

    async def _listen(self) -> None:
        """Wakes this process when another of the same service has committed; a slow poll is the safety net."""
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(self._settings.database, autocommit=True)
                async with connection:
                    await connection.execute(f'LISTEN "{self.store.role}"')
                    async for notice in connection.notifies():
                        if notice.payload != self.store.process_name:
                            self._wake()
            except psycopg.Error:
                logger.warning("listening was interrupted; trying again")
                await asyncio.sleep(1)

    async def stop(self) -> None:
        """Ends streams, finishes the writer's queue, closes the store."""
        await server.set_serving(self._health, [self.service.contract.descriptor.full_name], False)
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._server.stop(GRACE_SECONDS)
        await self.writer.stop()
        # A cancelled derivation's transaction still ends.
        await asyncio.to_thread(self._beside.shutdown)
        self._handlers.close()
        self.watchers.close()
        await self.channels.close()
        self.store.close()


def _read_signing_key(settings: Settings, name: str) -> ed25519.Ed25519PrivateKey:
    pem = (settings.certificates / f"services_{name}.signing").read_bytes()
    key = serialization.load_pem_private_key(pem, None)
    assert isinstance(key, ed25519.Ed25519PrivateKey)
    return key
