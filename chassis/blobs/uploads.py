"""Blobs in and out of a service: parts from a stream into the writer, and back a part at a time."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from typing import Any

from aval.blobs.v1 import blobs_pb2
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from opentelemetry import trace

from chassis import telemetry
from chassis.blobs import model, store
from chassis.blobs.errors import UploadIncomplete, UploadLate
from chassis.blobs.model import Blob, Receiving
from chassis.clock import Clock
from chassis.command import Operation, Submission, Transaction
from chassis.database import Database
from chassis.errors import DomainError, InvalidFields, NotFound
from chassis.identity import Caller
from chassis.ids import Identifiers, RandomBytes
from chassis.keyring import Tampered
from chassis.sealing import Opening
from chassis.writer import Writer

# So long the next part of an upload may be awaited.
PART_SECONDS = 30.0
# The last part of an upload, and the SHA-256 of all of it.
Whole = tuple[store.Part, str]


def _put_part(transaction: Transaction, part: store.Part) -> Message:
    store.put_part(transaction, *part)
    return Empty()


def _finish(transaction: Transaction, whole: Whole) -> Message:
    last, sha256 = whole
    return to_proto(store.finish(transaction, last, sha256), sha256)


def _drop(transaction: Transaction, upload: Blob) -> Message:
    store.drop(transaction, upload)
    return Empty()


def _owner(whole: Whole) -> list[str]:
    """Returns the name to lock: one upload of an owner ends at a time, so that its limit holds."""
    (blob, _, _), _ = whole
    return [f"{blob.owner}/blobs"]


# The rows themselves say what was done: a part that is put again is the same.
PUT = Operation("put part of blob", Empty, run=_put_part, keeps_requests=False)
FINISH = Operation("finish blob", blobs_pb2.Blob, run=_finish, names=_owner, keeps_requests=False)
DROP = Operation("drop upload", Empty, run=_drop, keeps_requests=False)


def to_proto(blob: Blob, sha256: str) -> blobs_pb2.Blob:
    """Returns a blob as its owner sees it."""
    message = blobs_pb2.Blob(name=model.name_of(sha256), size=blob.size, media_type=blob.media_type)
    message.create_time.FromMicroseconds(blob.create_us)
    return message


class Uploads:
    """A process' way to take blobs in and to give them out."""

    def __init__(
        self, database: Database, writer: Writer, readers: Executor, clock: Clock, random: RandomBytes
    ) -> None:
        self._database, self._writer, self._readers = database, writer, readers
        self._clock, self._random = clock, random

    async def take(
        self, caller: Caller, parts: AsyncIterator[blobs_pb2.BlobPart], span: trace.Span = trace.INVALID_SPAN
    ) -> blobs_pb2.Blob:
        """Takes an upload in, whole or not at all. Returns the blob, which may have been there already.

        What is cut off leaves parts that a sweep removes; what is refused leaves nothing. Raises InvalidFields with all
        that is wrong with the whole, BlobTooLarge, BlobsFull, UploadIncomplete, UploadLate.
        """
        first = await next_part(parts)
        _refuse(model.type_problems(first.media_type))
        receiving = Receiving(self._begun(caller, first.media_type))
        try:
            sha256 = await self._receive(caller, receiving, first, parts, span)
            _refuse(receiving.problems(sha256))
            blob: blobs_pb2.Blob = await self._submit(caller, FINISH, (receiving.last(), sha256), span)
            return blob
        except DomainError:
            await self._submit(caller, DROP, receiving.blob, span)
            raise

    def _begun(self, caller: Caller, media_type: str) -> Blob:
        now_us = self._clock.now_us()
        identifier = Identifiers(now_us, self._random(16)).resource("blob")
        return Blob(id=identifier, owner=caller.tenant, media_type=media_type, create_us=now_us)

    async def _receive(
        self,
        caller: Caller,
        receiving: Receiving,
        part: blobs_pb2.BlobPart,
        parts: AsyncIterator[blobs_pb2.BlobPart],
        span: trace.Span,
    ) -> str:
        """Keeps all parts but the last. Returns the SHA-256 that the sender gives with its last piece."""
        while True:
            for whole in receiving.add(part.content):
                await self._submit(caller, PUT, whole, span)
            if part.sha256:
                return str(part.sha256)
            part = await next_part(parts)

    async def _submit(self, caller: Caller, operation: Operation, request: Any, span: trace.Span) -> Any:
        submission = Submission(
            operation,
            caller,
            request,
            request_id="",
            now_us=self._clock.now_us(),
            seed=self._random(16),
            traceparent=telemetry.traceparent_of(span),
            span=span,
        )
        return await self._writer.submit(submission)

    async def give(self, caller: Caller, request: blobs_pb2.GetBlobRequest) -> AsyncIterator[blobs_pb2.BlobPart]:
        """Gives a blob of the caller's tenant part by part, its digest with the last. Raises NotFound.

        Another's blob is looked for in the same way as one that never was, and is told in the same words.
        """
        sha256 = request.name.removeprefix(model.PREFIX)
        blob = await self._read(lambda opened: store.find(opened, caller.tenant, sha256))
        if blob is None:
            raise NotFound(resource=request.name)
        async for message in self._parts(blob, sha256):
            yield message

    async def _parts(self, blob: Blob, sha256: str) -> AsyncIterator[blobs_pb2.BlobPart]:
        """Gives the parts of a blob. Raises NotFound if it is removed meanwhile."""
        digest = hashlib.sha256()
        for number in range(max(blob.part_count, 1)):
            content = await self._read(lambda opened, number=number: store.part(opened, blob, number))
            if content is None and blob.size:
                raise NotFound(resource=model.name_of(sha256))
            message = blobs_pb2.BlobPart(content=content or b"")
            digest.update(message.content)
            if number == 0:
                message.media_type, message.size = blob.media_type, blob.size
            if number >= blob.part_count - 1:
                if digest.hexdigest() != sha256:
                    raise Tampered
                message.sha256 = sha256
            yield message

    async def _read(self, work: Callable[..., Any]) -> Any:
        """Returns what the work reads in a snapshot of its own: a slow reader holds none."""

        def read() -> Any:
            with self._database.read() as connection:
                return work(Opening(connection, self._database.keys))

        return await asyncio.get_running_loop().run_in_executor(self._readers, read)


async def next_part(parts: AsyncIterator[blobs_pb2.BlobPart]) -> blobs_pb2.BlobPart:
    """Returns the next part of an upload. Raises UploadIncomplete where there is none, UploadLate."""
    try:
        async with asyncio.timeout(PART_SECONDS):
            return await anext(parts)
    except StopAsyncIteration:
        raise UploadIncomplete from None
    except TimeoutError as late:
        raise UploadLate(seconds=f"{PART_SECONDS:g}") from late


def _refuse(problems: list[Any]) -> None:
    if problems:
        raise InvalidFields(problems)
