"""What a call's outcome makes of a payment: pure; every state it passes, in order."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from chassis import money
from chassis.errors import DomainError
from chassis.states import moved
from chassis.tasks import Outcome
from services.settlement.incoming_payment import model
from services.settlement.incoming_payment.model import TRANSITIONS, IncomingPayment, State, Step, Verb


def after(payment: IncomingPayment, step: str, outcome: Outcome) -> list[IncomingPayment]:
    """The payment after a step's outcome, and on as far as no call is needed."""
    verb, _, loan = step.partition(" ")
    path = [_REACTIONS[Step(verb)](payment, loan, outcome)]
    while following := _onward(path[-1]):
        path.append(following)
    return path


def _move(payment: IncomingPayment, verb: Verb, **changes: Any) -> IncomingPayment:
    return replace(payment, state=moved(TRANSITIONS, payment, verb), **changes)


def park(payment: IncomingPayment, reason: str) -> IncomingPayment:
    """A person decides; what isn't applied names no declaration."""
    declaration = payment.declaration if payment.is_applied else ""
    return _move(payment, Verb.PARK, declaration=declaration, reason=reason)


def _match(payment: IncomingPayment, _loan: str, outcome: Outcome) -> IncomingPayment:
    if isinstance(outcome, DomainError):
        return park(payment, outcome.reason)
    declaration: Any = outcome
    reason = model.mismatch(payment, declaration)
    return park(payment, reason) if reason else _move(payment, Verb.MATCH, reason="")


def _apply(payment: IncomingPayment, _loan: str, outcome: Outcome) -> IncomingPayment:
    if isinstance(outcome, DomainError):
        return park(payment, outcome.reason)
    applied: Any = outcome
    collections = model.with_settled(payment, applied.settled_encumbrances)
    return _move(payment, Verb.APPLY, is_applied=True, collections=collections)


def _collect(payment: IncomingPayment, loan: str, outcome: Outcome) -> IncomingPayment:
    if isinstance(outcome, DomainError):
        return _uncollected(payment, loan, outcome)
    repayment: Any = outcome
    amount, interest = money.from_proto(repayment.amount), money.from_proto(repayment.interest)
    asked = next(one for one in payment.collections if one.loan == loan)
    assert amount.zero() <= interest <= amount <= model.collectable(payment, asked), f"{loan} takes {amount}"
    return _move(model.with_collection(payment, loan, amount=amount, interest=interest), Verb.COLLECT)


def _uncollected(payment: IncomingPayment, loan: str, refusal: DomainError) -> IncomingPayment:
    """Its part is the exporter's where the loan owes nothing; otherwise nothing may be paid out yet."""
    if not model.owes_nothing(refusal):
        return park(payment, refusal.reason)
    nothing = payment.amount.zero()
    collected = model.with_collection(payment, loan, amount=nothing, interest=nothing, refusal=refusal.reason)
    return _move(collected, Verb.COLLECT)


def _confirm(payment: IncomingPayment, loan: str, outcome: Outcome) -> IncomingPayment:
    refusal = outcome.reason if isinstance(outcome, DomainError) else ""
    return model.with_collection(payment, loan, is_confirmed=True, refusal=refusal)


def _release(payment: IncomingPayment, _loan: str, outcome: Outcome) -> IncomingPayment:
    reason = outcome.reason if isinstance(outcome, DomainError) else ""
    return _move(payment, Verb.COMPLETE, reason=reason)


_REACTIONS: Mapping[Step, Callable[[IncomingPayment, str, Outcome], IncomingPayment]] = {
    Step.MATCH: _match,
    Step.APPLY: _apply,
    Step.COLLECT: _collect,
    Step.CONFIRM: _confirm,
    Step.RELEASE: _release,
}


def _onward(payment: IncomingPayment) -> IncomingPayment | None:
    """The next state where nothing is owed in this one."""
    if payment.state in (State.APPLIED, State.COLLECTING) and model.plan(payment) is None:
        return _move(payment, Verb.SWEEP, remainder=payment.amount - payment.collected)
    if payment.state is State.SWEPT and model.plan(payment) is None:
        return _move(payment, Verb.CONFIRM)
    return None
