"""The way of a payment in: plan, reactions, effects and rows, joined."""

from collections.abc import Sequence

from chassis import states
from chassis.command import Transaction
from chassis.tasks import Outcome, Saga
from services.settlement.incoming_payment import effects, plan, reactions, rules, store
from services.settlement.incoming_payment.model import IncomingPayment
from services.settlement.incoming_payment.store import INCOMING_PAYMENTS
from trade.derivations import store as derivation_store
from trade.derivations.rules import Rules
from trade.derivations.shared import SHARED

RULES: Rules = {**SHARED, **rules.INCOMING}


def receive(transaction: Transaction, payment: IncomingPayment) -> None:
    """Takes a payment in: its money into suspense, its row with what it owes."""
    effects.receive(transaction, payment)
    INCOMING_PAYMENTS.add(transaction, payment, "payment.received")


def move(transaction: Transaction, before: IncomingPayment, path: Sequence[IncomingPayment]) -> IncomingPayment:
    """Takes a payment through the states of a path, each with its effects and its event; returns it as saved last."""
    if rules.is_divided_now(before, path[-1]):
        derivation_store.put(transaction, RULES, rules.parts(path[-1]))
    return states.enter(transaction, before, path, effects.ENTERING, _save)


def _save(transaction: Transaction, payment: IncomingPayment) -> IncomingPayment:
    return INCOMING_PAYMENTS.save(transaction, payment, reactions.EVENTS[payment.state])


def react(transaction: Transaction, payment: IncomingPayment, step: str, outcome: Outcome) -> None:
    """Takes a step's outcome. Raises the refusal of what can't be compensated any more."""
    move(transaction, payment, reactions.after(payment, step, outcome))


SAGA = Saga(INCOMING_PAYMENTS.noun, INCOMING_PAYMENTS.load, plan.owed, react, store.unfinished)
