"""The proof of rows that every service keeps alike, and of calls that wait for a person."""

from collections.abc import Iterator, Mapping

import pytest
import sqlalchemy as sa

from chassis import migrations, tables, verification
from chassis.database import Database
from chassis.ids import system_random
from chassis.service import Service
from ledger import store as ledger_store
from ledger.model import Limit
from services.credit_insurance.service import SERVICE as CREDIT_INSURANCE
from services.declarations.service import SERVICE as DECLARATIONS
from services.loans.service import SERVICE as LOANS
from services.settlement.service import SERVICE as SETTLEMENT
from tests.support import ring, uid

ACCOUNT: Mapping[str, object] = {"id": "a1", "bank": "b", "owner": "b", "kind": "CURRENT", "create_us": 1}
REBATE: Mapping[str, object] = {
    "id": "r1",
    "enterprise": "e",
    "declaration": "",
    "period": "202610",
    "amount_minor_units": 5,
    "create_us": 1,
    "revision": 1,
}


@pytest.fixture
def opened(request: pytest.FixtureRequest, database_url: str) -> Iterator[Database]:
    """The empty store of the service that the test names."""
    service: Service = request.getfixturevalue("service")
    store = Database(database_url, service.name, ring())
    migrations.upgrade(store, service.migrations, system_random, service.prepare)
    yield store
    store.close()


def _found(store: Database, service: Service) -> list[str]:
    with store.read() as connection:
        return verification.violations(service, connection)


def _plant(store: Database, table: str, row: Mapping[str, object]) -> None:
    columns, values = ", ".join(row), ", ".join(f":{name}" for name in row)
    with store.write() as connection:
        connection.execute(sa.text(f"INSERT INTO {table} ({columns}) VALUES ({values})"), row)


@pytest.mark.parametrize(
    ("service", "table", "row", "column"),
    [
        (DECLARATIONS, "rebates", REBATE, "amount_currency"),
        (SETTLEMENT, "accounts", ACCOUNT, "currency"),
    ],
)
@pytest.mark.parametrize("code", ["BTC", "XTS", "ZZZ", "XAU"])
def test_a_row_in_no_currency_is_named(
    opened: Database, service: Service, table: str, row: Mapping[str, object], column: str, code: str
) -> None:
    """V1: a planted row in a code that was never money is named by its column and id."""
    assert _found(opened, service) == []
    _plant(opened, table, {**row, column: code})
    (text,) = (name for name in _found(opened, service) if name.startswith("currency: "))
    assert text == f"currency: {table}.{column}: 1 row in {code}, which is no money; the first is {row['id']}"


@pytest.mark.parametrize("service", [DECLARATIONS, SETTLEMENT, CREDIT_INSURANCE, LOANS])
def test_the_ledger_of_every_service_is_looked_through(opened: Database, service: Service) -> None:
    account = ledger_store.NewAccount(uid("odd"), "books", "XXX", Limit.NONE, "odd")
    with opened.write() as connection:
        ledger_store.open_accounts(connection, [account])
    assert any("ledger_accounts.currency: 1 row in XXX" in name for name in _found(opened, service))


@pytest.mark.parametrize("service", [DECLARATIONS])
def test_what_was_money_once_is_no_fault(opened: Database, service: Service) -> None:
    _plant(opened, "rebates", {**REBATE, "amount_currency": "DEM"})
    assert _found(opened, service) == []


@pytest.mark.parametrize("service", [LOANS])
def test_a_parked_call_is_told_and_is_no_violation(opened: Database, service: Service) -> None:
    row = {"resource": "loans/1", "saga": "loan", "step": "pay out", "round": 1, "service": "settlement"}
    row |= {"method": "CreateTransfer", "request": b"", "tenant": "banks/X", "caller": "", "traceparent": ""}
    row |= {"branch": "", "business_date": "", "not_before_us": 0, "since_us": 1, "due_us": 1}
    row |= {"attempts": 1000, "parked": "settlement can't be reached"}
    with opened.write() as connection:
        connection.execute(sa.insert(tables.tasks).values(row))
    with opened.read() as connection:
        (told,) = verification.parked(connection)
    assert told == {
        "resource": "loans/1",
        "step": "pay out",
        "attempts": 1000,
        "why": "settlement can't be reached",
    }
