"""Sagas: a resource's state says what is owed, a pure plan names the call, a task row is its timer.

Recovery is running the same calls again: a call's request id follows from resource, step and round,
so that a repeated one gets the first one's answer. A refusal is told to the saga, which compensates;
an unknown outcome is never taken for a failure. A reaction that fails counts as an attempt, as an unknown outcome
does: the same call is made again later, and parked in the end. So a reaction that can do nothing about a refusal yet
raises it, and the call stays owed.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from chassis import business_date, identity, ids, tables, telemetry
from chassis.clock import MICROSECONDS, Clock
from chassis.command import Operation, Submission, Transaction
from chassis.contracts import contract
from chassis.database import Database
from chassis.errors import DomainError, NotFound
from chassis.identity import Caller
from chassis.ids import RandomBytes
from chassis.status import UNKNOWN_OUTCOME
from chassis.writer import Writer

logger = logging.getLogger(__name__)

FIRST_RETRY_SECONDS = 0.2
LONGEST_RETRY_SECONDS = 30
PARK_AFTER_ATTEMPTS = 1000
POLL_SECONDS = 1.0
LEAST_POLL_SECONDS = 0.02
AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Call:
    """The next call a resource owes: for which tenant, to whom, what. The runner sets request_id."""

    step: str
    service: str
    method: str
    request: Any
    tenant: str


class Resource(Protocol):
    """What a saga moves: a record with a name and a revision."""

    @property
    def name(self) -> str:
        """Its resource name, for example loans/loan-01…."""
        ...

    @property
    def revision(self) -> int:
        """Rises with every change."""
        ...


Outcome = Message | DomainError
Plan = Callable[[Any], Call | None]


@dataclass(frozen=True, slots=True)
class Saga:
    """A kind of resource that owes calls.

    `plan` is pure. `react` takes a step's outcome and changes the resource, or raises: then the call stays owed.
    `unfinished` lists all resources whose plan may owe something, for `verify`.
    """

    noun: str
    load: Callable[[sa.Connection, str], Any | None]
    plan: Plan
    react: Callable[[Transaction, Any, str, Outcome], None]
    unfinished: Callable[[sa.Connection], Iterable[Any]]


@dataclass(frozen=True, slots=True)
class Task:
    """A task row."""

    resource: str
    saga: str
    step: str
    round: int
    service: str
    method: str
    request: bytes
    tenant: str
    caller: str
    traceparent: str
    due_us: int
    attempts: int
    parked: str | None

    @property
    def request_id(self) -> str:
        """The same for every try of this round."""
        return ids.derived(self.resource, self.step, self.round)


def request_of(task: Task) -> Any:
    """The task's request, with its request id where it has one: a read has none."""
    request = contract(task.service).request(task.method).FromString(task.request)
    if "request_id" in request.DESCRIPTOR.fields_by_name:
        request.request_id = task.request_id
    return request


def follow(transaction: Transaction, noun: str, plan: Plan, resource: Any) -> None:
    """Records what the changed resource owes now by its plan. Called by the store wherever it saves a resource.

    `noun` is the saga's: by it the runner finds the reaction when the call's outcome comes.
    """
    rows = tables.tasks
    known = transaction.connection.execute(
        sa.select(rows.c.step, rows.c.round).where(rows.c.resource == resource.name)
    ).first()
    call = plan(resource)
    if known and call and known.step == call.step:
        return
    transaction.has_tasks = True
    if known:
        transaction.connection.execute(sa.delete(rows).where(rows.c.resource == resource.name))
    if call:
        transaction.connection.execute(sa.insert(rows).values(**_row(transaction, noun, resource, call)))


def _row(transaction: Transaction, noun: str, resource: Any, call: Call) -> dict[str, Any]:
    return {
        "resource": resource.name,
        "saga": noun,
        "step": call.step,
        # A step that is planned anew gets a new round, hence a new request id.
        "round": resource.revision,
        "service": call.service,
        "method": call.method,
        "request": call.request.SerializeToString(deterministic=True),
        "tenant": call.tenant,
        "caller": transaction.caller.to_text(),
        "traceparent": transaction.traceparent,
        "due_us": transaction.now_us,
        "attempts": 0,
        "parked": None,
    }


def due(connection: sa.Connection, now_us: int) -> list[Task]:
    """The tasks whose time has come, oldest first."""
    rows = tables.tasks
    query = sa.select(rows).where(rows.c.due_us <= now_us, rows.c.parked.is_(None))
    query = query.order_by(rows.c.due_us).limit(AT_ONCE)
    return [Task(**row) for row in connection.execute(query).mappings()]


