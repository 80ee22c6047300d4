"""Payments of bills as rows, and the calls they owe: the only SQL of this room."""

from collections.abc import Iterable, Iterator, Sequence

import sqlalchemy as sa

from chassis import records
from chassis.rows import Rows, alike
from ledger import store as ledger_store
from services.settlement.bill_payment import plan, rpc
from services.settlement.bill_payment.model import FINISHED, MOVED, BillPayment
from services.settlement.tables import bill_payments

BILL_PAYMENTS = Rows(
    table=bill_payments,
    record=BillPayment,
    prefix="billPayments/",
    views=alike(rpc.to_proto),
    noun="bill_payment",
    plan=plan.owed,
)


def unfinished(connection: sa.Connection) -> Iterable[BillPayment]:
    """Returns the payments that may owe a call."""
    query = sa.select(bill_payments).where(bill_payments.c.state.not_in([state.value for state in FINISHED]))
    return records.many(connection, query, BillPayment)


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
