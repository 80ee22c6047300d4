"""Loans as rows, and the calls they owe: the only SQL of this room."""

from collections.abc import Iterator

import sqlalchemy as sa

from chassis import records
from chassis.rows import Rows, alike
from ledger import store as ledger_store
from services.loans.loan import model, plan, rpc
from services.loans.loan.model import Loan
from services.loans.tables import loans

# As the column has it.
NO_BREACHES = "[]"

LOANS = Rows(
    table=loans,
    record=Loan,
    prefix="loans/",
    views=alike(rpc.to_proto),
    noun="loan",
    plan=plan.owed,
)


def on_declaration(connection: sa.Connection, enterprise: str, declaration: str) -> list[Loan]:
    """Returns an enterprise's loans on a declaration whose drawdown a breach of it stops, or that show one."""
    states = loans.c.state.in_([state.value for state in model.SHOWING])
    concerned = loans.c.enterprise == enterprise, sa.or_(states, loans.c.breaches != NO_BREACHES)
    found = records.many(connection, sa.select(loans).where(*concerned).order_by(loans.c.id), Loan)
    return [loan for loan in found if any(item.declaration == declaration for item in loan.items)]


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
