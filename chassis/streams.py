"""Streams of one process: how many each tenant may hold open, and how their reading is shared out."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import grpc

from chassis.errors import DomainError
from chassis.identity import Caller

# More would only take the interpreter from each other and from the writer.
READERS = 2

Result = TypeVar("Result")


class QuotaExceeded(DomainError):
    """{tenant} has {limit} streams open here, which is the most; end one, or follow several resources by one stream."""

    chinese = "{tenant} 已打开 {limit} 条流，达到上限；请先结束一条，或用一条流跟踪多个资源。"
    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class Places:
    """A number of places for each tenant's open streams; services, which follow each other's logs, need none."""

    def __init__(self, per_tenant: int) -> None:
        self._per_tenant = per_tenant
        self._taken: Counter[tuple[str, str]] = Counter()

    @contextlib.contextmanager
    def taken(self, tenant: str, where: str = "") -> Iterator[None]:
        """Takes a place of the tenant's for as long as the block lasts; `where` has places of its own.

        Raises QuotaExceeded.
        """
        place = (tenant, where)
        if self._taken[place] >= self._per_tenant:
            raise QuotaExceeded(tenant=tenant, limit=self._per_tenant)
        self._taken[place] += 1
        try:
            yield
        finally:
            self._taken[place] -= 1
            if not self._taken[place]:
                del self._taken[place]

    def of(self, caller: Caller) -> contextlib.AbstractContextManager[None]:
        """Takes a place for a caller's stream. Raises QuotaExceeded."""
        return contextlib.nullcontext() if caller.service else self.taken(caller.tenant)


class Turns:
    """An executor for replays alone, in which each tenant has at most one read waiting or under way.

    So tenants take turns, however many streams one of them has, and other reads have threads of their own. A tenant
    with several reads waiting leaves a pause as long as each read took: all of its streams together take half a thread.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="replay")
        self._locks: dict[str, asyncio.Lock] = {}
        self._waiting: Counter[str] = Counter()

    async def run(self, tenant: str, work: Callable[[], Result]) -> Result:
        """Runs the work in its tenant's turn. Returns its result."""
        loop = asyncio.get_running_loop()
        async with self._turn(tenant):
            start = loop.time()
            result = await loop.run_in_executor(self._threads, work)
            if self._waiting[tenant] > 1:
                await asyncio.sleep(loop.time() - start)
            return result

    @contextlib.asynccontextmanager
    async def _turn(self, tenant: str) -> AsyncIterator[None]:
        lock = self._locks.setdefault(tenant, asyncio.Lock())
        self._waiting[tenant] += 1
        try:
            async with lock:
                yield
        finally:
            self._waiting[tenant] -= 1
            if not self._waiting[tenant]:
                del self._locks[tenant], self._waiting[tenant]

    def close(self) -> None:
        """Ends the threads."""
        self._threads.shutdown(wait=True)
