"""What a call's outcome makes of a bill's payment."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from chassis import money
from chassis.command import Transaction
from chassis.errors import DomainError
from chassis.states import moved
from chassis.tasks import Outcome
from ledger import store as ledger
from services.settlement.account import store as accounts
from services.settlement.account.model import Kind
from services.settlement.bill_payment import model
from services.settlement.bill_payment.model import INSUFFICIENT_FUNDS, TRANSITIONS, BillPayment, Step, Verb

Reaction = Callable[[Transaction, BillPayment, Outcome], BillPayment]


def after(transaction: Transaction, payment: BillPayment, step: str, outcome: Outcome) -> BillPayment:
    """The payment after a step's outcome."""
    return _REACTIONS[Step(step)](transaction, payment, outcome)


def _move(payment: BillPayment, verb: Verb, **changes: Any) -> BillPayment:
    return replace(payment, state=moved(TRANSITIONS, payment, verb), **changes)


def _claimed(transaction: Transaction, payment: BillPayment, outcome: Outcome) -> BillPayment:
    """The bill is this payment's: the money moves, if there is enough and it can."""
    if isinstance(outcome, DomainError):
        return _move(payment, Verb.REFUSE, reason=outcome.reason)
    record: Any = outcome
    billed = money.from_proto(record.bill.amount)
    late_fee = money.from_proto(record.bill.late_fee.amount) if record.bill.HasField("late_fee") else billed.zero()
    if reason := model.unpayable(payment, record.bill.payee, [billed, late_fee]):
        return _move(payment, Verb.GIVE_UP, reason=reason)
    return _paid(transaction, replace(payment, amount=billed + late_fee, late_fee=late_fee, payee=record.bill.payee))


def _paid(transaction: Transaction, claimed: BillPayment) -> BillPayment:
    assert claimed.amount is not None
    balance = ledger.accounts(transaction.connection, [claimed.debit_account])[claimed.debit_account]
    if balance.available_to_debit < claimed.amount.minor_units:
        return _move(claimed, Verb.GIVE_UP, reason=INSUFFICIENT_FUNDS)
    payee = accounts.ensure(transaction, claimed.bank, claimed.payee, claimed.amount.currency, Kind.CURRENT)
    try:
        ledger.post(transaction, model.pay_transfer(claimed, payee.id))
    except ledger.LedgerRefused as refusal:
        return _move(claimed, Verb.GIVE_UP, reason=refusal.reason)
    accounts.tell(transaction, "account.credited", payee)
    return _move(claimed, Verb.POST)


def _released(_transaction: Transaction, payment: BillPayment, _outcome: Outcome) -> BillPayment:
    """Nothing was paid, whatever the register says."""
    return _move(payment, Verb.REFUSE)


def _confirmed(_transaction: Transaction, payment: BillPayment, outcome: Outcome) -> BillPayment:
    reason = outcome.reason if isinstance(outcome, DomainError) else ""
    return _move(payment, Verb.CONFIRM, reason=reason)


_REACTIONS: Mapping[Step, Reaction] = {
    Step.CLAIM: _claimed,
    Step.RELEASE: _released,
    Step.CONFIRM: _confirmed,
}
