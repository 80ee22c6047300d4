"""Group commit: the one way into the store.

Each process of a service has one writer. Its thread takes all waiting commands, runs them in one
durable transaction and answers them after the commit. A refusal fails only its own command.
"""

import asyncio
import datetime
import itertools
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import sqlalchemy as sa
from google.protobuf.message import Message
from opentelemetry import trace

from chassis import business_date, database, eventlog, requests
from chassis.command import Operation, Outcome, Submission, Transaction
from chassis.database import Database
from chassis.errors import BusinessDateAhead, Contended, DomainError, Overloaded
from chassis.keyring import KeyRing
from chassis.records import Conflict

MOST_COMMANDS = 1000
MOST_WAITING = 20_000
# Longer than it takes the loop to bring those who were just answered back.
COLLECT_SECONDS = 0.01
ATTEMPTS = 4
# The commit may have happened, or another writer was faster: the same again finds out.
RETRYABLE = (*database.Failure, Conflict)

# The transactions that stand, by what asked for them.
Done = dict[Submission, Transaction]

tracer = trace.get_tracer("aval.writer")


def run_batch(store: Database, submissions: Sequence[Submission]) -> dict[Submission, Outcome]:
    """Runs submissions in arrival order in one transaction, or in several where it must.

    Of twins in one batch the second waits for the first. After a lost connection or a deadlock the
    commit may have happened: the requests it stored answer, the rest run again. A batch that fails
    again runs command by command.
    """
    outcomes: dict[Submission, Outcome] = {}
    kept: set[requests.Key] = set()
    waiting = submissions
    while waiting:
        first, waiting = _without_twins(waiting, kept)
        answered = _run_robustly(store, first)
        kept |= {submission.key for submission in first if requests.is_kept(submission, answered[submission])}
        outcomes |= answered
    return outcomes


def _without_twins(
    submissions: Sequence[Submission], kept: AbstractSet[requests.Key]
) -> tuple[list[Submission], list[Submission]]:
    """Parts twins from the first of each request and those whose answer is kept."""
    seen: set[requests.Key] = set()
    first: list[Submission] = []
    twins: list[Submission] = []
    for submission in submissions:
        is_twin = submission.key in seen and submission.operation.keeps_requests
        (twins if is_twin else first).append(submission)
        if submission.key not in kept:
            seen.add(submission.key)
    return first, twins


def _run_robustly(store: Database, submissions: Sequence[Submission]) -> dict[Submission, Outcome]:
    for _attempt in range(2):
        try:
            return _run_once(store, submissions)
        except RETRYABLE:
            continue
        except Exception:
            # A bug outside any savepoint: alone, each command meets only its own.
            break
    outcomes: dict[Submission, Outcome] = {}
    for submission in submissions:
        outcomes |= _run_alone(store, submission)
    return outcomes


def _run_alone(store: Database, submission: Submission) -> dict[Submission, Outcome]:
    failure: Exception = Conflict()
    for _attempt in range(ATTEMPTS):
        try:
            return _run_once(store, [submission])
        except RETRYABLE as error:
            failure = error
        except Exception as bug:
            return {submission: bug}
    is_contended = isinstance(failure, Conflict) or database.is_contention(failure)
    return {submission: Contended() if is_contended else failure}


def _run_once(store: Database, submissions: Sequence[Submission]) -> dict[Submission, Outcome]:
    """Runs a batch as one transaction; the first one on a new day moves the business date before."""
    try:
        return _commit(store, submissions)
    except business_date.Behind:
        with store.write() as connection:
            business_date.follow(connection, submissions[0].now_us)
        return _commit(store, submissions)


def _commit(store: Database, submissions: Sequence[Submission]) -> dict[Submission, Outcome]:
    outcomes: dict[Submission, Outcome] = {}
    with store.write() as connection:
        # Before any other lock: who waits for this one holds nothing.
        date = business_date.of_batch(connection, submissions[0].now_us)
        names = (name for submission in submissions for name in submission.operation.names(submission.request))
        database.lock(connection, sorted(set(names)))
        stored = requests.load(connection, submissions, store.keys)
        for submission in submissions:
            if submission.key in stored and submission.operation.keeps_requests:
                outcomes[submission] = requests.replay(stored[submission.key], submission, store.keys)
        waiting = [submission for submission in submissions if submission not in outcomes]
        dates, ahead = _agree_dates(date, waiting)
        done: Done = {}
        bench = _Bench(connection, store.keys, dates)
        fresh = list(dates)
        for group in _groups(dates):
            _run_group(bench, group, outcomes, done)
        requests.store(connection, [(submission, outcomes[submission]) for submission in fresh], store.keys)
        eventlog.flush(connection, [event for transaction in done.values() for event in transaction.events])
    outcomes |= ahead
    for submission, transaction in done.items():
        submission.has_events, submission.has_tasks = bool(transaction.events), transaction.has_tasks
    return outcomes


def _agree_dates(
    date: datetime.date, submissions: Iterable[Submission]
) -> tuple[dict[Submission, datetime.date], dict[Submission, Outcome]]:
    """Returns the date on which each counts, and the refusals, which nobody keeps: those calls are made again."""
    dates: dict[Submission, datetime.date] = {}
    ahead: dict[Submission, Outcome] = {}
    for submission in submissions:
        try:
            dates[submission] = business_date.agreed(date, submission.caller_date)
        except BusinessDateAhead as refusal:
            ahead[submission] = refusal
    return dates, ahead


