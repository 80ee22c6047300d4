"""Uploads and reads of blobs over real ports, and the rows that they leave."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import grpc
import sqlalchemy as sa
from aval.blobs.v1 import blobs_pb2

from chassis import business_date, sealing, verification
from chassis.clock import SystemClock
from chassis.command import Transaction
from chassis.contracts import contract
from chassis.database import Database
from chassis.identity import ASSERTION_KEY, Caller
from chassis.ids import Identifiers
from chassis.status import RemoteError
from services.declarations.service import SERVICE
from tests.service.intake_world import WINDOW, Intake
from tests.support import Refusal, refusal_of

PATIENCE_SECONDS = 20
PDF = b"%PDF-1.7\n" + bytes(range(256)) * 3000 + b"\n%%EOF\n"
SHA256 = hashlib.sha256(PDF).hexdigest()


def pieces(content: bytes, size: int, media_type: str = "application/pdf", sha256: str = "") -> list[Any]:
    """The parts that a client sends, of so many bytes each."""
    parts = [blobs_pb2.BlobPart(content=content[i : i + size]) for i in range(0, max(len(content), 1), size)]
    parts[0].media_type = media_type
    parts[-1].sha256 = sha256 or hashlib.sha256(content).hexdigest()
    return parts


def opened(intake: Intake, method: str, caller: Caller) -> tuple[Any, list[tuple[str, str]]]:
    """A method's stream, raw, and the metadata by which the gateway opens it for a caller."""
    path, channel = contract(SERVICE.name).path(method), intake.platform.channels[SERVICE.name]
    assertion = intake.platform.signer.assertion(caller, SERVICE.name, SystemClock().now_us())
    call = channel.stream_unary(path) if method == "UploadBlob" else channel.unary_stream(path)
    return call, [(ASSERTION_KEY, assertion), ("accept-language", caller.language)]


async def upload(intake: Intake, parts: Iterable[Any], caller: Caller = WINDOW) -> Any:
    """The blob that an upload makes. RemoteError."""
    _, metadata = opened(intake, "UploadBlob", caller)

    async def sent() -> AsyncIterator[bytes]:
        for part in parts:
            yield part.SerializeToString()

    path = contract(SERVICE.name).path("UploadBlob")
    async with asyncio.timeout(PATIENCE_SECONDS):
        answer = await intake.platform.channels.upload(SERVICE.name, path, sent(), metadata)
    return blobs_pb2.Blob.FromString(answer)


async def read(intake: Intake, name: str, caller: Caller = WINDOW) -> list[Any]:
    """The parts of a blob. grpc.RpcError."""
    call, metadata = opened(intake, "GetBlob", caller)
    request = blobs_pb2.GetBlobRequest(name=name).SerializeToString()
    stream = call(request, metadata=metadata, timeout=PATIENCE_SECONDS)
    return [blobs_pb2.BlobPart.FromString(raw) async for raw in stream]


async def refused(work: Any) -> Refusal:
    """The refusal of a call."""
    try:
        answer = await work
    except (RemoteError, grpc.RpcError) as error:
        return refusal_of(error.__cause__ if isinstance(error, RemoteError) else error, "en")
    raise AssertionError(answer)


def rows(intake: Intake, table: sa.Table, *where: Any) -> list[Any]:
    with intake.platform.nodes[SERVICE.name].store.read() as connection:
        return list(connection.execute(sa.select(table).where(*where)))


def violations(intake: Intake) -> list[str]:
    """All that verification finds, with the keys at hand."""
    database = intake.platform.nodes[SERVICE.name].store
    with database.read() as connection:
        return verification.violations(SERVICE, connection, database.keys)


@contextlib.contextmanager
def written(intake: Intake) -> Iterator[sealing.Opening]:
    """A transaction beside the running service."""
    running = intake.platform.nodes[SERVICE.name].store
    beside = Database(running.url, running.schema, running.keys)
    try:
        with beside.write() as connection:
            yield sealing.Opening(connection, beside.keys)
    finally:
        beside.close()


@contextlib.contextmanager
def transaction(intake: Intake, after_us: int = 0) -> Iterator[Transaction]:
    """A transaction of the window's, so long after now."""
    now_us = SystemClock().now_us() + after_us
    with written(intake) as opening:
        ids, date = Identifiers(now_us, after_us.to_bytes(16, "big")), business_date.day(now_us)
        yield Transaction(opening.connection, WINDOW, now_us, ids, business_date=date, keys=opening.keys)
