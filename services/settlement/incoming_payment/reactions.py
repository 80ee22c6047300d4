"""A payment in after the outcome of a call: every state that it passes, in order. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from chassis import money
from chassis.errors import DomainError
from chassis.states import moved
from chassis.tasks import Outcome
from services.settlement.incoming_payment import model, plan
from services.settlement.incoming_payment.model import TRANSITIONS, IncomingPayment, State, Verb
from services.settlement.incoming_payment.plan import Step

# The event that tells of a payment that has come to a state.
EVENTS: Mapping[State, str] = {
    State.RECEIVED: "payment.named",
    State.MATCHED: "payment.matched",
    State.APPLIED: "payment.applied",
    State.COLLECTING: "payment.collected",
    State.SWEPT: "payment.swept",
    State.CONFIRMED: "payment.confirmed",
    State.COMPLETED: "payment.completed",
    State.UNMATCHED: "payment.parked",
    State.CREDITED: "payment.credited",
    State.RETURNED: "payment.returned",
}


def after(payment: IncomingPayment, step: str, outcome: Outcome) -> list[IncomingPayment]:
    """Returns the payment after a step's outcome, and every state it passes on as far as no call is needed.

    Raises the refusal of what can't be compensated any more: it is asked again.
    """
    verb, _, about = step.partition(" ")
    return onward(_REACTIONS[Step(verb)](payment, about, outcome))


def onward(payment: IncomingPayment) -> list[IncomingPayment]:
    """Returns the payment, and every state it passes from there as far as no call is needed."""
    path = [payment]
    while following := _onward(path[-1]):
        path.append(following)
    return path


def _move(payment: IncomingPayment, verb: Verb, **changes: Any) -> IncomingPayment:
    return replace(payment, state=moved(TRANSITIONS, payment, verb), **changes)


def park(payment: IncomingPayment, reason: str) -> IncomingPayment:
    """Returns the payment parked for a person to decide; what isn't applied names no declaration."""
    parts = payment.parts if payment.is_applied else ()
    return _move(payment, Verb.PARK, parts=parts, reason=reason)


def _match(payment: IncomingPayment, declaration: str, outcome: Outcome) -> IncomingPayment:
    _expect(payment, State.RECEIVED)
    if isinstance(outcome, DomainError):
        return park(payment, outcome.reason)
    receivable: Any = outcome
    if reason := model.mismatch(payment, receivable):
        return park(payment, reason)
    return model.with_part(payment, declaration, owed=money.from_proto(receivable.unpaid))


def _expect(payment: IncomingPayment, *states: State) -> None:
    assert payment.state in states, f"{payment.name} is {payment.state.value}"


def _apply(payment: IncomingPayment, declaration: str, outcome: Outcome) -> IncomingPayment:
    _expect(payment, State.MATCHED)
    if isinstance(outcome, DomainError):
        return park(payment, outcome.reason)
    applied: Any = outcome
    counted = model.with_settled(payment, declaration, applied.settled_encumbrances)
    return _unless_owing(model.with_part(counted, declaration, is_applied=True), Verb.APPLY)


def _unless_owing(payment: IncomingPayment, verb: Verb) -> IncomingPayment:
    """Returns the payment moved on where its state owes no more calls."""
    return payment if plan.owed(payment) else _move(payment, verb)


def _collect(payment: IncomingPayment, encumbrance: str, outcome: Outcome) -> IncomingPayment:
    if isinstance(outcome, DomainError):
        return _uncollected(payment, encumbrance, outcome)
    repayment: Any = outcome
    amount, interest = money.from_proto(repayment.amount), money.from_proto(repayment.interest)
    collection = model.collection_of(payment, encumbrance)
    most = model.collectable(payment, collection)
    assert amount.zero() <= interest <= amount <= most, f"{collection.loan} takes {amount}"
    unsecured = money.from_proto(repayment.unsecured)
    fixed = model.with_collection(payment, encumbrance, amount=amount, interest=interest, unsecured=unsecured)
    return _move(fixed, Verb.COLLECT)


def _uncollected(payment: IncomingPayment, encumbrance: str, refusal: DomainError) -> IncomingPayment:
    """Leaves the part to the exporter where the loan owes nothing; otherwise nothing may be paid out yet."""
    if not model.owes_nothing(refusal):
        return park(payment, refusal.reason)
    nothing = payment.amount.zero()
    collected = model.with_collection(payment, encumbrance, amount=nothing, interest=nothing, refusal=refusal.reason)
    return _move(collected, Verb.COLLECT)


def _restore(payment: IncomingPayment, encumbrance: str, outcome: Outcome) -> IncomingPayment:
    restored = payment.amount.zero()
    if not isinstance(outcome, DomainError):
        answer: Any = outcome
        restored = money.from_proto(answer.restored)
    return _noted(payment, encumbrance, outcome, is_restored=True, restored=restored)


def _confirm(payment: IncomingPayment, encumbrance: str, outcome: Outcome) -> IncomingPayment:
    return _noted(payment, encumbrance, outcome, is_confirmed=True)


def _noted(payment: IncomingPayment, encumbrance: str, outcome: Outcome, **changes: Any) -> IncomingPayment:
    refusal = outcome.reason if isinstance(outcome, DomainError) else ""
    collection = model.collection_of(payment, encumbrance)
    return model.with_collection(payment, encumbrance, refusal=refusal or collection.refusal, **changes)


def _release(payment: IncomingPayment, declaration: str, outcome: Outcome) -> IncomingPayment:
    """Notes the release. A refused one stays owed: its exposure would use up the buyer's limit for ever."""
    _expect(payment, State.CONFIRMED)
    if isinstance(outcome, DomainError):
        raise outcome
    return _unless_owing(model.with_part(payment, declaration, is_released=True), Verb.COMPLETE)


_REACTIONS: Mapping[Step, Callable[[IncomingPayment, str, Outcome], IncomingPayment]] = {
    Step.MATCH: _match,
    Step.APPLY: _apply,
    Step.COLLECT: _collect,
    Step.RESTORE: _restore,
    Step.CONFIRM: _confirm,
    Step.RELEASE: _release,
}


def _sweep(payment: IncomingPayment) -> IncomingPayment:
    return _move(payment, Verb.SWEEP, remainder=payment.amount - payment.collected)


# How a payment goes on from a state in which it owes no call.
_ONWARD: Mapping[State, Callable[[IncomingPayment], IncomingPayment]] = {
    State.RECEIVED: lambda payment: _move(model.with_amounts(payment), Verb.MATCH, reason=""),
    State.MATCHED: lambda payment: _move(payment, Verb.APPLY),
    State.APPLIED: _sweep,
    State.COLLECTING: _sweep,
    State.SWEPT: lambda payment: _move(payment, Verb.CONFIRM),
}


def _onward(payment: IncomingPayment) -> IncomingPayment | None:
    """Returns the next state of a payment that owes nothing in this one; None where it stays."""
    following = _ONWARD.get(payment.state)
    return following(payment) if following and plan.owed(payment) is None else None
