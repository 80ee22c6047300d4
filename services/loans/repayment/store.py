"""Repayments as rows: the only SQL of this room."""

from collections.abc import Iterable

import sqlalchemy as sa

from chassis import records
from chassis.command import Transaction
from services.loans.repayment.model import Repayment, State
from services.loans.tables import repayments


def load(connection: sa.Connection, identifier: str) -> Repayment | None:
    """A repayment by its id."""
    return records.one(connection, repayments, Repayment, repayments.c.id == identifier)


def of_loan(connection: sa.Connection, loan: str, states: Iterable[State]) -> list[Repayment]:
    """A loan's repayments in these states."""
    wanted = [state.value for state in states]
    query = sa.select(repayments).where(repayments.c.loan == loan, repayments.c.state.in_(wanted))
    return records.many(connection, query, Repayment)


def add(transaction: Transaction, repayment: Repayment) -> None:
    """A new repayment; the loan's events tell of it."""
    records.insert(transaction.connection, repayments, repayment)


def save(transaction: Transaction, repayment: Repayment) -> Repayment:
    """A changed repayment."""
    return records.update(transaction.connection, repayments, repayment)
