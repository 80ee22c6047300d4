"""Payments of bills as rows, and the calls they owe: the only SQL of this room."""

from collections.abc import Iterable, Iterator, Sequence

import sqlalchemy as sa

from chassis import records, tasks
from chassis.command import Transaction
from chassis.participants import Participation, join, tenants
from ledger import store as ledger_store
from services.settlement.bill_payment import plan, rpc
from services.settlement.bill_payment.model import FINISHED, MOVED, BillPayment
from services.settlement.tables import bill_payments

NOUN = "bill_payment"

BILL_PAYMENTS = Participation("billPayments", bill_payments, BillPayment)


def load(connection: sa.Connection, name: str) -> BillPayment | None:
    """Returns the payment of a resource name; None where there is none."""
    identifier = name.removeprefix("billPayments/")
    return records.one(connection, bill_payments, BillPayment, bill_payments.c.id == identifier)


def unfinished(connection: sa.Connection) -> Iterable[BillPayment]:
    """Returns the payments that may owe a call."""
    query = sa.select(bill_payments).where(bill_payments.c.state.not_in([state.value for state in FINISHED]))
    return records.many(connection, query, BillPayment)


def add(transaction: Transaction, payment: BillPayment) -> None:
    """Adds a payment, with its event and what it owes."""
    records.insert(transaction.connection, bill_payments, payment)
    join(transaction.connection, payment.name, payment.participants)
    _follow(transaction, payment, "bill_payment.ordered")


def save(transaction: Transaction, payment: BillPayment, event: str) -> BillPayment:
    """Saves a changed payment, with its event and what it owes now; returns it with its new revision."""
    fresh = records.update(transaction.connection, bill_payments, payment)
    _follow(transaction, fresh, event)
    return fresh


def _follow(transaction: Transaction, payment: BillPayment, event: str) -> None:
    transaction.append(event, payment.name, rpc.to_proto(payment), tenants(payment))
    tasks.follow(transaction, NOUN, plan.owed, payment)


def violations(connection: sa.Connection) -> list[str]:
    """Returns where money moved for other payments than those that say so, or other amounts."""
    pages = records.pages(connection, bill_payments, BillPayment)
    return [text for page in pages for text in _disagreements(connection, page)]


def _disagreements(connection: sa.Connection, payments: Sequence[BillPayment]) -> Iterator[str]:
    lines = ledger_store.stored(connection, [payment.transfer_id for payment in payments])
    for payment in payments:
        line = lines.get(payment.transfer_id)
        booked = line.transfer.amount if line else 0
        expected = payment.amount.minor_units if payment.amount and payment.state in MOVED else 0
        if booked != expected:
            yield f"{payment.name} is {payment.state.value}: {booked} moved, not {expected}"
