"""Checks of passwords, one at a time and each source in its turn: twenty from one don't hold up the others."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from gateway.errors import SignInsWaiting

Result = TypeVar("Result")
Work = tuple["asyncio.Future[Any]", Callable[[], Any]]


class FairQueue:
    """Runs functions in a thread of its own, the sources by turns."""

    def __init__(self, per_source: int, in_all: int) -> None:
        """Lets at most so many wait, of a source and in all."""
        self._per_source, self._in_all = per_source, in_all
        self._waiting: OrderedDict[str, deque[Work]] = OrderedDict()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="passwords")
        self._working: asyncio.Task[None] | None = None

    async def run(self, source: str, function: Callable[..., Result], *arguments: Any) -> Result:
        """Runs the function at the source's turn and returns its result.

        Raises SignInsWaiting where too many wait already.
        """
        mine = len(self._waiting.get(source, ()))
        if mine >= self._per_source or sum(map(len, self._waiting.values())) >= self._in_all:
            raise SignInsWaiting
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(source, deque()).append((future, partial(function, *arguments)))
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())
        result: Result = await future
        return result

    async def _work(self) -> None:
        """Works until nobody waits."""
        while self._waiting:
            source, mine = self._waiting.popitem(last=False)
            future, work = mine.popleft()
            if mine:
                self._waiting[source] = mine
            # Whoever went away needs no check.
            if not future.done():
                await self._do(future, work)

    async def _do(self, future: "asyncio.Future[Any]", work: Callable[[], Any]) -> None:
        try:
            result = await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except Exception as error:
            if not future.done():
                future.set_exception(error)
        else:
            if not future.done():
                future.set_result(result)

    def close(self) -> None:
        """Ends the thread."""
        self._thread.shutdown(wait=True)
