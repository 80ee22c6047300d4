"""The way of a bill's payment: plan, reactions, effects and rows, joined."""

from chassis import states
from chassis.command import Transaction
from chassis.tasks import Outcome, Saga
from ledger import store as ledger_store
from services.settlement.bill_payment import plan, reactions, store
from services.settlement.bill_payment.effects import ENTERING
from services.settlement.bill_payment.model import BillPayment, State
from services.settlement.bill_payment.store import BILL_PAYMENTS
from trade.derivations import rules
from trade.derivations import store as derivation_store
from trade.derivations.shared import SHARED
from trade.derivations.store import Entry


def react(transaction: Transaction, payment: BillPayment, step: str, outcome: Outcome) -> None:
    """Takes a step's outcome. Raises LedgerRefused where the money went elsewhere meanwhile: then it is tried again."""
    accounts = ledger_store.accounts(transaction.connection, reactions.needed(payment, outcome))
    after = reactions.after(payment, step, outcome, accounts)
    derivation_store.put(transaction, SHARED, _amount(after) if after.state is State.POSTED else [])
    states.enter(transaction, payment, [after], ENTERING, _save)


def _amount(payment: BillPayment) -> list[Entry]:
    """Returns how the amount of a claimed bill's payment came about: the bill, and its late fee."""
    assert payment.amount is not None, f"{payment.name} isn't claimed"
    assert payment.late_fee is not None, f"{payment.name} isn't claimed"
    billed = rules.field(payment.amount - payment.late_fee, payment.bill, "bill.amount")
    late_fee = rules.field(payment.late_fee, payment.bill, "bill.late_fee.amount")
    return [Entry(payment.name, "amount", rules.summed([billed, late_fee], payment.currency))]


def _save(transaction: Transaction, payment: BillPayment) -> BillPayment:
    return BILL_PAYMENTS.save(transaction, payment, reactions.EVENTS[payment.state])


SAGA = Saga(BILL_PAYMENTS.noun, BILL_PAYMENTS.load, plan.owed, react, store.unfinished)
