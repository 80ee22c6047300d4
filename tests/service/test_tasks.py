"""Sagas on both databases: what a plan owes is a task, its request id stays, late duplicates change nothing."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import sqlalchemy as sa
from aval.loans.v1 import loans_pb2
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import StringValue

from chassis import records, tables, tasks
from chassis.clock import SystemClock
from chassis.command import Operation, Transaction
from chassis.database import Database
from chassis.errors import DomainError, NotFound, ServiceUnavailable
from chassis.ids import system_random
from chassis.runner import Runner
from chassis.tasks import Call, Outcome, Saga, Task
from chassis.writer import Writer, run_batch
from tests.support import NOW_US, Stores, submission

PATIENCE_SECONDS = 30


@dataclass(frozen=True)
class Deal:
    """Books cover, then pays out; a refusal of the payment gives the cover back."""

    id: str
    revision: int
    state: str

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"deals/{self.id}"


DEALS = records.table("deals", Deal, sa.MetaData())
OWED = {"NEW": "cover", "COVERED": "pay", "REFUSED": "release"}
# What a step's success and its refusal lead to.
AFTER = {
    ("cover", True): "COVERED",
    ("cover", False): "FAILED",
    ("pay", True): "PAID",
    ("pay", False): "REFUSED",
    ("release", True): "FAILED",
}


def _plan(deal: Deal) -> Call | None:
    step = OWED.get(deal.state)
    return Call(step, "loans", "SignLoan", loans_pb2.SignLoanRequest(name=deal.name), "banks/X") if step else None


def _load(connection: sa.Connection, name: str) -> Deal | None:
    return records.one(connection, DEALS, Deal, DEALS.c.id == name.removeprefix("deals/"))


def _save(transaction: Transaction, deal: Deal) -> None:
    tasks.follow(transaction, "deal", _plan, records.update(transaction.connection, DEALS, deal))


def _react(transaction: Transaction, deal: Deal, step: str, outcome: Outcome) -> None:
    if deal.id != "stuck":
        _save(transaction, replace(deal, state=AFTER[step, isinstance(outcome, Message)]))


def _unfinished(connection: sa.Connection) -> Iterable[Deal]:
    return records.many(connection, sa.select(DEALS), Deal)


SAGA = Saga("deal", _load, _plan, _react, _unfinished)
SETTLE = tasks.settle_operation({"deal": SAGA})


def _create(transaction: Transaction, request: StringValue) -> Message:
    deal = Deal(request.value, 1, "NEW")
    records.insert(transaction.connection, DEALS, deal)
    tasks.follow(transaction, "deal", _plan, deal)
    return Empty()


@pytest.fixture
def database(store: Stores) -> Database:
    """A store with one new deal."""
    opened = store()
    with opened.write() as connection:
        DEALS.metadata.create_all(connection)
    _run(opened, Operation("tests.Create", Empty, run=_create), "1")
    return opened


def _run(database: Database, operation: Operation, text: str) -> None:
    command = submission(operation, text)
    assert run_batch(database, [command])[command] == Empty()


def _due(database: Database, now_us: int = NOW_US) -> list[Task]:
    with database.read() as connection:
        assert tasks.violations(connection, {"deal": SAGA}) == []
        return tasks.due(connection, now_us)


def _settle(database: Database, task: Task, outcome: Outcome, now_us: int = NOW_US) -> Any:
    command = tasks.settlement(SETTLE, task, outcome, now_us, b"seed")
    return run_batch(database, [command])[command]


def _state(database: Database) -> str:
    with database.read() as connection:
        deal = _load(connection, "deals/1")
    assert deal is not None
    return deal.state


def test_each_step_owes_the_next_until_nothing_is_owed(database: Database) -> None:
    steps = []
    while owed := _due(database):
        (task,) = owed
        steps.append(task.step)
        assert _settle(database, task, Empty()) == Empty()
    assert steps == ["cover", "pay"]
    assert _state(database) == "PAID"


def test_a_refusal_is_compensated(database: Database) -> None:
    (cover,) = _due(database)
    _settle(database, cover, Empty())
    (pay,) = _due(database)
    _settle(database, pay, NotFound(resource="accounts/1"))
    (release,) = _due(database)
    assert release.step == "release"
    _settle(database, release, Empty())
    assert (_state(database), _due(database)) == ("FAILED", [])


def test_a_late_duplicate_of_an_answer_is_ignored(database: Database) -> None:
    (cover,) = _due(database)
    _settle(database, cover, Empty())
    before = _due(database)
    for outcome in (Empty(), NotFound(resource="x"), ServiceUnavailable(service="loans")):
        assert _settle(database, cover, outcome) == Empty()
    assert _due(database) == before
    assert _state(database) == "COVERED"


def test_an_unknown_outcome_repeats_the_same_call_later(database: Database) -> None:
    (first,) = _due(database)
    _settle(database, first, ServiceUnavailable(service="loans"))
    second_us = NOW_US + tasks.retry_us(first, 1)
    assert NOW_US + 150_000 <= second_us <= NOW_US + 250_000
    assert _due(database, second_us - 1) == []
    (again,) = _due(database, second_us)
    assert (again.request_id, again.request, again.attempts) == (first.request_id, first.request, 1)
    assert again.failure == "SERVICE_UNAVAILABLE"
    _settle(database, again, ServiceUnavailable(service="loans"), second_us)
    third_us = second_us + tasks.retry_us(first, 2)
    assert second_us + 300_000 <= third_us <= second_us + 500_000
    assert _due(database, third_us - 1) == []
    assert len(_due(database, third_us)) == 1
    assert _state(database) == "NEW"


def test_after_many_attempts_it_waits_for_a_person(database: Database) -> None:
    (task,) = _due(database)
    tried = replace(task, attempts=tasks.PARK_AFTER_ATTEMPTS - 1)
    _settle(database, tried, ServiceUnavailable(service="loans"))
    assert _due(database, 2 * NOW_US) == []
    with database.read() as connection:
        assert connection.execute(sa.select(tables.tasks.c.parked)).scalar_one()
        assert tasks.next_due_us(connection) is None


def test_the_round_rises_only_when_a_step_is_planned_anew(database: Database) -> None:
    (first,) = _due(database)

    def touch(transaction: Transaction, request: StringValue) -> Message:
        for state in request.value.split():
            deal = _load(transaction.connection, "deals/1")
            assert deal is not None
            _save(transaction, replace(deal, state=state))
        return Empty()

    operation = Operation("tests.Touch", Empty, run=touch)
    _run(database, operation, "NEW NEW")
    (same,) = _due(database)
    assert same.request_id == first.request_id
    _run(database, operation, "COVERED NEW")
    (anew,) = _due(database)
    assert (anew.step, anew.request_id != first.request_id) == ("cover", True)
    assert _settle(database, first, Empty()) == Empty()
    assert _state(database) == "NEW"
    assert tasks.request_of(anew).request_id == anew.request_id


def test_a_reaction_that_leaves_its_step_owed_is_a_bug(database: Database) -> None:
    _run(database, Operation("tests.Create", Empty, run=_create), "stuck")
    (stuck,) = (task for task in _due(database) if task.resource == "deals/stuck")
    assert isinstance(_settle(database, stuck, Empty()), AssertionError)


def _refuse(_transaction: Transaction, _deal: Deal, _step: str, outcome: Outcome) -> None:
    """Nothing can be done about an outcome yet: a refusal is raised, and the call stays owed."""
    raise outcome if isinstance(outcome, DomainError) else NotFound(resource="ours")


def _fail(_transaction: Transaction, _deal: Deal, _step: str, _outcome: Outcome) -> None:
    raise ZeroDivisionError


def _leave(_transaction: Transaction, _deal: Deal, _step: str, _outcome: Outcome) -> None:
    """The step is still owed afterwards."""


def _changing_then_failing(transaction: Transaction, deal: Deal, _step: str, _outcome: Outcome) -> None:
    _save(transaction, replace(deal, state="PAID"))
    transaction.append("deal.paid", deal.name, Empty(), ["banks/X"])
    raise ZeroDivisionError


async def _attempts(
    database: Database, react: Any, wanted: int, attempts: int = 0, *, answer: Message | None = None
) -> tuple[Task, int, float]:
    """The task once a runner has made so many attempts on it, how often it made the call, and in how many seconds."""
    calls, started = 0, time.monotonic()

    async def send(task: Task) -> Message:
        nonlocal calls
        calls += 1
        if answer is not None:
            return answer
        raise NotFound(resource=task.resource)

    with database.write() as connection:
        connection.execute(sa.update(tables.tasks).values(attempts=attempts, due_us=0))
    writer = Writer(database)
    writer.start()
    runner = Runner(database, writer, {"deal": replace(SAGA, react=react)}, send, SystemClock(), system_random)
    running = asyncio.create_task(runner.run())
    while (made := _task(database).attempts) < wanted and time.monotonic() < started + PATIENCE_SECONDS:
        await asyncio.sleep(0.01)
    seconds = time.monotonic() - started
    assert made >= wanted
    # What is parked is left alone: a runner that goes on would make the next call by now.
    await asyncio.sleep(2 * tasks.FIRST_RETRY_SECONDS if wanted == tasks.PARK_AFTER_ATTEMPTS else 0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await writer.stop()
    return _task(database), calls, seconds


def _task(database: Database) -> Task:
    with database.read() as connection:
        (row,) = connection.execute(sa.select(tables.tasks)).mappings()
    return Task(**row)


async def test_an_answer_that_we_refuse_ourselves_is_asked_for_under_the_same_id(database: Database) -> None:
    """T4: the callee did what it was asked to, and would do it once more; what it refused is asked for anew."""
    first, (refused, _, _) = _task(database).request_id, await _attempts(database, _refuse, 2)
    assert refused.request_id != first
    answered, _, _ = await _attempts(database, _refuse, 2, answer=Empty())
    assert (answered.request_id, answered.failure) == (refused.request_id, "NOT_FOUND")


@pytest.mark.parametrize("react", [_refuse, _fail, _leave, _changing_then_failing])
async def test_a_reaction_that_fails_counts_as_an_attempt(database: Database, react: Any) -> None:
    """T2: after 0, 0.2, 0.6, 1.4 and 3 seconds, each wait a quarter more or less, instead of five times a second."""
    task, calls, seconds = await _attempts(database, react, 4)
    # One more call may be under way when the runner ends.
    assert task.attempts >= 4
    assert calls - task.attempts in (0, 1)
    assert seconds >= sum(tasks.retry_us(task, attempts) for attempts in (1, 2, 3)) / 1_000_000
    assert (_state(database), task.step, task.parked) == ("NEW", "cover", None)
    with database.read() as connection:
        assert connection.execute(sa.select(tables.events)).all() == []


@pytest.mark.parametrize(
    ("react", "why"), [(_refuse, "deals/1"), (_fail, "ZeroDivisionError"), (_leave, "AssertionError")]
)
async def test_a_reaction_that_goes_on_failing_waits_for_a_person(database: Database, react: Any, why: str) -> None:
    """T2: after the last attempt the task is parked with the reason, which is no violation."""
    task, calls, _ = await _attempts(database, react, tasks.PARK_AFTER_ATTEMPTS, tasks.PARK_AFTER_ATTEMPTS - 1)
    assert (task.attempts, calls) == (tasks.PARK_AFTER_ATTEMPTS, 1)
    with database.read() as connection:
        assert tasks.parked(connection) == [task]
        assert tasks.violations(connection, {"deal": SAGA}) == []
    assert task.parked is not None
    assert task.parked.startswith(why)
