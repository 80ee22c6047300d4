"""The writer, on both databases: once and only once, whatever is sent twice, refused, broken or raced."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import StringValue

from chassis import eventlog, identity, tables
from chassis.command import Operation, Submission, Transaction
from chassis.database import Database
from chassis.errors import Contended, DomainError, NotFound, RequestIdReused, WrongState
from chassis.records import Conflict
from chassis.status import RemoteError
from chassis.testing import PostgreSQL
from chassis.writer import Writer, run_batch
from tests.support import Stores, migrate, scalar, submission

notes = sa.Table("notes", sa.MetaData(), sa.Column("text", sa.Text, nullable=False))
counters = sa.Table(
    "counters", notes.metadata, sa.Column("id", sa.BigInteger, primary_key=True), sa.Column("value", sa.BigInteger)
)


def _write_note(transaction: Transaction, request: StringValue) -> Message:
    transaction.connection.execute(sa.insert(notes).values(text=request.value))
    transaction.append("note.written", f"notes/{request.value}", request, [transaction.caller.tenant])
    if request.value.startswith("refuse"):
        raise WrongState(resource=request.value, state="CLOSED")
    if request.value.startswith("break"):
        raise ZeroDivisionError(request.value)
    return StringValue(value=transaction.ids.resource(request.value))


def _write_notes(work: Sequence[tuple[Transaction, Any]]) -> Sequence[Message | DomainError]:
    if any(request.value.startswith("break") for _, request in work):
        raise ZeroDivisionError
    return [_write_note(transaction, request) for transaction, request in work]


NOTE = Operation("tests.Note", StringValue, run=_write_note)
NOTES = Operation("tests.Notes", StringValue, run_batch=_write_notes)
SERVICE = identity.service_caller("loans", "banks/ABCDCNBA/alice", "banks/ABCDCNBA")


class CountingDatabase(Database):
    """A store that counts its transactions."""

    writes = 0

    @contextlib.contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """One more."""
        self.writes += 1
        with super().write() as connection:
            yield connection


@pytest.fixture
def database(store: Stores) -> Database:
    """A store with room for notes and a counter."""
    opened = store()
    with opened.write() as connection:
        notes.metadata.create_all(connection)
        connection.execute(sa.insert(counters).values(id=1, value=0))
    return opened


def _outcomes(database: Database, *submissions: Submission) -> list[Any]:
    answered = run_batch(database, submissions)
    with database.read() as connection:
        assert eventlog.violations(connection) == []
    return [answered[each] for each in submissions]


def _answer(database: Database, each_submission: Submission) -> bytes:
    outcome = run_batch(database, [each_submission])[each_submission]
    assert isinstance(outcome, Message)
    return outcome.SerializeToString()


def _written(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.scalars(sa.select(notes.c.text).order_by(notes.c.text)))


def _events(database: Database) -> list[str]:
    with database.read() as connection:
        return [event.resource for event in eventlog.read(connection, "", 0).events]


def test_the_same_request_again_gets_the_same_answer(database: Database) -> None:
    """Q1: the answer is the first one's, and nothing is written or told again."""
    (first,) = _outcomes(database, submission(NOTE, "a", "r1"))
    (again,) = _outcomes(database, submission(NOTE, "a", "r1", now_us=1))
    assert first == again
    assert _written(database) == ["a"]
    assert _events(database) == ["notes/a"]


def test_other_content_under_the_same_id_is_refused(database: Database) -> None:
    """Q1: other text or another method under a used request id is refused."""
    _outcomes(database, submission(NOTE, "a", "r1"))
    outcomes = _outcomes(database, submission(NOTE, "b", "r1"), submission(NOTES, "a", "r1"))
    assert [type(outcome) for outcome in outcomes] == [RequestIdReused] * 2
    assert _written(database) == ["a"]


def test_an_id_belongs_to_its_caller(database: Database) -> None:
    other = identity.Caller("banks/OTHERCNB/bob", "banks/OTHERCNB")
    first, second = _outcomes(database, submission(NOTE, "a", "r1"), submission(NOTE, "b", "r1", other))
    assert first != second
    assert _written(database) == ["a", "b"]


@pytest.mark.parametrize("operation", [NOTE, NOTES])
def test_of_twins_in_one_batch_one_runs_and_both_are_answered(database: Database, operation: Operation) -> None:
    twins = [submission(operation, "a", "r1") for _ in range(3)] + [submission(operation, "b", "r1")]
    *same, reused = _outcomes(database, *twins)
    assert same == [same[0]] * 3
    assert isinstance(same[0], StringValue)
    assert isinstance(reused, RequestIdReused)
    assert _written(database) == ["a"]


def test_a_thousand_twins_are_answered(database: Database) -> None:
    outcomes = _outcomes(database, *(submission(NOTE, "a", "r1") for _ in range(1000)))
    assert {outcome.SerializeToString() for outcome in outcomes} == {outcomes[0].SerializeToString()}
    assert _written(database) == ["a"]


