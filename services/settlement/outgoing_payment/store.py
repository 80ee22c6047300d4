"""Payments out as rows: the only SQL of this room."""

from collections.abc import Mapping

import sqlalchemy as sa

from chassis import records
from chassis.clock import MICROSECONDS
from chassis.command import Transaction
from chassis.participants import Participation, join, tenants
from ledger import store as ledger
from ledger.model import HoldState
from services.settlement.outgoing_payment import rpc
from services.settlement.outgoing_payment.model import OutgoingPayment, State
from services.settlement.tables import outgoing_payments

_IS_PENDING = outgoing_payments.c.state == State.PENDING_APPROVAL.value
# The sweep comes every second: what is this much older than its limit was missed.
GRACE_US = 3_600 * MICROSECONDS
HOLDS: Mapping[State, HoldState] = {
    State.PENDING_APPROVAL: HoldState.OPEN,
    State.SENT: HoldState.POSTED,
    State.WITHDRAWN: HoldState.VOIDED,
    State.REJECTED: HoldState.VOIDED,
    State.EXPIRED: HoldState.VOIDED,
}

OUTGOING_PAYMENTS = Participation("outgoingPayments", outgoing_payments, OutgoingPayment)


def load(connection: sa.Connection, name: str) -> OutgoingPayment | None:
    """A payment by its resource name."""
    identifier = name.removeprefix("outgoingPayments/")
    return records.one(connection, outgoing_payments, OutgoingPayment, outgoing_payments.c.id == identifier)


def due(connection: sa.Connection, now_us: int, limit: int) -> list[OutgoingPayment]:
    """Those that nobody decided on in time, the oldest first."""
    query = sa.select(outgoing_payments).where(_IS_PENDING, outgoing_payments.c.expire_us <= now_us)
    return records.many(connection, query.order_by(outgoing_payments.c.expire_us).limit(limit), OutgoingPayment)


def add(transaction: Transaction, payment: OutgoingPayment) -> None:
    """A new payment, with its event."""
    records.insert(transaction.connection, outgoing_payments, payment)
    join(transaction.connection, payment.name, payment.participants)
    _tell(transaction, "outgoing_payment.prepared", payment)


def save(transaction: Transaction, payment: OutgoingPayment, event: str) -> OutgoingPayment:
    """A changed payment, with its event."""
    fresh = records.update(transaction.connection, outgoing_payments, payment)
    _tell(transaction, event, fresh)
    return fresh


def _tell(transaction: Transaction, event: str, payment: OutgoingPayment) -> None:
    transaction.append(event, payment.name, rpc.to_proto(payment), tenants(payment))


def violations(connection: sa.Connection) -> list[str]:
    """Whether every payment's hold stands as the payment does, and none is prepared longer than its limit."""
    payments = records.many(connection, sa.select(outgoing_payments), OutgoingPayment)
    holds = ledger.hold_states(connection, [payment.hold_id for payment in payments])
    latest_us = ledger.latest_us(connection)
    found = []
    for payment in payments:
        held, expected = holds.get(payment.hold_id), HOLDS[payment.state]
        if held is not expected:
            found.append(f"{payment.name} is {payment.state.value}: its hold is {held}, not {expected.value}")
        if payment.state is State.PENDING_APPROVAL and payment.expire_us + GRACE_US < latest_us:
            found.append(f"{payment.name} is prepared longer than its limit")
    return found