def next_due_us(connection: sa.Connection) -> int | None:
    """When the next task is due."""
    rows = tables.tasks
    query = sa.select(sa.func.min(rows.c.due_us)).where(rows.c.parked.is_(None))
    result: int | None = connection.execute(query).scalar()
    return result


@dataclass(frozen=True, slots=True)
class Settlement:
    """A task with its outcome, on its way through the writer."""

    task: Task
    outcome: Outcome | Exception

    def SerializeToString(self, deterministic: bool = True) -> bytes:  # noqa: N802
        """Settlements keep no request row; nothing is ever digested."""
        raise NotImplementedError


def is_unknown(outcome: Outcome | Exception) -> bool:
    """Whether the outcome leaves open if the call happened."""
    return isinstance(outcome, DomainError) and outcome.code in UNKNOWN_OUTCOME


def settle_operation(sagas: Mapping[str, Saga]) -> Operation:
    """The internal command that takes a task's outcome."""

    def settle(transaction: Transaction, settlement: Settlement) -> Message:
        task, outcome = settlement.task, settlement.outcome
        if not _is_current(transaction, task):
            return Empty()
        if is_unknown(outcome):
            _postpone(transaction, task, outcome)
            return Empty()
        assert isinstance(outcome, Message | DomainError)
        saga = sagas[task.saga]
        resource = saga.load(transaction.connection, task.resource)
        if resource is None:
            raise NotFound(resource=task.resource)
        saga.react(transaction, resource, task.step, outcome)
        _assert_moved(transaction, task)
        return Empty()

    return Operation("settle task", Empty, run=settle, names=lambda s: [s.task.resource], keeps_requests=False)


def postpone_operation() -> Operation:
    """The internal command that counts an attempt whose reaction failed; the outcome is what went wrong."""

    def postpone(transaction: Transaction, settlement: Settlement) -> Message:
        if _is_current(transaction, settlement.task):
            _postpone(transaction, settlement.task, settlement.outcome)
        return Empty()

    return Operation("postpone task", Empty, run=postpone, names=lambda s: [s.task.resource], keeps_requests=False)


def _is_current(transaction: Transaction, task: Task) -> bool:
    """Whether this is still the round the resource waits for; a late duplicate isn't."""
    rows = tables.tasks
    query = sa.select(rows.c.step, rows.c.round).where(rows.c.resource == task.resource)
    row = transaction.connection.execute(query).first()
    return row is not None and (row.step, row.round) == (task.step, task.round)


def _assert_moved(transaction: Transaction, task: Task) -> None:
    """A reaction that leaves its step owed would run for ever."""
    assert not _is_current(transaction, task), f"{task.resource}: {task.step} changed nothing"


def retry_seconds(attempts: int) -> float:
    """How long a call waits after so many attempts: 0.2, 0.4, 0.8 … at most 30 seconds."""
    return min(FIRST_RETRY_SECONDS * float(2 ** min(attempts - 1, 20)), LONGEST_RETRY_SECONDS)


def _postpone(transaction: Transaction, task: Task, outcome: Outcome | Exception) -> None:
    rows = tables.tasks
    transaction.has_tasks = True
    attempts = task.attempts + 1
    values = {
        "attempts": attempts,
        "due_us": transaction.now_us + int(retry_seconds(attempts) * MICROSECONDS),
        "parked": _why(outcome) if attempts >= PARK_AFTER_ATTEMPTS else None,
        "round": task.round + _is_refused(outcome),
    }
    transaction.connection.execute(sa.update(rows).where(rows.c.resource == task.resource).values(values))


def _is_refused(outcome: Outcome | Exception) -> bool:
    """Whether the callee answered no: a service keeps that answer, and judges only a new round's request anew."""
    return isinstance(outcome, DomainError) and not is_unknown(outcome)


def _why(outcome: Outcome | Exception) -> str:
    """Why an attempt came to nothing, in a line: a refusal's own words, or what kind of failure it was."""
    return str(outcome) if isinstance(outcome, DomainError) else type(outcome).__name__


def settlement(operation: Operation, task: Task, outcome: Outcome | Exception, now_us: int, seed: bytes) -> Submission:
    """The submission that brings a task's outcome to the writer."""
    caller = identity.caller_from_text(task.caller)
    return Submission(operation, caller, Settlement(task, outcome), "", now_us, seed, task.traceparent)