def test_twins_of_what_is_answered_take_one_transaction(database: Database) -> None:
    counting = CountingDatabase(database.url, database.schema)
    # The first batch of a day moves the business date before.
    _outcomes(database, submission(NOTE, "first"))
    _outcomes(counting, *(submission(NOTE, "a", "r1") for _ in range(20)))
    assert counting.writes == 2
    counting.close()


def test_a_refused_twin_leaves_the_id_free_for_its_brother(database: Database) -> None:
    refused, passed = _outcomes(database, submission(NOTE, "refuse", "r1"), submission(NOTE, "a", "r1"))
    assert isinstance(refused, WrongState)
    assert isinstance(passed, StringValue)


def test_a_refusal_fails_only_its_own_command_and_leaves_nothing(database: Database) -> None:
    first, refused, last = _outcomes(database, *(submission(NOTE, text) for text in ("a", "refuse", "b")))
    assert isinstance(refused, WrongState)
    assert {type(first), type(last)} == {StringValue}
    assert _written(database) == ["a", "b"]
    assert _events(database) == ["notes/a", "notes/b"]
    assert scalar(database, sa.select(sa.func.count()).select_from(tables.requests)) == 2


@pytest.mark.parametrize("operation", [NOTE, NOTES])
def test_a_bug_in_one_command_does_not_hurt_the_others(database: Database, operation: Operation) -> None:
    first, broken, last = _outcomes(database, *(submission(operation, text) for text in ("a", "break", "b")))
    assert isinstance(broken, ZeroDivisionError)
    assert {type(first), type(last)} == {StringValue}
    assert _written(database) == ["a", "b"]
    assert _events(database) == ["notes/a", "notes/b"]


def test_a_bug_while_rows_are_named_does_not_hurt_the_others(database: Database) -> None:
    nameless = Operation("tests.Nameless", StringValue, run=_write_note, names=lambda request: request.missing)
    first, broken = _outcomes(database, submission(NOTE, "a"), submission(nameless, "b"))
    assert isinstance(first, StringValue)
    assert isinstance(broken, AttributeError)
    assert _written(database) == ["a"]


def test_an_error_of_the_database_fails_only_its_own_command(database: Database) -> None:
    def clash(transaction: Transaction, _request: StringValue) -> Message:
        transaction.connection.execute(sa.insert(counters).values(id=1, value=0))
        return StringValue()

    outcomes = _outcomes(database, submission(NOTE, "a"), submission(Operation("tests.Clash", StringValue, run=clash)))
    assert isinstance(outcomes[0], StringValue)
    assert isinstance(outcomes[1], sa.exc.IntegrityError)
    assert _written(database) == ["a"]


def test_an_error_of_the_bare_driver_is_tried_again(database: Database) -> None:
    failures = [psycopg.errors.DeadlockDetected("chosen as the victim")]

    def unlucky(transaction: Transaction, request: StringValue) -> Message:
        if failures:
            raise failures.pop()
        return _write_note(transaction, request)

    (outcome,) = _outcomes(database, submission(Operation("tests.Unlucky", StringValue, run=unlucky), "a"))
    assert isinstance(outcome, StringValue)
    assert _written(database) == ["a"]


def test_a_services_refusal_is_kept_and_an_outsiders_is_not(database: Database) -> None:
    open_now = False

    def gate(transaction: Transaction, request: StringValue) -> Message:
        if not open_now:
            raise NotFound(resource="gates/1")
        return _write_note(transaction, request)

    operation = Operation("tests.Gate", StringValue, run=gate)
    calls = [("r1", SERVICE), ("r2", identity.Caller("banks/X/x", "banks/X"))]
    first = _outcomes(database, *(submission(operation, "a", key, caller) for key, caller in calls))
    assert [type(outcome) for outcome in first] == [NotFound, NotFound]
    open_now = True
    kept, retried = _outcomes(database, *(submission(operation, "a", key, caller) for key, caller in calls))
    assert isinstance(kept, RemoteError)
    assert (kept.reason, kept.metadata) == ("NOT_FOUND", {"resource": "gates/1"})
    assert isinstance(retried, StringValue)


def test_identifiers_and_time_are_those_of_the_submission(database: Database) -> None:
    failures = [Conflict("once")]

    def conflicting(transaction: Transaction, request: StringValue) -> Message:
        answer = _write_note(transaction, request)
        drawn.append(answer)
        if failures:
            raise failures.pop()
        return answer

    drawn: list[Message] = []
    _outcomes(database, submission(Operation("tests.Conflicting", StringValue, run=conflicting), "a"))
    assert len(drawn) == 2
    assert drawn[0] == drawn[1]
    assert _written(database) == ["a"]


