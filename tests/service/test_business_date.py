"""The platform's business date: the clock's, a held one, or one that was moved ahead; the same for a whole batch."""

import datetime
import pathlib
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping

import pytest
import sqlalchemy as sa
from aval.credit_insurance.v1 import credit_insurance_pb2
from aval.declarations.v1 import declarations_pb2
from aval.events.v1 import events_pb2
from aval.type.v1 import money_pb2
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import StringValue

from chassis import business_date, eventlog, tables
from chassis.business_date import BusinessDate
from chassis.channel import Channels
from chassis.clock import SystemClock
from chassis.command import Operation, Submission, Transaction
from chassis.database import Database
from chassis.errors import BusinessDateAhead
from chassis.identity import ASSERTION_KEY, BUSINESS_DATE, ON_BEHALF_OF, ON_BEHALF_OF_TENANT, Caller, service_caller
from chassis.service import Reading
from chassis.status import UNKNOWN_OUTCOME, RemoteError
from chassis.testing import Platform
from chassis.writer import run_batch
from ledger import tables as ledger_tables
from services.credit_insurance.service import SERVICE as CREDIT_INSURANCE
from services.declarations.service import SERVICE as DECLARATIONS
from tests.service.register_world import BANK, BANKS, World
from tests.support import CALLER, Stores, migrate, migrate_to, ring, scalar, submission
from trade.calendars import CHINA

CLOSES = 20
PATIENCE_SECONDS = 30
BREATH_SECONDS = 0.002
DAY = datetime.timedelta(days=1)
NOON = datetime.datetime(2026, 11, 30, 12, tzinfo=CHINA)
TODAY = NOON.date()


def us(moment: datetime.datetime) -> int:
    """Microseconds since the epoch."""
    return int(moment.timestamp()) * 1_000_000


def _tell_date(transaction: Transaction, _request: StringValue) -> StringValue:
    date = transaction.business_date.isoformat()
    transaction.append("date.told", date, StringValue(value=date), [])
    return StringValue(value=date)


EXPORTER = Caller("enterprises/91411023MAXY00112A/a", "enterprises/91411023MAXY00112A", frozenset({"EXPORTER"}))
REQUESTS: Mapping[str, Callable[[], Message]] = {
    "ReleaseCover": lambda: credit_insurance_pb2.ReleaseCoverRequest(
        request_id=str(uuid.uuid4()), cover_hold_id=str(uuid.uuid4())
    ),
    "RequestBuyerLimit": lambda: credit_insurance_pb2.RequestBuyerLimitRequest(
        request_id=str(uuid.uuid4()),
        policy="policies/unknown",
        buyer_name="BUYER",
        buyer_country="USA",
        amount=money_pb2.Money(currency_code="USD", minor_units=1),
    ),
}
DATED = Operation("tests.Dated", StringValue, run=_tell_date)


def dates_of(database: Database, *times_us: int) -> list[str]:
    """The business dates of commands that are submitted at these times, one batch after the other."""
    asked = [submission(DATED, now_us=time_us) for time_us in times_us]
    outcomes = [run_batch(database, [command])[command] for command in asked]
    return [outcome.value for outcome in outcomes if isinstance(outcome, StringValue)]


def test_it_follows_the_clock_in_china(store: Stores) -> None:
    with store().read() as connection:
        assert business_date.present(connection, us(NOON)) == TODAY
        late = datetime.datetime(2026, 11, 30, 16, tzinfo=datetime.UTC)
        assert business_date.present(connection, us(late)) == TODAY + DAY


def test_a_date_moved_ahead_stands_until_the_clock_has_caught_up(store: Stores) -> None:
    with store().write() as connection:
        business_date.advance(connection, TODAY + 60 * DAY, us(NOON))
        assert business_date.present(connection, us(NOON)) == TODAY + 60 * DAY
        assert business_date.present(connection, us(NOON + 61 * DAY)) == TODAY + 61 * DAY


def test_a_held_date_stands_still_and_is_closed_up_to_the_clock(store: Stores) -> None:
    with store().write() as connection:
        business_date.hold(connection, TODAY - 60 * DAY)
        assert business_date.present(connection, us(NOON + DAY)) == TODAY - 60 * DAY
        business_date.advance(connection, TODAY - 30 * DAY, us(NOON))
        assert business_date.present(connection, us(NOON + DAY)) == TODAY - 30 * DAY
        business_date.advance(connection, TODAY, us(NOON))
        assert business_date.present(connection, us(NOON + DAY)) == TODAY + DAY


