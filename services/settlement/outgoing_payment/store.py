"""Payments out as rows: the only SQL of this room."""

from typing import Any

import sqlalchemy as sa

from chassis import records
from chassis.command import Transaction
from services.settlement.outgoing_payment import rpc
from services.settlement.outgoing_payment.model import OutgoingPayment
from services.settlement.tables import outgoing_payments


def load(connection: sa.Connection, name: str) -> OutgoingPayment | None:
    """A payment by its resource name."""
    identifier = name.removeprefix("outgoingPayments/")
    return records.one(connection, outgoing_payments, OutgoingPayment, outgoing_payments.c.id == identifier)


def of_party(tenant: str) -> Any:
    """A query of the payments of an enterprise, or of a bank's customers."""
    return sa.select(outgoing_payments).where(
        sa.or_(outgoing_payments.c.bank == tenant, outgoing_payments.c.enterprise == tenant)
    )


def add(transaction: Transaction, payment: OutgoingPayment) -> None:
    """A new payment, with its event."""
    records.insert(transaction.connection, outgoing_payments, payment)
    _tell(transaction, "outgoing_payment.prepared", payment)


def save(transaction: Transaction, payment: OutgoingPayment, event: str) -> OutgoingPayment:
    """A changed payment, with its event."""
    fresh = records.update(transaction.connection, outgoing_payments, payment)
    _tell(transaction, event, fresh)
    return fresh


def _tell(transaction: Transaction, event: str, payment: OutgoingPayment) -> None:
    transaction.append(event, payment.name, rpc.to_proto(payment), (payment.enterprise, payment.bank))
