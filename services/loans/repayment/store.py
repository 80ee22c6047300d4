"""Repayments as rows: the only SQL of this room."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from chassis import records
from chassis.rows import Rows
from services.loans.repayment.model import Repayment, State
from services.loans.tables import repayments

# The loan's events tell of its repayments.
REPAYMENTS: Rows[Repayment, Any] = Rows(table=repayments, record=Repayment, prefix="repayments/", is_listed=False)


def of_loan(connection: sa.Connection, loan: str, states: Iterable[State]) -> list[Repayment]:
    """Returns the repayments of a loan in these states."""
    wanted = [state.value for state in states]
    query = sa.select(repayments).where(repayments.c.loan == loan, repayments.c.state.in_(wanted))
    return records.many(connection, query, Repayment)
