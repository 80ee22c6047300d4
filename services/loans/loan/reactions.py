"""The loan after the outcome of a call: one pure function for each step, and one for refusals."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from aval.declarations.v1 import declarations_pb2
from aval.settlement.v1 import settlement_pb2

from chassis import money, rpc
from chassis.errors import DomainError
from chassis.states import moved
from chassis.tasks import Outcome
from services.loans.loan import model, plan
from services.loans.loan.model import TRANSITIONS, Item, Loan, State, Verb
from trade import breach
from trade.breach import Breach

# The register's reason for what doesn't exist and for what nobody consented to: another's declaration tells no more.
UNSEEN = "CONSENT_MISSING"
# The event that tells of a loan after a call, by the state it has come to.
EVENTS: Mapping[State, str] = {
    State.RESERVING: "loan.valued",
    State.HOLDING_COVER: "loan.reserved",
    State.CONFIRMING: "loan.covered",
    State.DISBURSING: "loan.confirmed",
    State.ACTIVE: "loan.disbursed",
    State.REPAID: "loan.cover_released",
    State.CANCELLING: "loan.refused",
    State.CANCELLED: "loan.cancelled",
    State.CLOSED: "loan.closed",
}


BREACHED, BREACH_ENDED = "loan.breached", "loan.breach_ended"


def after_breach(loan: Loan, told: Breach) -> Loan:
    """Returns the loan after the register told of a breach of one of its declarations: a drawdown that has ordered no
    money is given up, a loan beyond that shows its bank's share.
    """
    return model.stopped(loan) if model.is_stopped_by(loan, told) else model.with_breach(loan, told)


def breach_event(before: Loan, following: Loan) -> str:
    """Returns the event of what a breach did to a loan."""
    if following.state is not before.state:
        return EVENTS[following.state]
    return BREACH_ENDED if breach.is_ended(before.breaches, following.breaches) else BREACHED


def after(loan: Loan, step: str, outcome: Outcome, on: date) -> Loan:
    """Returns the loan after a step's outcome on a business date. Raises the refusal of what can't be compensated."""
    kind, _, declaration = step.partition(" ")
    if isinstance(outcome, DomainError):
        return _refused(loan, outcome)
    return ANSWERED[kind](loan, declaration, outcome, on)


def _refused(loan: Loan, refusal: DomainError) -> Loan:
    """Gives the drawdown up before the disbursement; giving back must go through, so it is tried again."""
    if (loan.state, Verb.REFUSE) not in TRANSITIONS:
        raise refusal
    return model.refused(loan, refusal.reason)


def _item(loan: Loan, declaration: str) -> Item:
    return next(item for item in loan.items if item.declaration == declaration)


def _valued(loan: Loan, declaration: str, answer: declarations_pb2.Declaration, on: date) -> Loan:
    """Notes the register's value of a declaration; once all are known, divides the principal."""
    declared = money.from_proto(answer.declared_value)
    checks = (
        (answer.enterprise != loan.enterprise, UNSEEN),
        (declared.currency != loan.principal.currency, "CURRENCY_DIFFERS"),
    )
    for is_wrong, reason in checks:
        if is_wrong:
            return model.refused(loan, reason)
    available = money.from_proto(answer.value.available)
    item = replace(_item(loan, declaration), declared=declared, available=available)
    valued = model.with_item(loan, item)
    return valued if any(item.declared is None for item in valued.items) else _all_valued(valued, on)


def _all_valued(loan: Loan, on: date) -> Loan:
    if model.exceeds_advance(loan, on):
        return model.refused(loan, "AMOUNT_ABOVE_CAP")
    return model.allocated(loan)


def _reserved(loan: Loan, _declaration: str, _answer: Any, _on: date) -> Loan:
    return replace(loan, state=moved(TRANSITIONS, loan, Verb.RESERVE), is_encumbered=True)


def _covered(loan: Loan, declaration: str, _answer: Any, _on: date) -> Loan:
    """Goes on to the next declaration's cover, or after the last to the confirmation."""
    covered = model.with_item(loan, replace(_item(loan, declaration), is_covered=True))
    if any(item.amount and not item.is_covered for item in covered.items):
        return covered
    return replace(covered, state=moved(TRANSITIONS, covered, Verb.COVER))


def _confirmed(loan: Loan, _declaration: str, _answer: Any, _on: date) -> Loan:
    return replace(loan, state=moved(TRANSITIONS, loan, Verb.CONFIRM))


def _disbursed(loan: Loan, _declaration: str, answer: settlement_pb2.DisburseResponse, on: date) -> Loan:
    """Begins the loan on the day on which settlement moved the money, however late its answer comes."""
    return model.disbursed(loan, rpc.to_date(answer.booking_date) if answer.HasField("booking_date") else on)


def _uncovered(loan: Loan, declaration: str, _answer: Any, _on: date) -> Loan:
    return model.released(model.with_item(loan, replace(_item(loan, declaration), is_covered=False)))


def _released(loan: Loan, _declaration: str, _answer: Any, _on: date) -> Loan:
    return model.released(replace(loan, is_encumbered=False))


ANSWERED: Mapping[str, Callable[[Loan, str, Any, date], Loan]] = {
    plan.VALUE: _valued,
    plan.RESERVE: _reserved,
    plan.COVER: _covered,
    plan.CONFIRM: _confirmed,
    plan.DISBURSE: _disbursed,
    plan.UNCOVER: _uncovered,
    plan.RELEASE: _released,
}
