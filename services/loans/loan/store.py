"""Loans as rows, and the calls they owe: the only SQL of this room."""

from collections.abc import Iterator

import sqlalchemy as sa

from chassis import records, tasks
from chassis.command import Transaction
from chassis.errors import NotFound
from chassis.participants import Participation, join, tenants
from ledger import store as ledger_store
from services.loans.loan import model, plan, rpc
from services.loans.loan.model import Loan
from services.loans.tables import loans

NOUN = "loan"

LOANS = Participation("loans", loans, Loan)


def load(connection: sa.Connection, name: str) -> Loan | None:
    """Returns the loan of a resource name; None where there is none."""
    return records.one(connection, loans, Loan, loans.c.id == name.removeprefix("loans/"))


def find(connection: sa.Connection, name: str, tenant: str) -> Loan:
    """Returns the loan, if the tenant is its bank or its borrower. Raises NotFound otherwise."""
    loan = load(connection, name)
    if loan is None or tenant not in tenants(loan):
        raise NotFound(resource=name)
    return loan


def add(transaction: Transaction, loan: Loan, event: str) -> None:
    """Adds a loan, with its event and what it owes."""
    records.insert(transaction.connection, loans, loan)
    join(transaction.connection, loan.name, loan.participants)
    _after_write(transaction, loan, event)


def save(transaction: Transaction, loan: Loan, event: str) -> Loan:
    """Saves a changed loan, with its event and what it owes now; returns it with its new revision."""
    fresh = records.update(transaction.connection, loans, loan)
    _after_write(transaction, fresh, event)
    return fresh


def _after_write(transaction: Transaction, loan: Loan, event: str) -> None:
    transaction.append(event, loan.name, rpc.to_proto(loan), tenants(loan))
    tasks.follow(transaction, NOUN, plan.owed, loan)


def unfinished(connection: sa.Connection) -> Iterator[Loan]:
    """Yields the loans that owe a call."""
    states = [state.value for state in plan.PLANS]
    query = sa.select(loans).where(loans.c.state.in_(states)).order_by(loans.c.id)
    yield from records.many(connection, query, Loan)


def violations(connection: sa.Connection) -> Iterator[str]:
    """Yields where loans and their accounts disagree, a page at a time."""
    for page in records.pages(connection, loans, Loan):
        wanted = [model.part_id(loan.name, part) for loan in page for part in model.Part]
        accounts = ledger_store.accounts(connection, wanted)
        for loan in page:
            yield from model.disagreements(loan, accounts)
