"""The drawdown of a loan and its end: plan, reactions, effects and rows, joined."""

from functools import partial

from chassis import database, states
from chassis.command import Transaction
from chassis.tasks import Outcome, Saga
from services.loans.loan import maturity, plan, reactions, store
from services.loans.loan.effects import ENTERING
from services.loans.loan.model import Loan
from services.loans.loan.store import LOANS
from trade.breach import Breach


def react(transaction: Transaction, loan: Loan, step: str, outcome: Outcome) -> None:
    """Takes a step's outcome. Raises the refusal of what can't be compensated."""
    after = maturity.fixed(transaction, loan, reactions.after(loan, step, outcome, transaction.business_date))
    states.enter(transaction, loan, [after], ENTERING, _save)


def follow_breach(transaction: Transaction, told: Breach) -> None:
    """Takes what the register told of a breach, to every loan on its asset that it concerns."""
    connection = transaction.connection
    database.lock(connection, [loan.name for loan in store.on_declaration(connection, told.enterprise, told.asset)])
    for loan in store.on_declaration(connection, told.enterprise, told.asset):
        after = reactions.after_breach(loan, told)
        if after != loan:
            save = partial(LOANS.save, event=reactions.breach_event(loan, after))
            states.enter(transaction, loan, [after], ENTERING, save)


def _save(transaction: Transaction, loan: Loan) -> Loan:
    return LOANS.save(transaction, loan, reactions.EVENTS[loan.state])


SAGA = Saga(LOANS.noun, LOANS.load, plan.owed, react, store.unfinished)
