"""Jobs of the end of a date, on both databases: all rows once, in short steps, whatever dies in between."""

import asyncio
import contextlib
import datetime
import pathlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from aval.credit_insurance.v1 import credit_insurance_pb2 as pb
from google.protobuf.empty_pb2 import Empty
from google.protobuf.wrappers_pb2 import Int64Value

from chassis import business_date, eventlog, jobs, rpc, tables
from chassis.clock import ManualClock, SystemClock
from chassis.command import Transaction
from chassis.database import Database
from chassis.jobs import MOST_ROWS, Closing, Job, Pace, Page
from chassis.testing import Platform
from chassis.writer import run_batch
from services.credit_insurance.service import SERVICE as CREDIT_INSURANCE
from tests.service.credit_insurance_world import CHECKER, MAKER, World, policy_request
from tests.support import Stores, seeded_random

PATIENCE_SECONDS = 30
DAY = datetime.timedelta(days=1)
TODAY = datetime.date(2026, 11, 30)
# Noon in China.
NOON_US = 1_796_011_200_000_000

offers = sa.Table(
    "offers",
    sa.MetaData(),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("bank", sa.Text, nullable=False),
    sa.Column("end_date", sa.Text, nullable=False),
    sa.Column("times_ended", sa.BigInteger, nullable=False),
)
BANKS = ("LMHFCNB0", "YUHECNB0")


def select(connection: sa.Connection, page: Page) -> Sequence[Any]:
    """The offers of a bank that end with a date and haven't ended yet."""
    rows = offers.c
    query = sa.select(offers).where(rows.end_date <= page.date.isoformat(), rows.times_ended == 0)
    query = query.where(rows.bank == page.partition, rows.id > page.after).order_by(rows.id).limit(page.limit)
    return connection.execute(query).all()


def end(transaction: Transaction, date: datetime.date, rows: Sequence[Any]) -> None:
    """Ends offers; tells how many, and by which end of a date."""
    this = offers.c.id.in_([row.id for row in rows])
    transaction.connection.execute(sa.update(offers).where(this).values(times_ended=offers.c.times_ended + 1))
    transaction.append("offers.ended", date.isoformat(), Int64Value(value=len(rows)), [])


END = Job(name="offers.end", select=select, key=lambda row: row.id, apply=end, partitions=lambda _connection: BANKS)


class Ticks:
    """A stopwatch: each reading is so many nanoseconds after the one before."""

    def __init__(self, nanoseconds: int = 1_000) -> None:
        self.nanoseconds, self._now = nanoseconds, 0

    def pass_by(self, nanoseconds: int) -> None:
        """Time that work takes."""
        self._now += nanoseconds

    def __call__(self) -> int:
        self._now += self.nanoseconds
        return self._now


class Killed(BaseException):
    """The process died."""


class DyingDatabase(Database):
    """A store whose process dies at a commit, before it or after it."""

    commits_left = 10**9
    dies_before = False

    @contextlib.contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """As the store's, until the last commit."""
        self.commits_left -= 1
        with super().write() as connection:
            yield connection
            if self.commits_left == 0 and self.dies_before:
                raise Killed
        if self.commits_left == 0:
            raise Killed


def filled(database: Database, counts: Sequence[int]) -> Database:
    """The store with so many offers of each bank that end today, and as many that end tomorrow."""
    with database.write() as connection:
        offers.metadata.create_all(connection)
        business_date.follow(connection, NOON_US)
        rows = [
            {"id": f"{bank}-{day}-{number:04}", "bank": bank, "end_date": (TODAY + day * DAY).isoformat()}
            for bank, count in zip(BANKS, counts, strict=True)
            for day in (0, 1)
            for number in range(count)
        ]
        if rows:
            connection.execute(sa.insert(offers).values(times_ended=0), rows)
    return database


def closing_of(database: Database, clock: ManualClock, ticks: Ticks | None = None) -> Closing:
    return Closing("books", [END], database, clock, seeded_random(3), ticks or Ticks())