def test_no_date_is_opened_twice(store: Stores) -> None:
    with store().write() as connection:
        business_date.advance(connection, TODAY + DAY, us(NOON))
        business_date.advance(connection, TODAY + DAY, us(NOON))
        with pytest.raises(business_date.DateNotAhead, match="2026-11-30 lies before"):
            business_date.advance(connection, TODAY, us(NOON))


def test_a_command_counts_on_the_business_date(store: Stores) -> None:
    database = store()
    with database.write() as connection:
        business_date.advance(connection, TODAY + DAY, us(NOON))
    assert dates_of(database, us(NOON)) == ["2026-12-01"]


def test_a_later_batch_of_an_earlier_clock_takes_no_date_that_was_left(store: Stores) -> None:
    """Midnight has come by another process's clock: a command that was submitted before it counts on the new date."""
    database = store()
    assert dates_of(database, us(NOON + DAY), us(NOON)) == ["2026-12-01", "2026-12-01"]


def test_the_date_is_closed_before_its_close_is_whole(store: Stores) -> None:
    with store().write() as connection:
        opened = business_date.follow(connection, us(NOON))
        assert (opened.date, opened.closed_date, opened.is_closing) == (TODAY, TODAY - DAY, False)
        left = business_date.advance(connection, TODAY + DAY, us(NOON))
        assert (left.closed_date, left.is_closing) == (TODAY - DAY, True)
        business_date.mark_closed(connection, TODAY)
        closed = business_date.load(connection)
        assert closed is not None
        assert not closed.is_closing
        assert business_date.violations(connection) == []
        business_date.mark_closed(connection, TODAY + DAY)
        assert business_date.violations(connection) == [
            "business date: 2026-12-01 is closed, but the business date is 2026-12-01"
        ]


def test_nothing_is_committed_under_a_date_that_was_left(store: Stores) -> None:
    """J2: two processes' batches race with closes: along the log, which is the order of commits, no date goes back."""
    processes = [store(), store()]
    dates_of(processes[0], us(NOON))
    is_over = threading.Event()
    threads = [threading.Thread(target=_write_until, args=[process, is_over]) for process in processes]
    closing = store()
    for thread in threads:
        thread.start()
    for number in range(1, CLOSES + 1):
        before = _events_of(closing)
        with closing.write() as connection:
            business_date.advance(connection, TODAY + number * DAY, us(NOON))
        _wait_for_more_than(closing, before + 2)
    is_over.set()
    for thread in threads:
        thread.join()
    with closing.read() as connection:
        dates = [event.resource for event in _all_events(connection)]
    assert dates == sorted(dates)
    assert len(set(dates)) > CLOSES / 2


def _write_until(database: Database, is_over: threading.Event) -> None:
    """Batches of two commands, one after the other, each event named after the command's business date."""
    # A breath between two batches, as on a platform that isn't at its limit: SQLite's lock has no queue.
    while not is_over.wait(BREATH_SECONDS):
        asked = [submission(DATED, now_us=us(NOON)) for _ in range(2)]
        assert all(isinstance(outcome, StringValue) for outcome in run_batch(database, asked).values())


def _events_of(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(sa.select(tables.log_head.c.position)).scalar_one())


