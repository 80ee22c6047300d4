"""Branches and times of tasks on both databases: legs go on beside each other, each at its time, under its own id."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
import sqlalchemy as sa
from aval.loans.v1 import loans_pb2
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import StringValue

from chassis import records, tables, tasks
from chassis.command import Operation, Transaction
from chassis.database import Database
from chassis.errors import NotFound, ServiceUnavailable
from chassis.ids import derived
from chassis.tasks import Call, Outcome, Saga, Task
from chassis.writer import run_batch
from tests.support import NOW_US, Stores, submission

DAY_US = 24 * 3600 * 1_000_000
# Branch, step and not before.
Leg = tuple[str, str, int]


@dataclass(frozen=True)
class Letter:
    """A letter of credit whose legs are written in its row: JSON of branch, step and not before."""

    id: str
    revision: int
    legs: str

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"letters/{self.id}"


LETTERS = records.table("letters", Letter, sa.MetaData())


def _plan(letter: Letter) -> Sequence[Call]:
    request = loans_pb2.SignLoanRequest(name=letter.name)
    return [
        Call(step, "loans", "SignLoan", request, "banks/X", not_before_us=not_before_us, branch=branch)
        for branch, step, not_before_us in json.loads(letter.legs)
    ]


def _load(connection: sa.Connection, name: str) -> Letter | None:
    return records.one(connection, LETTERS, Letter, LETTERS.c.id == name.removeprefix("letters/"))


def _react(transaction: Transaction, letter: Letter, step: str, _outcome: Outcome) -> None:
    left = [leg for leg in json.loads(letter.legs) if leg[1] != step]
    saved = records.update(transaction.connection, LETTERS, replace(letter, legs=json.dumps(left)))
    tasks.follow(transaction, "letter", _plan, saved)


def _unfinished(connection: sa.Connection) -> Iterable[Letter]:
    return records.many(connection, sa.select(LETTERS), Letter)


SAGAS = {"letter": Saga("letter", _load, _plan, _react, _unfinished)}
SETTLE = tasks.settle_operation(SAGAS)


def _set(transaction: Transaction, request: StringValue) -> Message:
    """Gives letter 1 its legs."""
    letter = _load(transaction.connection, "letters/1")
    if letter is None:
        letter = Letter("1", 1, request.value)
        records.insert(transaction.connection, LETTERS, letter)
    else:
        letter = records.update(transaction.connection, LETTERS, replace(letter, legs=request.value))
    tasks.follow(transaction, "letter", _plan, letter)
    return Empty()


SET = Operation("tests.Set", Empty, run=_set)


class Books:
    """A store with one letter, whose legs the tests set."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def owes(self, *legs: Leg, now_us: int = NOW_US) -> None:
        """Gives the letter these legs: branch, step and not before."""
        command = submission(SET, json.dumps(legs), now_us=now_us)
        assert run_batch(self.database, [command])[command] == Empty()

    def settle(self, task: Task, outcome: Outcome, now_us: int = NOW_US) -> object:
        """Brings an outcome to the writer."""
        command = tasks.settlement(SETTLE, task, outcome, now_us, b"seed")
        return run_batch(self.database, [command])[command]

    def tasks(self) -> dict[str, Task]:
        """The standing tasks by branch, which agree with the plan."""
        with self.database.read() as connection:
            assert tasks.violations(connection, SAGAS) == []
            rows = connection.execute(sa.select(tables.tasks)).mappings().all()
        return {row["branch"]: Task(**row) for row in rows}

    def due(self, now_us: int = NOW_US) -> list[str]:
        """The branches whose time has come."""
        with self.database.read() as connection:
            return sorted(task.branch for task in tasks.due(connection, now_us))


@pytest.fixture
def books(store: Stores) -> Books:
    database = store()
    with database.write() as connection:
        LETTERS.metadata.create_all(connection)
    return Books(database)


def test_the_legs_of_a_letter_go_on_beside_each_other(books: Books) -> None:
    books.owes(("goods", "examine", 0), ("fee", "collect", 0), ("", "advise", 0))
    assert books.due() == ["", "fee", "goods"]
    before = books.tasks()
    books.settle(before["fee"], Empty())
    assert books.tasks() == {branch: before[branch] for branch in ("", "goods")}
    books.settle(before["goods"], ServiceUnavailable(service="loans"))
    waiting = books.tasks()["goods"]
    assert (waiting.attempts, waiting.request_id) == (1, before["goods"].request_id)
    assert (books.due(), books.tasks()[""]) == ([""], before[""])


