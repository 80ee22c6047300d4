"""Payments of bills as rows, and the saga that moves them: the only SQL of this room."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from chassis import records, tasks
from chassis.command import Transaction
from chassis.tasks import Outcome, Saga
from ledger import store as ledger
from services.settlement.bill_payment import model, reactions, rpc
from services.settlement.bill_payment.model import FINISHED, MOVED, BillPayment, State
from services.settlement.tables import bill_payments

EVENTS: Mapping[State, str] = {
    State.CLAIMING: "bill_payment.ordered",
    State.POSTED: "bill_payment.posted",
    State.PAID: "bill_payment.paid",
    State.RELEASING: "bill_payment.given_up",
    State.REFUSED: "bill_payment.refused",
}


def load(connection: sa.Connection, name: str) -> BillPayment | None:
    """A payment by its resource name."""
    identifier = name.removeprefix("billPayments/")
    return records.one(connection, bill_payments, BillPayment, bill_payments.c.id == identifier)


def unfinished(connection: sa.Connection) -> Iterable[BillPayment]:
    """Those that may owe a call."""
    query = sa.select(bill_payments).where(bill_payments.c.state.not_in([state.value for state in FINISHED]))
    return records.many(connection, query, BillPayment)


def of_party(tenant: str) -> Any:
    """A query of the payments of an enterprise, or of a bank's customers."""
    return sa.select(bill_payments).where(sa.or_(bill_payments.c.bank == tenant, bill_payments.c.enterprise == tenant))


def add(transaction: Transaction, payment: BillPayment) -> None:
    """A new payment, with its event and what it owes."""
    records.insert(transaction.connection, bill_payments, payment)
    _follow(transaction, payment)


def react(transaction: Transaction, payment: BillPayment, step: str, outcome: Outcome) -> None:
    """Saves what the outcome leads to."""
    after = reactions.after(transaction, payment, step, outcome)
    _follow(transaction, records.update(transaction.connection, bill_payments, after))


def _follow(transaction: Transaction, payment: BillPayment) -> None:
    parties = (payment.enterprise, payment.bank)
    transaction.append(EVENTS[payment.state], payment.name, rpc.to_proto(payment), parties)
    tasks.follow(transaction, "bill_payment", model.plan, payment)


SAGA = Saga("bill_payment", load, model.plan, react, unfinished)


def violations(connection: sa.Connection) -> list[str]:
    """Whether money moved for exactly the payments that say so, as much as they say."""
    pages = records.pages(connection, bill_payments, BillPayment)
    return [text for page in pages for text in _disagreements(connection, page)]


def _disagreements(connection: sa.Connection, payments: Sequence[BillPayment]) -> Iterator[str]:
    lines = ledger.stored(connection, [payment.transfer_id for payment in payments])
    for payment in payments:
        line = lines.get(payment.transfer_id)
        booked = line.transfer.amount if line else 0
        expected = payment.amount.minor_units if payment.amount and payment.state in MOVED else 0
        if booked != expected:
            yield f"{payment.name} is {payment.state.value}: {booked} moved, not {expected}"
