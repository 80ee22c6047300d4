"""The payment of a bill after the outcome of a call. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from aval.declarations.v1 import records_pb2

from chassis import money
from chassis.errors import DomainError
from chassis.states import moved
from chassis.tasks import Outcome
from ledger.model import Account
from services.settlement.bill_payment import model
from services.settlement.bill_payment.model import TRANSITIONS, BillPayment, State, Verb
from services.settlement.bill_payment.plan import Step

# Ledger accounts by id, as they are: payer's, and payee's where it is open.
Accounts = Mapping[str, Account]
# The event that tells of a payment that has come to a state.
EVENTS: Mapping[State, str] = {
    State.CLAIMING: "bill_payment.ordered",
    State.POSTED: "bill_payment.posted",
    State.PAID: "bill_payment.paid",
    State.RELEASING: "bill_payment.given_up",
    State.REFUSED: "bill_payment.refused",
}


def needed(payment: BillPayment, outcome: Outcome) -> list[str]:
    """Returns the ids of the ledger accounts that `after` asks for: of the payer and of the payee in the answer."""
    payees = [outcome.bill.payee] if isinstance(outcome, records_pb2.Record) else []
    return [payment.debit_account, *(model.payee_account(payment, payee) for payee in payees)]


def after(payment: BillPayment, step: str, outcome: Outcome, accounts: Accounts) -> BillPayment:
    """Returns the payment after a step's outcome, by the ledger's accounts as they are."""
    return _REACTIONS[Step(step)](payment, outcome, accounts)


def _move(payment: BillPayment, verb: Verb, **changes: Any) -> BillPayment:
    return replace(payment, state=moved(TRANSITIONS, payment, verb), **changes)


def _claimed(payment: BillPayment, outcome: Outcome, accounts: Accounts) -> BillPayment:
    """Posts a claimed bill, if there is enough money and it can move; gives it up otherwise."""
    if isinstance(outcome, DomainError):
        return _move(payment, Verb.REFUSE, reason=outcome.reason)
    assert isinstance(outcome, records_pb2.Record)
    bill = outcome.bill
    billed = money.from_proto(bill.amount)
    late_fee = money.from_proto(bill.late_fee.amount) if bill.HasField("late_fee") else billed.zero()
    if reason := model.unpayable(payment, bill.payee, [billed, late_fee]):
        return _move(payment, Verb.GIVE_UP, reason=reason)
    claimed = replace(payment, amount=billed + late_fee, late_fee=late_fee, payee=bill.payee)
    if reason := model.unmovable(claimed, accounts):
        return _move(claimed, Verb.GIVE_UP, reason=reason)
    return _move(claimed, Verb.POST)


def _released(payment: BillPayment, _outcome: Outcome, _accounts: Accounts) -> BillPayment:
    """Ends the payment: nothing was paid, whatever the register says."""
    return _move(payment, Verb.REFUSE)


def _confirmed(payment: BillPayment, outcome: Outcome, _accounts: Accounts) -> BillPayment:
    reason = outcome.reason if isinstance(outcome, DomainError) else ""
    return _move(payment, Verb.CONFIRM, reason=reason)


_REACTIONS: Mapping[Step, Callable[[BillPayment, Outcome, Accounts], BillPayment]] = {
    Step.CLAIM: _claimed,
    Step.RELEASE: _released,
    Step.CONFIRM: _confirmed,
}