def test_each_branch_has_ids_of_its_own_and_the_one_leg_of_a_resource_keeps_its_ids(books: Books) -> None:
    books.owes(("", "advise", 0), ("fee", "collect", 0))
    standing = books.tasks()
    assert standing[""].request_id == derived("letters/1", "advise", 1)
    assert standing["fee"].request_id == derived("letters/1", "fee", "collect", 1)
    assert replace(standing["fee"], branch="other").request_id != standing["fee"].request_id


def test_what_is_due_later_stands_in_its_row_until_then(books: Books) -> None:
    later_us = NOW_US + 5 * DAY_US
    books.owes(("", "pay", later_us))
    (task,) = books.tasks().values()
    assert (task.not_before_us, task.since_us, task.due_us) == (later_us, later_us, later_us)
    with books.database.read() as connection:
        assert tasks.next_due_us(connection, NOW_US) == later_us
        assert tasks.next_due_us(connection, later_us) is None
    assert books.due(later_us - 1) == []
    assert books.due(later_us) == [""]


@pytest.mark.parametrize("moved_us", [NOW_US + 2 * DAY_US, NOW_US + 9 * DAY_US, 0])
def test_another_not_before_rewrites_the_row_under_the_same_request_id(books: Books, moved_us: int) -> None:
    books.owes(("", "pay", NOW_US + 5 * DAY_US))
    (before,) = books.tasks().values()
    books.owes(("", "pay", moved_us))
    (after,) = books.tasks().values()
    due_us = max(moved_us, NOW_US)
    assert after == replace(before, not_before_us=moved_us, since_us=due_us, due_us=due_us)
    assert after.request_id == before.request_id


def test_the_same_time_again_leaves_the_row_with_its_attempts(books: Books) -> None:
    books.owes(("", "pay", NOW_US))
    books.settle(books.tasks()[""], ServiceUnavailable(service="loans"))
    before = books.tasks()
    books.owes(("", "pay", NOW_US), now_us=NOW_US + 1000)
    assert books.tasks() == before


def test_a_parked_call_with_a_new_time_is_made_again(books: Books) -> None:
    books.owes(("", "pay", 0))
    tried = replace(books.tasks()[""], attempts=tasks.PARK_AFTER_ATTEMPTS - 1)
    books.settle(tried, ServiceUnavailable(service="loans"))
    assert books.tasks()[""].parked
    books.owes(("", "pay", NOW_US + DAY_US))
    after = books.tasks()[""]
    assert (after.parked, after.failure, after.attempts, books.due(NOW_US + DAY_US)) == (None, None, 0, [""])


def test_an_outcome_on_its_way_while_the_call_is_put_off_waits_for_the_new_time(books: Books) -> None:
    books.owes(("", "pay", 0))
    (under_way,) = books.tasks().values()
    books.owes(("", "pay", NOW_US + DAY_US))
    books.settle(under_way, ServiceUnavailable(service="loans"))
    after = books.tasks()[""]
    assert (after.due_us, after.attempts) == (NOW_US + DAY_US, 1)
    # It did happen, as the second try finds out: the answer counts.
    assert books.settle(under_way, Empty()) == Empty()
    assert books.tasks() == {}


def test_another_step_of_a_branch_is_a_new_round(books: Books) -> None:
    books.owes(("fee", "collect", 0), ("", "advise", 0))
    before = books.tasks()
    books.owes(("fee", "refund", 0), ("", "advise", 0))
    books.owes(("fee", "collect", 0), ("", "advise", 0))
    after = books.tasks()
    assert after["fee"].request_id != before["fee"].request_id
    assert after[""] == before[""]
    assert books.settle(before["fee"], Empty()) == Empty()
    assert books.tasks() == after