def ended(database: Database) -> dict[str, list[int]]:
    """How often each offer has ended, by the day on which it should."""
    with database.read() as connection:
        rows = connection.execute(sa.select(offers).order_by(offers.c.id)).all()
    return {day: [row.times_ended for row in rows if row.end_date == day] for day in {row.end_date for row in rows}}


def told(database: Database) -> list[tuple[str, int]]:
    """The events: which end of a date, how many offers."""
    with database.read() as connection:
        events = eventlog.read(connection, "", 0).events
        assert eventlog.violations(connection) == []
    return [(event.resource, Int64Value.FromString(event.payload.value).value) for event in events]


def proof(database: Database) -> list[str]:
    with database.read() as connection:
        return [*business_date.violations(connection), *jobs.violations(connection, [END])]


def row_of(database: Database) -> business_date.BusinessDate:
    with database.read() as connection:
        row = business_date.load(connection)
    assert row is not None
    return row


def test_a_date_is_closed_once_its_jobs_are_done(store: Stores) -> None:
    database, clock = filled(store(), [25, 0]), ManualClock(NOON_US)
    closing = closing_of(database, clock)
    left = closing.advance(TODAY + DAY)
    assert (left.date, left.closed_date, row_of(database).is_closing) == (TODAY + DAY, TODAY - DAY, True)
    closing.run()
    assert (row_of(database).closed_date, row_of(database).is_closing) == (TODAY, False)
    assert ended(database) == {"2026-11-30": [1] * 25, "2026-12-01": [0] * 25}
    assert told(database) == [("2026-11-30", 10), ("2026-11-30", 15)]
    assert proof(database) == []


def test_the_clock_leaves_a_date_as_a_command_does(store: Stores) -> None:
    """Two days went by while nothing ran: both are closed, the earlier one first."""
    database, clock = filled(store(), [3, 2]), ManualClock(NOON_US)
    clock.advance(2 * 86_400_000_000)
    closing_of(database, clock).run()
    assert (row_of(database).date, row_of(database).closed_date) == (TODAY + 2 * DAY, TODAY + DAY)
    assert told(database) == [("2026-11-30", 3), ("2026-11-30", 2), ("2026-12-01", 3), ("2026-12-01", 2)]
    assert proof(database) == []


def test_a_date_whose_end_changes_nothing_is_closed_with_the_advance(store: Stores) -> None:
    database = filled(store(), [0, 0])
    closing_of(database, ManualClock(NOON_US)).advance(TODAY + DAY)
    assert not row_of(database).is_closing
    assert told(database) == []


@pytest.mark.parametrize("dies_before", [True, False])
def test_whatever_commit_is_the_last_the_next_process_goes_on_from_there(store: Stores, dies_before: bool) -> None:
    database, clock, deaths = filled(store(), [25, 12]), ManualClock(NOON_US), 0
    for commits in range(1, 20):
        dying = DyingDatabase(database.url, database.schema)
        dying.commits_left, dying.dies_before = commits % 3 + 1, dies_before
        try:
            closing = closing_of(dying, clock)
            closing.advance(TODAY + DAY)
            closing.run()
        except Killed:
            deaths += 1
        dying.close()
        assert proof(database) == []
    assert deaths >= 3
    assert (row_of(database).date, row_of(database).is_closing) == (TODAY + DAY, False)
    assert ended(database) == {"2026-11-30": [1] * 37, "2026-12-01": [0] * 37}
    assert sum(count for _, count in told(database)) == 37


def test_a_step_takes_as_many_rows_as_fit_in_its_time(store: Stores) -> None:
    """By a stopwatch on which a row takes 1 ms: 10 rows, then 20, then 25, which is half of 50 ms."""
    database, clock, ticks = filled(store(), [200, 0]), ManualClock(NOON_US), Ticks()

    def end_slowly(transaction: Transaction, date: datetime.date, rows: Sequence[Any]) -> None:
        ticks.pass_by(1_000_000 * len(rows))
        end(transaction, date, rows)

    slow = replace(END, apply=end_slowly)
    closing = Closing("books", [slow], database, clock, seeded_random(3), ticks)
    closing.advance(TODAY + DAY)
    closing.run()
    assert [count for _, count in told(database)][:4] == [10, 20, 24, 24]


