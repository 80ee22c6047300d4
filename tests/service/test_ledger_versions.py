"""A ledger of before its text had a version is carried over: heads of before and after verify in one chain.

tests/fixtures/ledger/version_1.json holds the rows as the release of before wrote them: money in, a hold posted in
part, an open hold, a refusal that is remembered, a reversal.
"""

import datetime
import json
import pathlib
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from chassis.database import Database
from ledger import store as ledger_store
from ledger.model import Kind, Transfer
from tests.support import apply, migrate, migrate_to, ring, uid, violations

ROWS = json.loads((pathlib.Path(__file__).parents[1] / "fixtures" / "ledger" / "version_1.json").read_text("utf-8"))
BEFORE = ("ledger_0001", "chassis_0004")
TODAY = datetime.date(2026, 12, 1)
VALUE_DATE = datetime.date(2026, 11, 27)
HEAD_OF_BEFORE = bytes.fromhex(ROWS["ledger_head"][0]["hash"])


def _fill(connection: sa.Connection) -> None:
    for name, rows in ROWS.items():
        table = sa.Table(name, sa.MetaData(), autoload_with=connection)
        binary = [column.name for column in table.columns if isinstance(column.type, sa.LargeBinary)]
        connection.execute(sa.insert(table), [row | {key: bytes.fromhex(row[key]) for key in binary} for row in rows])


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A store as the release of before left it, carried over."""
    opened = Database(database_url, "books", ring())
    migrate_to(opened, [ledger_store.MIGRATIONS], BEFORE)
    with opened.write() as connection:
        _fill(connection)
    migrate(opened, [ledger_store.MIGRATIONS])
    yield opened
    opened.close()


def _lines(database: Database, *identifiers: str) -> list[ledger_store.Line]:
    with database.read() as connection:
        stored = ledger_store.stored(connection, identifiers)
    return [stored[identifier] for identifier in identifiers]


def test_heads_of_before_and_after_verify_in_one_chain(database: Database) -> None:
    """L5: l2: each block's hash follows from the one before, across two versions of the canonical text."""
    with database.read() as connection:
        assert ledger_store.head(connection) == (4, HEAD_OF_BEFORE)
    assert violations(database) == []
    world, purse = uid("world"), uid("purse")
    later = [
        Transfer(uid(8), world, purse, 5, value_date=VALUE_DATE, user_data=2**128 - 1),
        Transfer(uid(9), kind=Kind.VOID, pending_id=uid(5)),
    ]
    assert apply(database, *later, date=TODAY) == ["OK", "OK"]
    assert violations(database) == []
    with database.read() as connection:
        versions = list(connection.execute(sa.text("SELECT version FROM ledger_blocks ORDER BY block")).scalars())
        number, head = ledger_store.head(connection) or (0, b"")
    assert (versions, number, head != HEAD_OF_BEFORE) == ([1, 1, 1, 1, 2], 5, True)
    dated, voided, before = (line.transfer for line in _lines(database, uid(8), uid(9), uid(1)))
    assert (dated.booking_date, dated.value_date, dated.user_data) == (TODAY, VALUE_DATE, 2**128 - 1)
    assert (voided.booking_date, voided.value_date, voided.user_data) == (TODAY, TODAY, 0)
    assert (before.booking_date, before.value_date, before.user_data) == (None, None, 0)


@pytest.mark.parametrize("change", ["booking_date = '2026-12-01'", "value_date = '2026-12-01'", "user_data = '1'"])
def test_a_row_of_before_that_is_given_more_is_found(database: Database, change: str) -> None:
    with database.write() as connection:
        connection.execute(sa.text(f"UPDATE ledger_transfers SET {change} WHERE position = 2"))
    assert violations(database) == ["chain: position 2 holds what version 1 of the text doesn't cover"]


def test_a_transfer_of_before_that_is_sent_again_exists(database: Database) -> None:
    again = Transfer(uid(1), uid("world"), uid("purse"), 100, code="fund", reference="许昌 ✓")
    dated = Transfer(uid(2), uid("world"), uid("purse"), 50, value_date=VALUE_DATE)
    assert apply(database, again, dated, date=TODAY) == ["EXISTS", "EXISTS"]
    other = Transfer(uid(2), uid("world"), uid("purse"), 50, user_data=1)
    assert apply(database, other, date=TODAY) == ["EXISTS_WITH_DIFFERENT_CONTENT"]
    assert apply(database, Transfer(uid(6), uid("purse"), uid("world"), 1000)) == ["EXCEEDS_CREDITS"]


def test_a_transfer_that_is_sent_again_on_another_date_keeps_its_own(database: Database) -> None:
    sent = Transfer(uid(8), uid("world"), uid("purse"), 5)
    assert apply(database, sent, date=TODAY) == ["OK"]
    assert apply(database, sent, date=TODAY + datetime.timedelta(days=1)) == ["EXISTS"]
    (line,) = _lines(database, uid(8))
    assert (line.transfer.booking_date, line.transfer.value_date) == (TODAY, TODAY)
    moved = Transfer(uid(8), uid("world"), uid("purse"), 5, value_date=VALUE_DATE)
    assert apply(database, moved, date=TODAY) == ["EXISTS_WITH_DIFFERENT_CONTENT"]


def test_a_caller_never_sets_the_booking_date(database: Database) -> None:
    """L7: a caller never sets the booking date."""
    forged = Transfer(uid(8), uid("world"), uid("purse"), 5, booking_date=VALUE_DATE)
    assert apply(database, forged, date=TODAY) == ["OK"]
    (line,) = _lines(database, uid(8))
    assert line.transfer.booking_date == TODAY


@pytest.mark.parametrize("user_data", [-1, 2**128])
def test_user_data_has_128_bits(database: Database, user_data: int) -> None:
    asked = Transfer(uid(8), uid("world"), uid("purse"), 5, user_data=user_data)
    assert apply(database, asked) == ["USER_DATA_BEYOND_128_BITS"]
