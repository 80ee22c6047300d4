"""Payments out as rows: the only SQL of this room."""

from collections.abc import Mapping

import sqlalchemy as sa

from chassis import records
from chassis.clock import MICROSECONDS
from chassis.rows import Rows, alike
from ledger import store as ledger_store
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


OUTGOING_PAYMENTS = Rows(
    table=outgoing_payments,
    record=OutgoingPayment,
    prefix="outgoingPayments/",
    views=alike(rpc.to_proto),
)


def due(connection: sa.Connection, now_us: int, limit: int) -> list[OutgoingPayment]:
    """Returns the payments that nobody decided on in time, the oldest first."""
    query = sa.select(outgoing_payments).where(_IS_PENDING, outgoing_payments.c.expire_us <= now_us)
    return records.many(connection, query.order_by(outgoing_payments.c.expire_us).limit(limit), OutgoingPayment)


def violations(connection: sa.Connection) -> list[str]:
    """Returns the payments whose hold stands in another way than they do, or that are prepared longer than allowed."""
    payments = records.many(connection, sa.select(outgoing_payments), OutgoingPayment)
    holds = ledger_store.hold_states(connection, [payment.hold_id for payment in payments])
    latest_us = ledger_store.latest_us(connection)
    found = []
    for payment in payments:
        held, expected = holds.get(payment.hold_id), HOLDS[payment.state]
        if held is not expected:
            found.append(f"{payment.name} is {payment.state.value}: its hold is {held}, not {expected.value}")
        if payment.state is State.PENDING_APPROVAL and payment.expire_us + GRACE_US < latest_us:
            found.append(f"{payment.name} is prepared longer than its limit")
    return found