@pytest.mark.parametrize(
    ("before", "rows", "milliseconds", "after"),
    [(10, 10, 5, 20), (100, 100, 100, 25), (1, 1, 400, 1), (1000, 1000, 1, MOST_ROWS), (40, 0, 1, 40)],
)
def test_the_pace_follows_the_time_that_a_step_took(before: int, rows: int, milliseconds: int, after: int) -> None:
    pace = Pace(before)
    pace.learn(rows, milliseconds * 1_000_000)
    assert pace.rows == after


def test_what_is_done_and_isnt_is_told(store: Stores) -> None:
    """J1: a row that is left over of a date that is done, and a closed date whose job isn't done, are named."""
    database, clock = filled(store(), [3, 0]), ManualClock(NOON_US)
    closing = closing_of(database, clock)
    closing.advance(TODAY + DAY)
    closing.run()
    with database.write() as connection:
        connection.execute(sa.update(offers).where(offers.c.id == "LMHFCNB0-0-0001").values(times_ended=0))
        connection.execute(sa.update(tables.jobs).where(tables.jobs.c.partition == "YUHECNB0").values(is_done=False))
    assert proof(database) == [
        "jobs: offers.end is done with 2026-11-30, but LMHFCNB0-0-0001 remains",
        "jobs: 2026-11-30 is closed, but offers.end isn't done with it in YUHECNB0",
    ]


def test_a_step_that_tells_more_than_one_event_is_a_bug(store: Stores) -> None:
    def talk(transaction: Transaction, date: datetime.date, rows: Sequence[Any]) -> None:
        end(transaction, date, rows)
        end(transaction, date, rows)

    database = filled(store(), [3, 0])
    closing = Closing("books", [replace(END, apply=talk)], database, ManualClock(NOON_US), seeded_random(3), Ticks())
    closing.advance(TODAY + DAY)
    with pytest.raises(AssertionError, match=r"offers\.end tells more than one event a step"):
        closing.run()
    assert ended(database)["2026-11-30"] == [0, 0, 0]


def test_two_processes_close_one_date_together(store: Stores) -> None:
    """Steps of both in turn: each goes on where the other's has ended."""
    databases, clock = [filled(store(), [45, 30]), store()], ManualClock(NOON_US)
    closings = [closing_of(database, clock) for database in databases]
    closings[0].advance(TODAY + DAY)
    for number in range(20):
        submission = closings[number % 2].submission()
        assert run_batch(databases[number % 2], [submission]) == {submission: Empty()}
    assert ended(databases[0])["2026-11-30"] == [1] * 75
    assert not row_of(databases[1]).is_closing
    assert proof(databases[0]) == []


async def test_a_running_service_closes_the_date_that_the_clock_has_left(
    database_url: str, tmp_path: pathlib.Path
) -> None:
    """It was down over midnight: yesterday is closed once it is up."""
    world = World(database_url)
    now_us = SystemClock().now_us()
    world.now_us = now_us - 86_400_000_000
    today = business_date.day(now_us)
    request = policy_request()
    request.policy.end_date.CopyFrom(rpc.date(today - DAY))
    name = world.call("CreatePolicy", request, MAKER).name
    world.call("ApprovePolicy", pb.ApprovePolicyRequest(name=name), CHECKER)
    platform = Platform(tmp_path, database_url, [CREDIT_INSURANCE])
    await platform.start()
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while world.events("policies/-") == [] or row_of(world.store).is_closing:
                await asyncio.sleep(0.05)
    finally:
        await platform.stop()
    assert world.read("GetPolicy", pb.GetPolicyRequest(name=name), MAKER).state == pb.Policy.ENDED
    assert row_of(world.store).closed_date >= today - DAY
    world.store.close()
