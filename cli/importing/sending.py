"""Batches to the service, several under way, answered in order; what breaks for a moment is sent again."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from itertools import chain
from typing import Any, TypeVar

import grpc

from chassis.client import AssertingClient
from chassis.errors import DomainError, ServiceUnavailable
from chassis.status import from_rpc_error
from cli import local
from cli.importing import apart
from cli.importing.apart import ATTEMPTS, PAUSE_SECONDS, SERVICE, TRANSIENT, Apart
from cli.importing.batches import IMPORT, Batch

UNDER_WAY = 4
Item = TypeVar("Item")
Answered = tuple[Batch, Any]


async def answers(client: AssertingClient, batches: Iterator[Batch]) -> AsyncIterator[Answered]:
    """Yields each batch with its response, None where nothing was sent.

    Raises DomainError if the service can't be reached.
    """
    parts = Apart(client)
    waiting: deque[Batch] = deque()
    failures = 0
    while True:
        again = list(waiting)
        waiting.clear()
        batches = chain(again, batches)
        try:
            async for answered in _line(client, batches, waiting):
                failures = 0
                yield answered
            return
        except DomainError as error:
            failures += 1
            if apart.is_of_documents(error, failures):
                batch = waiting.popleft()
                yield batch, None if batch.request is None else await parts.answer(batch)
                failures = 0
            elif error.code not in TRANSIENT or failures == ATTEMPTS:
                raise
            await asyncio.sleep(PAUSE_SECONDS * failures)


async def _line(client: AssertingClient, batches: Iterator[Batch], waiting: deque[Batch]) -> AsyncIterator[Answered]:
    """Makes one attempt: `waiting` has what was taken and not answered when it breaks."""
    lines: dict[str, _Unary | _Stream] = {}
    try:
        async for batch in _drawn(batches):
            waiting.append(batch)
            # Documents are there before the rows that refer to them.
            while waiting[0].method != batch.method:
                yield await _next(lines, waiting)
            if batch.method not in lines:
                lines[batch.method] = _Unary(client) if batch.method == IMPORT else _Stream(client, batch.method)
            await lines[batch.method].send(batch)
            if len(waiting) >= UNDER_WAY:
                yield await _next(lines, waiting)
        while waiting:
            yield await _next(lines, waiting)
    except grpc.RpcError as error:
        raise from_rpc_error(error) from error
    finally:
        for line in lines.values():
            line.close()


async def _next(lines: "dict[str, _Unary | _Stream]", waiting: deque[Batch]) -> Answered:
    response = await lines[waiting[0].method].receive(waiting[0])
    return waiting.popleft(), response


async def _drawn(items: Iterator[Item]) -> AsyncIterator[Item]:
    """Yields the items, each made on another thread, so that answers are read meanwhile."""
    end = object()
    while (item := await asyncio.to_thread(next, items, end)) is not end:
        yield item  # type: ignore[misc]


class _Unary:
    """Requests as calls of their own."""

    def __init__(self, client: AssertingClient) -> None:
        self._client = client
        self._calls: deque[asyncio.Task[Any] | None] = deque()

    async def send(self, batch: Batch) -> None:
        """Begins the call."""
        request = batch.request
        call = None if request is None else self._client.call(SERVICE, batch.method, request, local.WINDOW)
        self._calls.append(None if call is None else asyncio.create_task(call))

    async def receive(self, _batch: Batch) -> Any:
        """Returns the answer to the first call that has none yet."""
        call = self._calls.popleft()
        return None if call is None else await call

    def close(self) -> None:
        """Drops what is under way."""
        for call in self._calls:
            if call is not None:
                call.cancel()


class _Stream:
    """Requests on one stream, answered in order."""

    def __init__(self, client: AssertingClient, method: str) -> None:
        self._call = client.stream(SERVICE, method, local.WINDOW)

    async def send(self, batch: Batch) -> None:
        """Writes it, unless there is nothing to send. Raises grpc.RpcError."""
        if batch.request is None:
            return
        try:
            await self._call.write(batch.request)
        except asyncio.InvalidStateError:
            # The other side has ended the stream: reading says why.
            await self._read()

    async def receive(self, batch: Batch) -> Any:
        """Returns the next response. Raises grpc.RpcError."""
        if batch.request is None:
            return None
        return await self._read()

    async def _read(self) -> Any:
        response = await self._call.read()
        if response is grpc.aio.EOF:
            raise ServiceUnavailable(service=SERVICE)
        return response

    def close(self) -> None:
        """Ends the stream."""
        self._call.cancel()