@pytest.mark.parametrize("between", [[("", "examine", 0)], []], ids=["another step", "nothing"])
def test_a_step_planned_anew_never_uses_an_id_that_a_refused_round_used(books: Books, between: list[Leg]) -> None:
    """T4: a step planned anew never uses an id that a refused round used, whatever was owed between."""
    books.owes(("", "advise", 0))
    used = set()
    for _attempt in range(4):
        (task,) = books.tasks().values()
        used.add(task.request_id)
        counting = tasks.settlement(tasks.postpone_operation(), task, NotFound(resource="x"), NOW_US, b"seed")
        run_batch(books.database, [counting])
    used.add(books.tasks()[""].request_id)
    assert len(used) == 5
    for _between in range(8):
        books.owes(*between)
        books.owes(("", "advise", 0))
        assert books.tasks()[""].request_id not in used
        used.add(books.tasks()[""].request_id)


def test_two_calls_of_one_branch_or_step_are_a_fault_of_the_plan() -> None:
    for legs in ([("a", "x", 0), ("a", "y", 0)], [("a", "x", 0), ("b", "x", 0)]):
        with pytest.raises(AssertionError, match="letters/1 owes two calls"):
            tasks.calls_of(_plan, Letter("1", 1, json.dumps(legs)))


def test_the_row_keeps_the_business_date_of_the_transaction(books: Books) -> None:
    books.owes(("", "pay", 0))
    assert books.tasks()[""].business_date == "2027-01-15"


PLANTED: Mapping[str, tuple[Mapping[str, Any], Sequence[str]]] = {
    "a branch that isn't owed": (
        {"branch": "goods"},
        ["tasks: letters/1 owes pay, its task is None", "tasks: letters/1 (goods) owes None, its task is pay"],
    ),
    "another step": ({"step": "collect"}, ["tasks: letters/1 owes pay, its task is collect"]),
    "another time": (
        {"not_before_us": NOW_US},
        ["tasks: letters/1 owes pay, its task is pay not before 2027-01-15T08:00:00+00:00"],
    ),
    "another resource": (
        {"resource": "letters/2"},
        ["tasks: letters/1 owes pay, its task is None", "tasks: letters/2 owes None, its task is pay"],
    ),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_a_task_that_differs_from_its_plan_is_found(books: Books, planted: str) -> None:
    """T1: another branch, step or time than the plan's is named."""
    values, told = PLANTED[planted]
    books.owes(("", "pay", 0))
    with books.database.write() as connection:
        connection.execute(sa.update(tables.tasks).values(values))
    with books.database.read() as connection:
        assert tasks.violations(connection, SAGAS) == told


def test_tasks_that_disagree_with_their_plans_are_found(books: Books) -> None:
    """T1: a call that is owed by the plan and has no task is named."""
    books.owes(("", "pay", 0))
    with books.database.write() as connection:
        connection.execute(sa.delete(tables.tasks))
    with books.database.read() as connection:
        assert tasks.violations(connection, SAGAS) == ["tasks: letters/1 owes pay, its task is None"]


def test_a_peer_has_so_many_calls_at_once_whatever_the_others_owe(books: Books) -> None:
    """A thousand calls owed to loans for long leave their turn to the one of settlement."""
    books.owes(("", "pay", 0))
    (task,) = books.tasks().values()
    row = {name: getattr(task, name) for name in tables.tasks.c.keys()}  # noqa: SIM118
    late = [row | {"resource": f"letters/{number}", "due_us": number} for number in range(1000)]
    with books.database.write() as connection:
        connection.execute(sa.delete(tables.tasks))
        connection.execute(sa.insert(tables.tasks), late)
        connection.execute(sa.insert(tables.tasks).values(row | {"resource": "letters/s", "service": "settlement"}))
    with books.database.read() as connection:
        due = tasks.due(connection, NOW_US)
        assert [task.resource for task in due] == [*(f"letters/{n}" for n in range(tasks.AT_ONCE)), "letters/s"]
        beside = tasks.due(connection, NOW_US, due[50 : tasks.AT_ONCE])
        assert [task.resource for task in beside] == [*(f"letters/{n}" for n in range(50)), "letters/s"]
        full = tasks.due(connection, NOW_US, due[: tasks.AT_ONCE])
        assert [task.resource for task in full] == ["letters/s"]
        parked = sa.update(tables.tasks).where(tables.tasks.c.service == "loans").values(parked="no")
    with books.database.write() as connection:
        connection.execute(parked)
    with books.database.read() as connection:
        assert [task.resource for task in tasks.due(connection, NOW_US)] == ["letters/s"]