def _groups(dates: Mapping[Submission, datetime.date]) -> Iterator[list[Submission]]:
    """Yields consecutive submissions of one batchable operation and date together, each other one alone.

    A set-based step books all its work on one date.
    """

    def kind(submission: Submission) -> tuple[int, datetime.date]:
        counted = submission.operation if submission.operation.run_batch else submission
        return id(counted), dates[submission]

    for _, group in itertools.groupby(dates, key=kind):
        yield list(group)


@dataclass(frozen=True, slots=True)
class _Bench:
    """The connection and keys that the commands of one batch share, and the business date of each."""

    connection: sa.Connection
    keys: KeyRing
    dates: Mapping[Submission, datetime.date]

    def transaction(self, submission: Submission) -> Transaction:
        """Returns a command's transaction on this bench."""
        return submission.transaction(self.connection, self.dates[submission], self.keys)


def _run_group(bench: _Bench, group: list[Submission], outcomes: dict[Submission, Outcome], done: Done) -> None:
    operation = group[0].operation
    if operation.run_batch is None:
        _run_single(bench, group[0], operation, outcomes, done)
        return
    work = [bench.transaction(submission) for submission in group]
    results = operation.run_batch(list(zip(work, (s.work for s in group), strict=True)))
    outcomes.update(zip(group, results, strict=True))
    done.update(zip(group, work, strict=True))


def _run_single(
    bench: _Bench, submission: Submission, operation: Operation, outcomes: dict[Submission, Outcome], done: Done
) -> None:
    """Runs a submission in a savepoint of its own, so that a refusal leaves nothing behind."""
    assert operation.run is not None
    transaction = bench.transaction(submission)
    savepoint = bench.connection.begin_nested()
    try:
        outcomes[submission] = operation.run(transaction, submission.work)
    except DomainError as refusal:
        savepoint.rollback()
        outcomes[submission] = refusal
    except RETRYABLE:
        raise
    except Exception as bug:
        savepoint.rollback()
        outcomes[submission] = bug
    else:
        savepoint.commit()
        done[submission] = transaction


def _nothing() -> None:
    """Wakes nobody: nobody waits for it."""


class Writer:
    """The writer of one process: a queue and a thread."""

    def __init__(
        self, store: Database, appended: Callable[[], None] = _nothing, owed: Callable[[], None] = _nothing
    ) -> None:
        """`appended` is called on the loop after each commit that appended events, `owed` after one of tasks."""
        self._store, self._appended, self._owed = store, appended, owed
        self._waiting: queue.SimpleQueue[Submission | None] = queue.SimpleQueue()
        # Commands submitted and not yet answered: now, and at most since the last batch was collected.
        self._in_flight = self._most_in_flight = 0
        self._expected = 0
        self._is_enough = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Starts the thread; call inside the loop that will submit."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, name="writer", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Finishes what was submitted."""
        if self._thread:
            self._waiting.put(None)
            await asyncio.to_thread(self._thread.join)

    @property
    def in_flight(self) -> int:
        """Returns how many commands were submitted and aren't answered yet."""
        return self._in_flight

    async def submit(self, submission: Submission) -> Message:
        """Returns the answer, once it is durable. Raises the refusal, or what went wrong."""
        if self._waiting.qsize() >= MOST_WAITING:
            raise Overloaded
        future: asyncio.Future[Message] = self._loop.create_future()

        def answer(outcome: Outcome) -> None:
            if future.done():
                return
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

        submission.answer = answer
        self._in_flight += 1
        self._most_in_flight = max(self._most_in_flight, self._in_flight)
        self._waiting.put(submission)
        if self._waiting.qsize() >= self._expected:
            self._is_enough.set()
        return await future

    def _work(self) -> None:
        running = True
        with self._store.held():
            while running:
                batch, running = self._collect()
                if batch:
                    self._run(batch)

    def _collect(self) -> tuple[list[Submission], bool]:
        """Returns all commands that wait; under load also those that are about to."""
        first = self._waiting.get()
        if first is None:
            return [], False
        self._wait_for_company(first)
        batch = [first]
        while len(batch) < MOST_COMMANDS and not self._waiting.empty():
            item = self._waiting.get()
            if item is None:
                return batch, False
            batch.append(item)
        self._most_in_flight = self._in_flight
        return batch, True

    def _wait_for_company(self, first: Submission) -> None:
        """Waits until as many commands are queued as were in flight last time, or for a moment.

        A lone caller doesn't wait. It waits only where they can be done as one step: a commit of thirty costs little
        more than one of three.
        """
        self._expected = self._most_in_flight - 1
        if first.operation.run_batch is None or self._waiting.qsize() >= self._expected:
            return
        self._is_enough.clear()
        if self._waiting.qsize() < self._expected:
            self._is_enough.wait(COLLECT_SECONDS)

    def _run(self, batch: list[Submission]) -> None:
        links = [trace.Link(submission.span.get_span_context()) for submission in batch]
        with tracer.start_as_current_span("group commit", context=NO_PARENT, links=links) as span:
            span.set_attribute("aval.batch.commands", len(batch))
            try:
                outcomes = run_batch(self._store, batch)
            except Exception as failure:
                outcomes = dict.fromkeys(batch, failure)
        self._loop.call_soon_threadsafe(self._deliver, outcomes)

    def _deliver(self, outcomes: dict[Submission, Outcome]) -> None:
        self._in_flight -= len(outcomes)
        for submission, outcome in outcomes.items():
            if submission.answer:
                submission.answer(outcome)
        if any(submission.has_events for submission in outcomes):
            self._appended()
        if any(submission.has_tasks for submission in outcomes):
            self._owed()


NO_PARENT = trace.set_span_in_context(trace.INVALID_SPAN)