def parked(connection: sa.Connection) -> list[Task]:
    """The tasks that wait for a person, by resource: each says in `parked` why."""
    rows = tables.tasks
    query = sa.select(rows).where(rows.c.parked.is_not(None)).order_by(rows.c.resource)
    return [Task(**row) for row in connection.execute(query).mappings()]


def violations(connection: sa.Connection, sagas: Mapping[str, Saga]) -> list[str]:
    """Whether tasks and plans agree, from the rows alone."""
    rows = {row.resource: row.step for row in connection.execute(sa.select(tables.tasks))}
    owed: dict[str, str] = {}
    for saga in sagas.values():
        for resource in saga.unfinished(connection):
            if call := saga.plan(resource):
                owed[resource.name] = call.step
    differing = {name for name in rows.keys() | owed.keys() if rows.get(name) != owed.get(name)}
    return [f"tasks: {name} owes {owed.get(name)}, its task is {rows.get(name)}" for name in sorted(differing)]


def realign(connection: sa.Connection, sagas: Mapping[str, Saga], caller: Caller, now_us: int) -> None:
    """Writes the tasks anew whose steps the plans no longer name: a migration carried their resources over."""
    identifiers, date = ids.Identifiers(now_us, b""), business_date.present(connection, now_us)
    transaction = Transaction(connection, caller, now_us, identifiers, business_date=date)
    rows = tables.tasks
    standing = {row.resource: row.step for row in connection.execute(sa.select(rows.c.resource, rows.c.step))}
    for saga in sagas.values():
        for resource in saga.unfinished(connection):
            call = saga.plan(resource)
            if (call.step if call else None) != standing.get(resource.name):
                follow(transaction, saga.noun, saga.plan, resource)


class Runner:
    """Makes the calls that are due, each resource's one at a time, many resources at once."""

    def __init__(
        self,
        store: Database,
        writer: Writer,
        sagas: Mapping[str, Saga],
        send: Callable[[Task], Awaitable[Message]],
        clock: Clock,
        random: RandomBytes,
    ) -> None:
        """`send` makes a task's call and returns the response or raises the refusal."""
        self._store, self._writer, self._send = store, writer, send
        self._clock, self._random = clock, random
        self._operation, self._postponing = settle_operation(sagas), postpone_operation()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Something was committed."""
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._wake.clear()
            found, patience = await self._look_to_the_end()
            for task in found:
                if task.resource not in self._running:
                    running = asyncio.create_task(self._perform(task))
                    self._running[task.resource] = running
            # Not wait_for, which on Python 3.11 loses a cancellation that comes together with the wake.
            try:
                async with asyncio.timeout(patience):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _look_to_the_end(self) -> tuple[list[Task], float]:
        """Looks on another thread. Cancelled meanwhile it still waits: the store may be closed next."""
        look = asyncio.ensure_future(asyncio.to_thread(self._look))
        try:
            return await asyncio.shield(look)
        except asyncio.CancelledError:
            await look
            raise

    def _look(self) -> tuple[list[Task], float]:
        """The tasks that are due, and how many seconds until the next look."""
        now_us = self._clock.now_us()
        with self._store.read() as connection:
            found, next_us = due(connection, now_us), next_due_us(connection)
        if next_us is None:
            return found, POLL_SECONDS
        return found, min(max((next_us - now_us) / MICROSECONDS, LEAST_POLL_SECONDS), POLL_SECONDS)

    async def _perform(self, task: Task) -> None:
        try:
            with telemetry.task_span(task.saga, task.step, task.resource, task.traceparent) as span:
                submission = self._settlement(self._operation, task, await self._outcome(task))
                submission.span = span
                submission.traceparent = telemetry.traceparent_of(span) or task.traceparent
                await self._writer.submit(submission)
        except Exception as failure:
            logger.exception("task %s %s failed; it will be tried again", task.resource, task.step)
            await self._count(task, failure)
        finally:
            self._running.pop(task.resource, None)
            self._wake.set()

    async def _count(self, task: Task, failure: Exception) -> None:
        """A failed attempt is one. Where the store doesn't even take that, it waits as long here."""
        try:
            await self._writer.submit(self._settlement(self._postponing, task, failure))
        except Exception:
            logger.exception("task %s %s: the attempt can't be counted", task.resource, task.step)
            await asyncio.sleep(retry_seconds(task.attempts + 1))

    def _settlement(self, operation: Operation, task: Task, outcome: Outcome | Exception) -> Submission:
        return settlement(operation, task, outcome, self._clock.now_us(), self._random(16))

    async def _outcome(self, task: Task) -> Outcome:
        try:
            return await self._send(task)
        except DomainError as refusal:
            return refusal
