"""The platform's business date: the clock's, a held one, or one that was moved ahead; the same for a whole batch."""

import datetime

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from chassis import business_date
from chassis.clock import SHANGHAI
from chassis.command import Operation, Transaction
from chassis.writer import run_batch
from tests.support import Stores, submission

DAY = datetime.timedelta(days=1)
NOON = datetime.datetime(2026, 11, 30, 12, tzinfo=SHANGHAI)
TODAY = NOON.date()


def us(moment: datetime.datetime) -> int:
    """Microseconds since the epoch."""
    return int(moment.timestamp()) * 1_000_000


def test_it_follows_the_clock_in_china(store: Stores) -> None:
    with store().read() as connection:
        assert business_date.present(connection, us(NOON)) == TODAY
        late = datetime.datetime(2026, 11, 30, 16, tzinfo=datetime.UTC)
        assert business_date.present(connection, us(late)) == TODAY + DAY


def test_a_date_moved_ahead_stands_until_the_clock_has_caught_up(store: Stores) -> None:
    with store().write() as connection:
        business_date.close(connection, TODAY + 60 * DAY, us(NOON))
        assert business_date.present(connection, us(NOON)) == TODAY + 60 * DAY
        assert business_date.present(connection, us(NOON + 61 * DAY)) == TODAY + 61 * DAY


def test_a_held_date_stands_still_and_is_closed_up_to_the_clock(store: Stores) -> None:
    with store().write() as connection:
        business_date.hold(connection, TODAY - 60 * DAY)
        assert business_date.present(connection, us(NOON + DAY)) == TODAY - 60 * DAY
        business_date.close(connection, TODAY - 30 * DAY, us(NOON))
        assert business_date.present(connection, us(NOON + DAY)) == TODAY - 30 * DAY
        business_date.close(connection, TODAY, us(NOON))
        assert business_date.present(connection, us(NOON + DAY)) == TODAY + DAY


def test_no_date_is_opened_twice(store: Stores) -> None:
    with store().write() as connection:
        business_date.close(connection, TODAY + DAY, us(NOON))
        business_date.close(connection, TODAY + DAY, us(NOON))
        with pytest.raises(business_date.DateNotAhead, match="2026-11-30 lies before"):
            business_date.close(connection, TODAY, us(NOON))


def test_a_command_counts_on_the_business_date(store: Stores) -> None:
    def run(transaction: Transaction, _request: StringValue) -> StringValue:
        return StringValue(value=transaction.business_date.isoformat())

    database, operation = store(), Operation("test", StringValue, run=run)
    with database.write() as connection:
        business_date.close(connection, TODAY + DAY, us(NOON))
    asked = submission(operation, now_us=us(NOON))
    assert run_batch(database, [asked])[asked] == StringValue(value="2026-12-01")
