"""Bills of before due dates could be provisional are carried over: those beyond the last published year are marked."""

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from chassis.database import Database
from services.declarations.service import SERVICE
from services.declarations.window.bill import store as bill_store
from tests.support import migrate, migrate_to, ring

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


@pytest.fixture
def store(database_url: str) -> Iterator[Database]:
    """A store of declarations as the release before left it."""
    database = Database(database_url, SERVICE.name, ring())
    migrate_to(database, SERVICE.migrations, BEFORE)
    with database.write() as connection:
        standing = sa.Table("bills", sa.MetaData(), autoload_with=connection)
        connection.execute(sa.insert(standing), [bill(key, *values[:2]) for key, values in STANDING.items()])
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
