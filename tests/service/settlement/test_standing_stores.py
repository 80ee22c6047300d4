"""A settlement store from before payments had parts is carried over, with what it owes."""

import datetime
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from chassis import migrations, records, tasks
from chassis.database import Database
from chassis.identity import service_caller
from chassis.ids import derived
from chassis.money import Money
from services.settlement.incoming_payment import store as incoming_payment_store
from services.settlement.incoming_payment.model import IncomingPayment
from services.settlement.service import SERVICE
from services.settlement.tables import incoming_payments
from tests.support import NOW_US, migrate_to, ring, seeded_random

BEFORE = ("settlement_0003", "ledger_0001", "chassis_0003")
OTHER = "banks/YUHECNB0"
BANK, LOAN, DECLARATION = "banks/LMHFCNB0", "loans/loan-a", "declarations/460120260000000017"
ENCUMBRANCE = f"encumbrances/{derived(LOAN, 'encumbrance')}"
REPAYMENT = derived("incomingPayments/payment-1", LOAN, "repayment")


def collection(**changes: Any) -> dict[str, Any]:
    """Returns a payment's collection, as it was stored."""
    made = {"loan": LOAN, "bank": BANK, "settled": ["USD", 600], "repayment_id": REPAYMENT, "amount": None}
    return made | {"interest": None, "refusal": "", "is_confirmed": False} | changes


def row(number: int, state: str, declaration: str = DECLARATION, applied: bool = False, *collected: Any) -> Any:
    """A payment's row, as it was stored."""
    return {
        "id": f"payment-{number}",
        "bank": BANK,
        "uetr": f"uetr-{number}",
        "end_to_end_id": "E2E",
        "amount_currency": "USD",
        "amount_minor_units": 1000,
        "debtor_name": "BUYER",
        "creditor_account": "account-1",
        "enterprise": "enterprises/91411023MAXY00112A",
        "remittance_information": "",
        "remittance_documents": "[]",
        "declaration": declaration,
        "is_applied": applied,
        "state": state,
        "collections": json.dumps(collected),
        "remainder_currency": None,
        "remainder_minor_units": None,
        "reason": "",
        "value_date": "2026-11-02",
        "create_us": NOW_US,
        "revision": 3,
    }


ROWS = [
    row(1, "COLLECTING", DECLARATION, True, collection()),
    row(2, "RECEIVED"),
    row(3, "UNMATCHED", ""),
    row(4, "CONFIRMED", DECLARATION, True, collection(amount=["USD", 610], interest=["USD", 10], is_confirmed=True)),
    row(5, "COMPLETED", DECLARATION, True),
]
OWED = {1: "collect loans/loan-a", 2: "match", 4: "release"}


@pytest.fixture
def store(database_url: str) -> Iterator[Database]:
    """A store as the release before left it, with the rows above and what they owed."""
    database = Database(database_url, "settlement", ring())
    migrate_to(database, SERVICE.migrations, BEFORE)
    with database.write() as connection:
        before = sa.Table("incoming_payments", sa.MetaData(), autoload_with=connection)
        connection.execute(sa.insert(before), ROWS)
        tasks_before = sa.Table("tasks", sa.MetaData(), autoload_with=connection)
        connection.execute(sa.insert(tasks_before), [task(number, step) for number, step in OWED.items()])
    yield database
    database.close()


def task(number: int, step: str) -> dict[str, Any]:
    """Returns a payment's task, as it was stored."""
    call = {"service": "declarations", "method": "GetDeclaration", "request": b"", "tenant": "services/settlement"}
    made = {"resource": f"incomingPayments/payment-{number}", "saga": "incoming_payment", "step": step, "round": 3}
    return (
        made
        | call
        | {"caller": service_caller("settlement").to_text(), "traceparent": "", "due_us": NOW_US}
        | {
            "attempts": 7,
            "parked": None,
        }
    )


def test_payments_are_carried_over_with_what_they_owe(store: Database) -> None:
    assert migrations.upgrade(store, SERVICE.migrations, seeded_random(1), SERVICE.prepare)
    with store.write() as connection:
        tasks.realign(connection, SERVICE.sagas, service_caller("settlement"), NOW_US)
    with store.read() as connection:
        query = sa.select(incoming_payments).order_by(incoming_payments.c.id)
        collecting, received, parked, confirmed, completed = records.many(connection, query, IncomingPayment)
        owed = {each_task.resource: each_task.step for each_task in tasks.due(connection, NOW_US)}
        assert tasks.violations(connection, SERVICE.sagas) == []
    (part,), (each_collection,) = collecting.parts, collecting.collections
    assert (part.declaration, part.amount, part.is_applied) == (DECLARATION, Money("USD", 1000), True)
    assert (each_collection.encumbrance, each_collection.repayment_id, each_collection.settled) == (
        ENCUMBRANCE,
        REPAYMENT,
        Money("USD", 600),
    )
    assert [part.amount for part in received.parts] == [None]
    assert (parked.parts, parked.resolution) == ((), None)
    assert confirmed.collections[0].principal == Money("USD", 600)
    assert completed.parts[0].is_released
    assert {payment.message_type for payment in (collecting, received, parked)} == {"pacs.008"}
    assert collecting.value_date == datetime.date(2026, 11, 2)
    assert owed == {
        "incomingPayments/payment-1": f"collect {ENCUMBRANCE}",
        "incomingPayments/payment-2": f"match {DECLARATION}",
        "incomingPayments/payment-4": f"release {DECLARATION}",
    }


def test_a_store_of_today_is_not_carried_over_again(store: Database) -> None:
    migrations.upgrade(store, SERVICE.migrations, seeded_random(1), SERVICE.prepare)
    assert not migrations.upgrade(store, SERVICE.migrations, seeded_random(1), SERVICE.prepare)


def test_a_uetr_is_unique_to_its_bank_and_message_type(store: Database) -> None:
    migrations.upgrade(store, SERVICE.migrations, seeded_random(1), SERVICE.prepare)
    with store.write() as connection:
        query = sa.select(incoming_payments).where(incoming_payments.c.id == "payment-2")
        (taken,) = records.many(connection, query, IncomingPayment)
        records.insert(connection, incoming_payments, replace(taken, id="payment-6", message_type="pacs.009"))
        records.insert(connection, incoming_payments, replace(taken, id="payment-7", bank=OTHER))
        assert incoming_payment_store.is_taken(connection, BANK, "pacs.009", "uetr-2")
        assert not incoming_payment_store.is_taken(connection, OTHER, "pacs.009", "uetr-2")
    with pytest.raises(sa.exc.IntegrityError), store.write() as connection:
        records.insert(connection, incoming_payments, replace(taken, id="payment-8"))
