"""Jobs: what the end of a business date does to many rows, in steps that hold the writer up for a moment only.

A date that was left is closed once all its jobs are done. How far each has come is a row of its job, date and
partition, written in the transaction of the step itself: after any death the next step goes on where the last one
ended. Dates are closed one after the other, however many were left at once.
"""

import datetime
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from chassis import business_date, tables
from chassis.business_date import DAY, BusinessDate
from chassis.clock import Clock
from chassis.command import Operation, Submission, Transaction
from chassis.database import Database
from chassis.identity import service_caller
from chassis.ids import RandomBytes
from chassis.writer import run_batch

# A step takes at most so long in the writer; it aims at half of that.
STEP_NANOSECONDS = 50_000_000
FIRST_ROWS = 10
MOST_ROWS = 1000

Stopwatch = Callable[[], int]


def _one_partition(_connection: sa.Connection) -> Sequence[str]:
    return ("",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which rows a step asks for: what the end of `date` changes, in a partition, after a key, at most so many."""

    date: datetime.date
    partition: str = ""
    after: str = ""
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Work that the end of a date has with rows.

    `select` gives the rows of a page that are still to be changed, by key; `apply` changes them, so that `select` gives
    them no more, and appends one event at most. `partitions` are worked off one after the other, in their order.
    """

    name: str
    select: Callable[[sa.Connection, Page], Sequence[Any]]
    key: Callable[[Any], str]
    apply: Callable[[Transaction, datetime.date, Sequence[Any]], None]
    partitions: Callable[[sa.Connection], Sequence[str]] = _one_partition


@dataclass(slots=True)
class Pace:
    """How many rows a step takes, by how long the steps before it took."""

    rows: int = FIRST_ROWS

    def learn(self, rows: int, nanoseconds: int) -> None:
        """Takes in a step: 10 rows in 5 ms make it 20, the most at once; 100 rows in 100 ms make it 25."""
        if rows:
            fitting = rows * STEP_NANOSECONDS // (2 * max(nanoseconds, 1))
            self.rows = min(max(fitting, 1), 2 * self.rows, MOST_ROWS)


@dataclass(slots=True)
class Step:
    """A step on its way through the writer, which fills in what it had to do, and whether that was all."""

    is_last: bool = True
    rows: int = 0
    nanoseconds: int = 0


@dataclass(frozen=True, slots=True)
class _Due:
    """The rows that a step finds."""

    job: Job
    page: Page
    rows: Sequence[Any] = field(default_factory=tuple)

    @property
    def cursor(self) -> str:
        return self.job.key(self.rows[-1]) if self.rows else self.page.after


class Closing:
    """Closes the dates of a store that were left, a step at a time."""

    def __init__(
        self,
        service: str,
        jobs: Sequence[Job],
        store: Database,
        clock: Clock,
        random: RandomBytes,
        stopwatch: Stopwatch = time.perf_counter_ns,
    ) -> None:
        self._jobs, self._store, self._clock, self._random = jobs, store, clock, random
        self._stopwatch, self._caller, self.pace = stopwatch, service_caller(service), Pace()
        # One process at a time.
        lock = f"jobs/{service}"
        self._operation = Operation(
            "close date", Empty, run=self._run, names=lambda _step: [lock], keeps_requests=False
        )

    def submission(self) -> Submission:
        """Returns the next step, for the writer; nothing happens where no date was left."""
        return Submission(self._operation, self._caller, Step(), "", self._clock.now_us(), self._random(16))

    def run(self) -> None:
        """Closes all dates that were left, beside a running process or without one. Raises what a step fails with."""
        step = Step(is_last=False)
        while not step.is_last:
            submission = self.submission()
            outcome, step = run_batch(self._store, [submission])[submission], submission.request
            if isinstance(outcome, Exception):
                raise outcome

    def advance(self, until: datetime.date) -> BusinessDate:
        """Leaves the dates before `until`; a date whose end changes nothing is closed at once. Raises DateNotAhead."""
        with self._store.write() as connection:
            row = business_date.advance(connection, until, self._clock.now_us())
            _next_due(connection, self._jobs, 1)
            return row

    def _run(self, transaction: Transaction, step: Step) -> Message:
        started = self._stopwatch()
        due = _next_due(transaction.connection, self._jobs, self.pace.rows)
        step.rows = len(due.rows) if due else 0
        if due:
            told = len(transaction.events)
            due.job.apply(transaction, due.page.date, due.rows)
            assert len(transaction.events) <= told + 1, f"{due.job.name} tells more than one event a step"
            _save(transaction.connection, due)
        step.is_last = due is None and _left(transaction.connection) is None
        step.nanoseconds = self._stopwatch() - started
        self.pace.learn(step.rows, step.nanoseconds)
        return Empty()


def _next_due(connection: sa.Connection, jobs: Sequence[Job], limit: int) -> _Due | None:
    """Returns the next rows that the end of a date changes; marks on the way what is done. Without any it is closed."""
    date = _left(connection)
    if date is None:
        return None
    for due in _pages(connection, jobs, date, limit):
        if due.rows:
            return due
        _save(connection, due)
    business_date.mark_closed(connection, date)
    return None


def _left(connection: sa.Connection) -> datetime.date | None:
    """Returns the earliest date that was left and isn't closed."""
    row = business_date.load(connection)
    return row.closed_date + DAY if row and row.is_closing else None


def _pages(connection: sa.Connection, jobs: Sequence[Job], date: datetime.date, limit: int) -> Iterator[_Due]:
    """Yields the next rows of each partition of each job that isn't done with a date."""
    progress = _progress(connection, date)
    for job in jobs:
        for partition in job.partitions(connection):
            cursor, is_done = progress.get((job.name, partition), ("", False))
            if not is_done:
                page = Page(date=date, partition=partition, after=cursor, limit=limit)
                yield _Due(job, page, job.select(connection, page))


def _progress(connection: sa.Connection, date: datetime.date) -> dict[tuple[str, str], tuple[str, bool]]:
    """Returns how far jobs have come with a date, by job and partition: the cursor, and whether that is all."""
    rows = tables.jobs
    query = sa.select(rows).where(rows.c.date == date.isoformat())
    return {(row.job, row.partition): (row.cursor, row.is_done) for row in connection.execute(query)}


def _save(connection: sa.Connection, due: _Due) -> None:
    """Writes down how far a partition has come. A page that isn't full was its last."""
    rows, page = tables.jobs, due.page
    key = {"job": due.job.name, "date": page.date.isoformat(), "partition": page.partition}
    values = {"cursor": due.cursor, "is_done": len(due.rows) < page.limit}
    this = sa.and_(*(rows.c[name] == value for name, value in key.items()))
    if connection.execute(sa.update(rows).where(this).values(**values)).rowcount == 0:
        connection.execute(sa.insert(rows).values(**key, **values))


def violations(connection: sa.Connection, jobs: Sequence[Job]) -> list[str]:
    """Returns where a job says that it is done with a date and isn't, or the other way round.

    "jobs: end of policies is done with 2026-11-30, but 0194… remains".
    """
    row = business_date.load(connection)
    if row is None:
        return []
    return [text for job in jobs for text in (*_left_over(connection, job), *_undone(connection, job, row))]


def _left_over(connection: sa.Connection, job: Job) -> Iterator[str]:
    """Yields the rows that should have been changed by the newest date that a partition is done with."""
    rows = tables.jobs
    newest = sa.select(rows.c.partition, sa.func.max(rows.c.date).label("date"))
    newest = newest.where(rows.c.job == job.name, rows.c.is_done).group_by(rows.c.partition)
    for partition, date in connection.execute(newest):
        page = Page(date=datetime.date.fromisoformat(date), partition=partition, limit=1)
        for remaining in job.select(connection, page):
            yield f"jobs: {job.name} is done with {date}, but {job.key(remaining)} remains"


def _undone(connection: sa.Connection, job: Job, row: BusinessDate) -> Iterator[str]:
    """Yields the closed dates that the job isn't done with, though it has begun."""
    rows = tables.jobs
    query = sa.select(rows.c.date, rows.c.partition).where(rows.c.job == job.name, rows.c.is_done.is_(False))
    for date, partition in connection.execute(query.where(rows.c.date <= row.closed_date.isoformat())):
        yield f"jobs: {date} is closed, but {job.name} isn't done with it{' in ' if partition else ''}{partition}"
