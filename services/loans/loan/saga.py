"""The drawdown of a loan and its end: plan, reactions, effects and rows, joined."""

from chassis import states
from chassis.command import Transaction
from chassis.tasks import Outcome, Saga
from services.loans.loan import plan, reactions, store
from services.loans.loan.effects import ENTERING
from services.loans.loan.model import Loan
from services.loans.loan.store import LOANS


def react(transaction: Transaction, loan: Loan, step: str, outcome: Outcome) -> None:
    """Takes a step's outcome. Raises the refusal of what can't be compensated."""
    after = reactions.after(loan, step, outcome, transaction.business_date)
    states.enter(transaction, loan, [after], ENTERING, _save)


def _save(transaction: Transaction, loan: Loan) -> Loan:
    return LOANS.save(transaction, loan, reactions.EVENTS[loan.state])


SAGA = Saga(LOANS.noun, LOANS.load, plan.owed, react, store.unfinished)
