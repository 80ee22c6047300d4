"""The way of a bill's payment: plan, reactions, effects and rows, joined."""

from chassis import states
from chassis.command import Transaction
from chassis.tasks import Outcome, Saga
from ledger import store as ledger_store
from services.settlement.bill_payment import plan, reactions, store
from services.settlement.bill_payment.effects import ENTERING
from services.settlement.bill_payment.model import BillPayment
from services.settlement.bill_payment.store import BILL_PAYMENTS


def react(transaction: Transaction, payment: BillPayment, step: str, outcome: Outcome) -> None:
    """Takes a step's outcome. Raises LedgerRefused where the money went elsewhere meanwhile: then it is tried again."""
    accounts = ledger_store.accounts(transaction.connection, reactions.needed(payment, outcome))
    after = reactions.after(payment, step, outcome, accounts)
    states.enter(transaction, payment, [after], ENTERING, _save)


def _save(transaction: Transaction, payment: BillPayment) -> BillPayment:
    return BILL_PAYMENTS.save(transaction, payment, reactions.EVENTS[payment.state])


SAGA = Saga(BILL_PAYMENTS.noun, BILL_PAYMENTS.load, plan.owed, react, store.unfinished)
