"""Loans as rows, the calls they owe, and the accounts behind them: the only SQL of this room."""

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from chassis import records, tasks
from chassis.command import Transaction
from chassis.errors import NotFound
from chassis.tasks import Outcome, Saga
from ledger import store as ledger
from services.loans.loan import drawdown, model, reactions, rpc
from services.loans.loan.model import Loan, State
from services.loans.tables import loans

# What a loan's event is called after a call, by the state it has come to.
EVENTS: Mapping[State, str] = {
    State.RESERVING: "loan.valued",
    State.HOLDING_COVER: "loan.reserved",
    State.CONFIRMING: "loan.covered",
    State.DISBURSING: "loan.confirmed",
    State.ACTIVE: "loan.disbursed",
    State.REPAID: "loan.cover_released",
    State.CANCELLING: "loan.refused",
    State.CANCELLED: "loan.cancelled",
    State.CLOSED: "loan.closed",
}


def load(connection: sa.Connection, name: str) -> Loan | None:
    """A loan by its name."""
    return records.one(connection, loans, Loan, loans.c.id == name.removeprefix("loans/"))


def find(connection: sa.Connection, name: str, tenant: str) -> Loan:
    """The loan, if the tenant is its bank or its borrower. NotFound otherwise."""
    loan = load(connection, name)
    if loan is None or tenant not in (loan.bank, loan.enterprise):
        raise NotFound(resource=name)
    return loan


def of_party(tenant: str) -> Any:
    """A query of the loans that a tenant gave or took."""
    return sa.select(loans).where(sa.or_(loans.c.bank == tenant, loans.c.enterprise == tenant))


def add(transaction: Transaction, loan: Loan, event: str) -> None:
    """A new loan, with its event."""
    records.insert(transaction.connection, loans, loan)
    _after_write(transaction, loan, event)


def save(transaction: Transaction, loan: Loan, event: str) -> Loan:
    """A changed loan, with its event and what it owes now."""
    fresh = records.update(transaction.connection, loans, loan)
    _after_write(transaction, fresh, event)
    return fresh


def _after_write(transaction: Transaction, loan: Loan, event: str) -> None:
    transaction.append(event, loan.name, rpc.to_proto(loan), [loan.bank, loan.enterprise])
    tasks.follow(transaction, "loan", drawdown.plan, loan)


def _react(transaction: Transaction, loan: Loan, step: str, outcome: Outcome) -> None:
    changed = reactions.after(loan, step, outcome, transaction.business_date)
    if step == drawdown.DISBURSE and changed.state is State.ACTIVE:
        ledger.open_accounts(transaction.connection, model.opening_accounts(changed))
        ledger.post(transaction, model.disbursement(changed))
    save(transaction, changed, EVENTS[changed.state])


def _unfinished(connection: sa.Connection) -> Iterator[Loan]:
    states = [state.value for state in drawdown.PLANS]
    query = sa.select(loans).where(loans.c.state.in_(states)).order_by(loans.c.id)
    yield from records.many(connection, query, Loan)


def violations(connection: sa.Connection) -> Iterator[str]:
    """Where loans and their accounts disagree, a page at a time."""
    for page in records.pages(connection, loans, Loan):
        wanted = [model.part_id(loan.name, part) for loan in page for part in model.Part]
        accounts = ledger.accounts(connection, wanted)
        for loan in page:
            yield from model.disagreements(loan, accounts)


SAGA = Saga("loan", load, drawdown.plan, _react, _unfinished)
