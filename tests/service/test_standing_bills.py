"""Bills of before due dates could be provisional are carried over: those beyond the last published year are marked."""

import datetime
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from aval.declarations.v1 import records_pb2

from chassis import rpc
from chassis.database import Database
from services.declarations.service import SERVICE
from services.declarations.window.bill import store as bill_store
from tests.support import migrate, migrate_to, ring
from trade.dated_tables import packaged as dated_tables_packaged
from trade.deadlines import store as deadlines_store

BEFORE = ("chassis@head", "declarations_0006", "ledger@head")
# Due date and rule, and whether it is provisional now.
STANDING = {
    "1": ("2026-10-08", "within 15 days of issue", False),
    "2": ("2026-12-31", "within 15 days of issue", False),
    "3": ("2027-01-01", "within 15 days of issue", True),
    "4": ("2027-02-09", "within 15 days of issue", True),
    "5": ("2027-02-09", "STATED", False),
}


def bill(identifier: str, due_date: str, due_rule: str) -> dict[str, Any]:
    """A row as it was."""
    return {
        "id": identifier,
        "enterprise": "enterprises/91411023MAXY00112A",
        "amount_currency": "CNY",
        "amount_minor_units": 100,
        "payee": "treasuries/4601",
        "due_date": due_date,
        "due_rule": due_rule,
        "state": "OPEN",
        "payment": "",
        "transfer": "",
        "revision": 1,
    }


# Term and day of issue of those that are provisional.
ISSUED = {
    "3": (records_pb2.Bill.SINGLE, datetime.date(2026, 12, 17)),
    "4": (records_pb2.Bill.SINGLE, datetime.date(2027, 1, 25)),
}


def record(identifier: str, term: records_pb2.Bill.Term, issued: datetime.date) -> dict[str, Any]:
    """The record of a bill."""
    content = records_pb2.Record(bill=records_pb2.Bill(term=term, issue_date=rpc.date(issued)))
    texts = dict.fromkeys(("enterprise", "declaration", "writer"), "")
    return texts | {
        "id": f"version-{identifier}",
        "record": identifier,
        "kind": "bill",
        "body": content.SerializeToString(),
        "digest": b"",
        "notice_us": 0,
        "create_us": 0,
        "is_newest": True,
    }


@pytest.fixture
def store(database_url: str) -> Iterator[Database]:
    """A store of declarations as the release before left it."""
    database = Database(database_url, SERVICE.name, ring())
    migrate_to(database, SERVICE.migrations, BEFORE)
    with database.write() as connection:
        standing = sa.Table("bills", sa.MetaData(), autoload_with=connection)
        connection.execute(sa.insert(standing), [bill(key, *values[:2]) for key, values in STANDING.items()])
        records = sa.Table("records", sa.MetaData(), autoload_with=connection)
        connection.execute(sa.insert(records), [record(key, *values) for key, values in ISSUED.items()])
    yield database
    database.close()


def test_bills_beyond_the_last_published_year_are_provisional(store: Database) -> None:
    """CD2: those of before too, but for a date that the bill itself states."""
    migrate(store, SERVICE.migrations)
    with store.read() as connection:
        carried = bill_store.load(connection, STANDING)
        assert bill_store.violations(connection) == []
    marked = {key: bill.is_due_provisional for key, bill in carried.items()}
    assert marked == {key: is_provisional for key, (_, _, is_provisional) in STANDING.items()}


def test_what_is_provisional_of_before_follows_its_calendar(store: Database) -> None:
    """DT2: a bill of before has its deadline too, and moves once the year is published."""
    migrate(store, SERVICE.migrations)
    with store.write() as connection:
        dated_tables_packaged.prepare(connection)
    with store.read() as connection:
        kept = deadlines_store.load(connection, bill_store.DUE_DATE, [f"records/{key}" for key in STANDING])
        assert {name.removeprefix("records/") for name in kept} == set(ISSUED)
        assert deadlines_store.violations(connection) == []
        assert bill_store.violations(connection) == []
