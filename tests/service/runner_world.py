"""Errands that owe calls, an office that makes them, and peers that answer or hang: real ports, real stores."""

import asyncio
import contextlib
import statistics
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import grpc
import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2
from aval.settlement.v1 import settlement_pb2
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import StringValue

from chassis import records, runner, server, tables, tasks
from chassis.certificates import Authority
from chassis.channel import Channels
from chassis.clock import SystemClock
from chassis.command import Operation, Transaction
from chassis.contracts import contract
from chassis.database import Database
from chassis.ids import system_random
from chassis.ports import free_port
from chassis.runner import Runner
from chassis.tasks import Call, Outcome, Saga, Task
from chassis.writer import Writer
from tests.support import submission

PATIENCE_SECONDS = 30
HANGING, PROMPT = "declarations", "settlement"
ADDRESS = "127.0.0.1"
MEASURED_CALLS = 30
PACE_SECONDS = 0.01


@dataclass(frozen=True)
class Errand:
    """One call to a peer, which is named by the id: "settlement-1" asks settlement."""

    id: str
    revision: int
    is_done: bool

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"errands/{self.id}"


ERRANDS = records.table("errands", Errand, sa.MetaData())
REQUESTS: dict[str, tuple[str, Callable[[str], Message]]] = {
    HANGING: ("GetDeclaration", lambda name: declarations_pb2.GetDeclarationRequest(name=name)),
    PROMPT: ("Disburse", lambda name: settlement_pb2.DisburseRequest(loan=name)),
}


def _plan(errand: Errand) -> Call | None:
    peer = errand.id.split("-")[0]
    method, request = REQUESTS[peer]
    return None if errand.is_done else Call("ask", peer, method, request(errand.name), "banks/X")


def _load(connection: sa.Connection, name: str) -> Errand | None:
    return records.one(connection, ERRANDS, Errand, ERRANDS.c.id == name.removeprefix("errands/"))


def _unfinished(connection: sa.Connection) -> Iterable[Errand]:
    return records.many(connection, sa.select(ERRANDS), Errand)


def _create(transaction: Transaction, request: StringValue) -> Message:
    errand = Errand(request.value, 1, False)
    records.insert(transaction.connection, ERRANDS, errand)
    tasks.follow(transaction, "errand", _plan, errand)
    return Empty()


CREATE = Operation("tests.Create", Empty, run=_create)


class CountingDatabase(Database):
    """A store that counts the looks at it, and can be out of reach."""

    reads = 0
    is_gone = False

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """As the store's."""
        self.reads += 1
        if self.is_gone:
            raise ConnectionError
        with super().read() as connection:
            yield connection


class Office:
    """A store with errands, its writer and its runner."""

    def __init__(self, store: CountingDatabase, channels: Channels) -> None:
        self.store = store
        self.done: dict[str, float] = {}
        saga = Saga("errand", _load, _plan, self._react, _unfinished)
        self.writer = Writer(store, owed=lambda: self.runner.wake())
        send = runner.over(channels)
        self.runner = Runner(store, self.writer, {"errand": saga}, send, SystemClock(), system_random)

    def _react(self, transaction: Transaction, errand: Errand, _step: str, _outcome: Outcome) -> None:
        saved = records.update(transaction.connection, ERRANDS, replace(errand, is_done=True))
        tasks.follow(transaction, "errand", _plan, saved)
        self.done[errand.id] = time.monotonic()

    async def create(self, errand: str) -> None:
        """Comes to owe a call."""
        now_us = SystemClock().now_us()
        await self.writer.submit(submission(CREATE, errand, now_us=now_us))

    async def usual_seconds(self, prefix: str) -> float:
        """The least of three median times: what else the machine does isn't the runner's pace."""
        return min([await self.median_seconds(f"{prefix}{number}") for number in range(3)])

    async def median_seconds(self, prefix: str) -> float:
        """The median time from a command to the end of the call that it came to owe, one command every 10 ms."""
        begun = {}
        for number in range(MEASURED_CALLS):
            errand = f"{prefix}-{number}"
            begun[errand] = time.monotonic()
            await self.create(errand)
            await asyncio.sleep(PACE_SECONDS)
        await until(lambda: begun.keys() <= self.done.keys())
        return statistics.median(self.done[errand] - begun[errand] for errand in begun)

    def task(self, errand: str) -> Task:
        """The task of an errand."""
        with self.store.write() as connection:
            query = sa.select(tables.tasks).where(tables.tasks.c.resource == f"errands/{errand}")
            (row,) = connection.execute(query).mappings()
        return Task(**row)


async def until(holds: Callable[[], bool]) -> None:
    """Waits until something holds."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds():
            await asyncio.sleep(0.005)


@dataclass
class Peer:
    """A server that answers every call with an empty message, or hangs."""

    hangs: bool
    metadata: list[dict[str, Any]] = field(default_factory=list)
    now: int = 0
    most: int = 0

    def handler(self, service: str) -> grpc.GenericRpcHandler:
        """The one method of a service that errands call."""
        method = grpc.unary_unary_rpc_method_handler(self._answer)
        return grpc.method_handlers_generic_handler(
            contract(service).descriptor.full_name, {REQUESTS[service][0]: method}
        )

    async def _answer(self, _raw: bytes, context: Any) -> bytes:
        self.metadata.append(dict(context.invocation_metadata()))
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(PATIENCE_SECONDS if self.hangs else 0)
        finally:
            self.now -= 1
        return b""


@contextlib.asynccontextmanager
async def serving(authority: Authority, name: str, peer: Peer) -> AsyncIterator[str]:
    """The address of a peer's server."""
    address = f"{ADDRESS}:{free_port()}"
    running = grpc.aio.server(options=server.OPTIONS)
    running.add_generic_rpc_handlers((peer.handler(name),))
    running.add_secure_port(address, server.server_credentials(authority.issue(f"services/{name}")))
    await running.start()
    yield address
    await running.stop(0)


@contextlib.asynccontextmanager
async def accepting() -> AsyncIterator[str]:
    """The address of a listener that accepts every connection and never says a word."""
    ended = asyncio.Event()

    async def wait(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ended.wait()
        writer.close()

    listening = await asyncio.start_server(wait, ADDRESS, 0)
    yield f"{ADDRESS}:{listening.sockets[0].getsockname()[1]}"
    ended.set()
    listening.close()


@contextlib.asynccontextmanager
async def opened(store: CountingDatabase, authority: Authority, **addresses: str) -> AsyncIterator[Office]:
    """An office whose runner runs."""
    channels = Channels(authority.issue("services/loans"), addresses)
    office = Office(store, channels)
    office.writer.start()
    running = asyncio.create_task(office.runner.run())
    yield office
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await channels.close()
    await office.writer.stop()
