"""Loans as rows, and the calls they owe: the only SQL of this room."""

from collections.abc import Iterator

import sqlalchemy as sa

from chassis import records
from chassis.rows import Rows, alike
from ledger import store as ledger_store
from services.loans.loan import books, model, plan, rpc
from services.loans.loan.model import Loan
from services.loans.tables import loans
from trade.tables import deadlines

# As the column has it.
NO_BREACHES = "[]"
# The field of a loan that is a deadline.
MATURITY = "maturity_date"

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
    """Yields where loans and their accounts, or their maturity and its deadline, disagree."""
    yield from _of_deadlines(connection)
    for page in records.pages(connection, loans, Loan):
        wanted = [books.part_id(loan.name, part) for loan in page for part in books.Part]
        accounts = ledger_store.accounts(connection, wanted)
        for loan in page:
            yield from books.disagreements(loan, accounts)


def _of_deadlines(connection: sa.Connection) -> Iterator[str]:
    """Yields active loans that end on another day than their deadline, or are provisional where it isn't."""
    this = sa.and_(deadlines.c.resource == sa.literal("loans/").concat(loans.c.id), deadlines.c.field == MATURITY)
    differs = sa.or_(
        deadlines.c.date != loans.c.maturity_date, deadlines.c.is_provisional != loans.c.is_maturity_provisional
    )
    query = sa.select(loans.c.id, loans.c.maturity_date, deadlines.c.date).join(deadlines, this)
    for row in connection.execute(query.where(differs, loans.c.state == model.State.ACTIVE.value)):
        yield f"DT2: loans/{row.id} ends on {row.maturity_date}, its deadline is {row.date}, or one is provisional"