def _wait_for_more_than(database: Database, count: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while _events_of(database) <= count:
        assert time.monotonic() < deadline


def _all_events(connection: sa.Connection) -> Iterator[events_pb2.Event]:
    position = 0
    while (found := eventlog.read(connection, "", position)).events:
        yield from found.events
        position = found.through_position


def test_a_standing_date_is_carried_over(database_url: str) -> None:
    """A store from before dates were closed whole: the day before its date is closed, for there were no jobs."""
    database = Database(database_url, "books", ring())
    migrate_to(database, [], ["chassis_0004"])
    with database.write() as connection:
        before = sa.Table("business_dates", sa.MetaData(), autoload_with=connection)
        connection.execute(sa.insert(before).values(place="platform", date="2026-09-01", is_held=True))
    migrate(database)
    with database.read() as connection:
        row = business_date.load(connection)
    assert row == BusinessDate(date=datetime.date(2026, 9, 1), closed_date=datetime.date(2026, 8, 31), is_held=True)
    assert dates_of(database, us(NOON)) == ["2026-09-01"]
    database.close()


@pytest.mark.parametrize(
    ("callers", "expected"),
    [(-60, "2026-11-30"), (-1, "2026-11-30"), (0, "2026-11-30"), (1, "2026-12-01"), (2, None), (60, None)],
)
def test_a_call_counts_on_the_callees_date_or_the_next_where_its_caller_is(
    store: Stores, callers: int, expected: str | None
) -> None:
    """One from further ahead is refused as a call whose outcome is unknown: it stays owed, and is taken later."""
    database, asked = store(), submission(DATED, now_us=us(NOON), request_id="r1", caller=service_caller("loans"))
    asked.caller_date = TODAY + callers * DAY
    outcome = run_batch(database, [asked])[asked]
    if expected:
        assert outcome == StringValue(value=expected)
        return
    assert isinstance(outcome, BusinessDateAhead)
    assert outcome.code in UNKNOWN_OUTCOME
    with database.write() as connection:
        business_date.advance(connection, asked.caller_date, us(NOON))
    assert run_batch(database, [asked])[asked] == StringValue(value=asked.caller_date.isoformat())


def test_calls_of_two_dates_in_one_batch_are_booked_each_on_its_own(database_url: str) -> None:
    """L7: a set-based step never books one caller's reservation on the date of another, who has closed it."""
    world = World(database_url)
    world.consent(*BANKS[:2])
    here, reserving = business_date.day(world.now_us), DECLARATIONS.operation("ReserveEncumbrance")
    asked = []
    for bank, callers in ((BANK, None), (service_caller("loans", BANKS[1], BANKS[1]), here + DAY)):
        request = world.reservation(world.declared(), 1_000_00)
        request.request_id = request.encumbrance_id
        seed = uuid.uuid4().bytes
        work = Submission(reserving, bank, request, request.request_id, world.now_us, seed, caller_date=callers)
        asked.append(work)
    outcomes = run_batch(world.store, asked)
    rows = ledger_tables.transfers.c
    for work, date in zip(asked, (here, here + DAY), strict=True):
        encumbrance = outcomes[work]
        assert isinstance(encumbrance, declarations_pb2.Encumbrance), encumbrance
        query = sa.select(rows.booking_date).where(rows.reference == encumbrance.name).distinct()
        assert scalar(world.store, query) == date.isoformat()
    assert world.violations() == []
    world.store.close()


def test_a_read_counts_on_the_same_date_as_a_command_would(store: Stores) -> None:
    with store().read() as connection:
        for callers, expected in ((-1, TODAY), (1, TODAY + DAY)):
            reading = Reading(connection, CALLER, us(NOON), caller_date=TODAY + callers * DAY)
            assert reading.business_date == expected
        with pytest.raises(BusinessDateAhead, match="counts on 2026-12-02, the business date here is 2026-11-30"):
            _ = Reading(connection, CALLER, us(NOON), caller_date=TODAY + 2 * DAY).business_date


async def test_services_give_their_date_with_a_call_and_nobody_else(tmp_path: pathlib.Path) -> None:
    platform = Platform(tmp_path, f"sqlite:///{tmp_path / 'store'}", [CREDIT_INSURANCE])
    await platform.start()
    own = business_date.day(SystemClock().now_us())
    loans = Channels(platform.authority.issue("services/loans"), platform.addresses)

    async def reason(channels: Channels, method: str, date: str, *given: tuple[str, str]) -> str:
        """The reason for which a call with a business date is refused; empty if it is taken."""
        content = REQUESTS[method]().SerializeToString()
        path = CREDIT_INSURANCE.contract.path(method)
        try:
            await channels.call("credit_insurance", path, content, [(BUSINESS_DATE, date), *given])
        except RemoteError as refusal:
            return refusal.reason
        return ""

    bank = [(ON_BEHALF_OF, "banks/LMHFCNB0/a"), (ON_BEHALF_OF_TENANT, "banks/LMHFCNB0")]
    assert await reason(loans, "ReleaseCover", (own + DAY).isoformat(), *bank) == ""
    ahead = (own + 5 * DAY).isoformat()
    assert await reason(loans, "ReleaseCover", ahead, *bank) == "BUSINESS_DATE_AHEAD"
    assert await reason(loans, "ReleaseCover", "tomorrow", *bank) == "UNAUTHENTICATED"
    assertion = (ASSERTION_KEY, platform.signer.assertion(EXPORTER, "credit_insurance", SystemClock().now_us()))
    # No such policy: it came as far as the command, whatever date it bears.
    assert await reason(platform.channels, "RequestBuyerLimit", ahead, assertion) == "NOT_FOUND"
    await loans.close()
    await platform.stop()