def test_events_are_dense_and_each_tenant_sees_its_own(database: Database) -> None:
    other = identity.Caller("banks/OTHERCNB/bob", "banks/OTHERCNB")
    _outcomes(database, submission(NOTE, "a"), submission(NOTE, "refuse"), submission(NOTE, "b", caller=other))
    _outcomes(database, submission(NOTE, "c"))
    with database.read() as connection:
        everything = eventlog.read(connection, "", 0)
        mine = eventlog.read(connection, everything.epoch, 0, tenant="banks/ABCDCNBA")
        rest = eventlog.read(connection, everything.epoch, 2)
    assert [event.position for event in everything.events] == [1, 2, 3]
    assert [event.resource for event in mine.events] == ["notes/a", "notes/c"]
    assert (mine.after_position, mine.through_position) == (0, 3)
    assert [event.position for event in rest.events] == [3]


def test_a_gap_in_the_events_is_found(database: Database) -> None:
    """E1: a position that is missing below the head is named."""
    _outcomes(database, *(submission(NOTE, text) for text in "abc"))
    with database.write() as connection:
        connection.execute(sa.delete(tables.events).where(tables.events.c.position == 2))
    with database.read() as connection:
        assert eventlog.violations(connection) == ["events: head 3, 2 rows from 1 to 3"]


async def test_the_writers_thread_answers_everybody_after_the_commit(database: Database) -> None:
    commits: list[None] = []
    writer = Writer(database, lambda: commits.append(None))
    writer.start()
    texts = [f"n{number}" for number in range(50)] + ["refuse"]
    work = (writer.submit(submission(NOTE, text)) for text in texts)
    answers = await asyncio.gather(*work, return_exceptions=True)
    await writer.stop()
    assert [isinstance(answer, StringValue) for answer in answers] == [True] * 50 + [False]
    assert sorted(_written(database)) == sorted(texts[:-1])
    assert 0 < len(commits) <= len(texts)


def _increase(transaction: Transaction, _request: StringValue) -> Message:
    """Reads, then writes only if nobody else did: what a record with a revision does."""
    value: int = transaction.connection.execute(sa.select(counters.c.value)).scalar_one()
    changed = sa.update(counters).where(counters.c.value == value).values(value=value + 1)
    if transaction.connection.execute(changed).rowcount != 1:
        raise Conflict
    return StringValue(value=str(value + 1))


@pytest.mark.parametrize("is_named", [True, False])
def test_two_writers_racing_on_one_row_lose_no_update(postgresql_server: PostgreSQL, is_named: bool) -> None:
    url, each = postgresql_server.new_database(), 25
    writers = [Database(url, "books") for _ in range(2)]
    migrate(writers[0])
    with writers[0].write() as connection:
        notes.metadata.create_all(connection)
        connection.execute(sa.insert(counters).values(id=1, value=0))
    names = (lambda _request: ["counters/1"]) if is_named else (lambda _request: [])
    operation = Operation("tests.Increase", StringValue, run=_increase, names=names)
    answers: list[list[Any]] = [[], []]

    def work(index: int) -> None:
        start.wait()
        for _ in range(each):
            each_submission = submission(operation)
            answers[index].append(run_batch(writers[index], [each_submission])[each_submission])

    start = threading.Barrier(2)
    threads = [threading.Thread(target=work, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = [int(answer.value) for side in answers for answer in side if isinstance(answer, StringValue)]
    assert len(kept) == (2 * each if is_named else scalar(writers[0], sa.select(counters.c.value)))
    assert sorted(kept) == list(range(1, len(kept) + 1))
    assert len(kept) > each
    for database in writers:
        database.close()


def test_twins_in_two_processes_run_once(postgresql_server: PostgreSQL) -> None:
    url = postgresql_server.new_database()
    writers = [Database(url, "books") for _ in range(2)]
    migrate(writers[0])
    with writers[0].write() as connection:
        notes.metadata.create_all(connection)
    answers: list[Any] = []

    def work(database: Database) -> None:
        for number in range(20):
            start.wait()
            each_submission = submission(NOTE, "a", f"r{number}")
            answers.append((number, _answer(database, each_submission)))

    start = threading.Barrier(2)
    threads = [threading.Thread(target=work, args=(database,)) for database in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(answers)) == 20
    assert len(answers) == 40
    assert _written(writers[0]) == ["a"] * 20
    for database in writers:
        database.close()


def test_who_is_always_in_the_way_of_another_says_so(database: Database) -> None:
    """Not an internal error: the same request again may well succeed."""

    def conflicting(_transaction: Transaction, _request: StringValue) -> Message:
        raise Conflict

    (answer,) = _outcomes(database, submission(Operation("tests.Conflicting", StringValue, run=conflicting), "a"))
    assert isinstance(answer, Contended)


def test_a_thread_never_joins_anothers_transaction(database: Database) -> None:
    """While one thread's transaction is open, another thread's waits or stands beside it; one may still roll back."""
    is_open = threading.Event()

    def write_beside() -> None:
        is_open.wait()
        with database.write() as connection:
            connection.execute(sa.insert(notes).values(text="kept"))

    beside = threading.Thread(target=write_beside)
    beside.start()
    with database.write() as connection:
        connection.execute(sa.insert(notes).values(text="rolled back"))
        is_open.set()
        beside.join(timeout=0.3)
        connection.rollback()
    beside.join()
    assert _written(database) == ["kept"]
