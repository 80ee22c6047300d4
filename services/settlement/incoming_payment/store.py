"""Payments in as rows, and the calls they owe: the only SQL of this room."""

from collections.abc import Iterable
from itertools import chain

import sqlalchemy as sa

from chassis import records, tables
from chassis.rows import Rows, as_seen
from ledger import store as ledger_store
from services.settlement.account import model as account_model
from services.settlement.account import store as account_store
from services.settlement.account.model import Kind
from services.settlement.incoming_payment import model, plan, rpc
from services.settlement.incoming_payment.model import BEHIND_NO_RETURN, IncomingPayment, State
from services.settlement.tables import incoming_payments

FINISHED = [state.value for state in State if state not in model.OWING]
INCOMING_PAYMENTS = Rows(
    table=incoming_payments,
    record=IncomingPayment,
    prefix="incomingPayments/",
    views=as_seen(rpc.to_proto),
    tells_each=True,
    noun="incoming_payment",
    plan=plan.owed,
)


def is_taken(connection: sa.Connection, bank: str, message_type: str, uetr: str) -> bool:
    """Whether this bank took a payment with this UETR by a message of this type."""
    rows = incoming_payments.c
    query = sa.select(rows.id).where(rows.bank == bank, rows.message_type == message_type, rows.uetr == uetr)
    return connection.execute(query).first() is not None


def unfinished(connection: sa.Connection) -> Iterable[IncomingPayment]:
    """Returns the payments that may owe a call."""
    query = sa.select(incoming_payments).where(incoming_payments.c.state.not_in(FINISHED))
    return records.many(connection, query, IncomingPayment)


def violations(connection: sa.Connection) -> list[str]:
    """Returns where money in suspense is neither whole nor waited for."""
    return [*_suspense_violations(connection), *_stuck(connection)]


def _stuck(connection: sa.Connection) -> list[str]:
    """Returns the payments in suspense that neither move on by a call nor wait for a person as UNMATCHED."""
    rows, held = tables.tasks, [state.value for state in model.OWING - BEHIND_NO_RETURN]
    query = sa.select(incoming_payments.c.id, incoming_payments.c.state, rows.c.parked)
    name = sa.literal("incomingPayments/") + incoming_payments.c.id
    query = query.outerjoin(rows, rows.c.resource == name).where(incoming_payments.c.state.in_(held))
    still = query.where(sa.or_(rows.c.resource.is_(None), rows.c.parked.is_not(None)))
    return [
        f"incomingPayments/{row.id} is in suspense as {row.state} and waits for nobody: {row.parked or 'no call'}"
        for row in connection.execute(still)
    ]


def _suspense_violations(connection: sa.Connection) -> list[str]:
    """Returns where suspense holds other than exactly the payments that aren't swept, each whole."""
    suspense = [account.id for account in account_store.of_kind(connection, Kind.SUSPENSE)]
    held = {key: amount for key, amount in ledger_store.booked_by_reference(connection, suspense).items() if amount}
    found = []
    for payment in chain.from_iterable(records.pages(connection, incoming_payments, IncomingPayment)):
        account = account_model.own(payment.bank, payment.amount.currency, Kind.SUSPENSE)
        expected = 0 if payment.state in BEHIND_NO_RETURN else payment.amount.minor_units
        booked = held.pop((account, payment.name), 0)
        if booked != expected:
            found.append(f"{payment.name} is {payment.state.value}: suspense holds {booked} of it, not {expected}")
    return found + [
        f"suspense {account} holds {amount} for {reference}" for (account, reference), amount in held.items()
    ]
