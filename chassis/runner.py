"""The runner of tasks: makes the calls that are due, and brings their outcomes to the writer."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from google.protobuf.message import Message

from chassis import channel, tasks, telemetry
from chassis.channel import Channels
from chassis.clock import MICROSECONDS, Clock
from chassis.command import Operation, Submission
from chassis.contracts import contract
from chassis.database import Database
from chassis.errors import DomainError
from chassis.identity import caller_from_text
from chassis.ids import RandomBytes
from chassis.tasks import Key, Outcome, Saga, Task
from chassis.writer import Writer

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
# A clock that is read twice may be a little behind itself.
LEAST_POLL_SECONDS = 0.02

Result = TypeVar("Result")
Send = Callable[[Task], Awaitable[Message]]


def over(channels: Channels) -> Send:
    """Returns what makes a task's call over gRPC: as this service, for the task's tenant, on its business date."""

    async def send(task: Task) -> Message:
        callee = contract(task.service)
        metadata = channel.on_behalf_of(caller_from_text(task.caller), task.tenant, task.business_date)
        content = tasks.request_of(task).SerializeToString()
        raw = await channels.call(task.service, callee.path(task.method), content, metadata)
        response: Message = callee.response(task.method).FromString(raw)
        return response

    return send


class Runner:
    """Makes the calls that are due: of each branch of a resource one at a time, to each peer a limited number."""

    def __init__(
        self,
        store: Database,
        writer: Writer,
        sagas: Mapping[str, Saga],
        send: Send,
        clock: Clock,
        random: RandomBytes,
    ) -> None:
        """`send` makes a task's call and returns the response or raises the refusal."""
        self._store, self._writer, self._send = store, writer, send
        self._clock, self._random = clock, random
        self._operation, self._postponing = tasks.settle_operation(sagas), tasks.postpone_operation()
        self._running: dict[Key, Task] = {}
        # Attempts in a row of which the store took no count.
        self._uncounted: Counter[Key] = Counter()
        # The loop itself keeps no hold of what runs on it.
        self._calls: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Looks again, since something was committed."""
        self._wake.set()

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            self._wake.clear()
            due, patience = await self._look_again()
            for task in due:
                self._begin(task)
            # Not wait_for, which on Python 3.11 loses a cancellation that comes together with the wake.
            try:
                async with asyncio.timeout(patience):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _begin(self, task: Task) -> None:
        self._running[task.key] = task
        call = asyncio.create_task(self._perform(task))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    async def _look_again(self) -> tuple[list[Task], float]:
        """Looks on another thread; a store that can't be read is looked at again later."""
        try:
            return await to_the_end(self._look, list(self._running.values()))
        except Exception:
            logger.exception("what is owed can't be read; it will be tried again")
            return [], POLL_SECONDS

    def _look(self, running: Sequence[Task]) -> tuple[list[Task], float]:
        """Returns the tasks that are due beside those that run, and how many seconds until the next look.

        What is due and isn't taken waits for the end of a call, which wakes the runner: no look is made for it.
        """
        now_us = self._clock.now_us()
        with self._store.read() as connection:
            due, next_us = tasks.due(connection, now_us, running), tasks.next_due_us(connection, now_us)
        if next_us is None:
            return due, POLL_SECONDS
        return due, min(max((next_us - now_us) / MICROSECONDS, LEAST_POLL_SECONDS), POLL_SECONDS)

    async def _perform(self, task: Task) -> None:
        outcome: Outcome | None = None
        try:
            with telemetry.task_span(task.saga, task.step, task.resource, task.traceparent) as span:
                outcome = await self._outcome(task)
                submission = self._settlement(self._operation, task, outcome)
                submission.span = span
                submission.traceparent = telemetry.traceparent_of(span) or task.traceparent
                await self._writer.submit(submission)
            self._uncounted.pop(task.key, None)
        except Exception as failure:
            logger.exception("task %s %s failed; it will be tried again", task.resource, task.step)
            await self._count(task, failure, is_answered=isinstance(outcome, Message))
        finally:
            self._running.pop(task.key, None)
            self._wake.set()

    async def _count(self, task: Task, failure: Exception, *, is_answered: bool) -> None:
        """Counts a failed attempt. Where the store doesn't even take that, it waits here, longer each time."""
        try:
            await self._writer.submit(self._settlement(self._postponing, task, failure, is_answered=is_answered))
            self._uncounted.pop(task.key, None)
        except Exception:
            logger.exception("task %s %s: the attempt can't be counted", task.resource, task.step)
            self._uncounted[task.key] += 1
            await asyncio.sleep(tasks.retry_us(task, task.attempts + self._uncounted[task.key]) / MICROSECONDS)

    def _settlement(
        self, operation: Operation, task: Task, outcome: Outcome | Exception, *, is_answered: bool = False
    ) -> Submission:
        now_us, seed = self._clock.now_us(), self._random(16)
        return tasks.settlement(operation, task, outcome, now_us, seed, is_answered=is_answered)

    async def _outcome(self, task: Task) -> Outcome:
        try:
            return await self._send(task)
        except DomainError as refusal:
            return refusal


async def to_the_end(work: Callable[..., Result], *arguments: object) -> Result:
    """Returns what a function gives on another thread. Cancelled meanwhile it waits: the store may be closed next."""
    running = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise
