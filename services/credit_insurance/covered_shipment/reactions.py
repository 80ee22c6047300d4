"""A covered shipment after the outcome of a call. Pure: buyers' payments and the business date are handed in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from aval.declarations.v1 import declarations_pb2

from chassis import money
from chassis.errors import DomainError
from chassis.money import Money
from chassis.states import moved
from chassis.tasks import Outcome
from services.credit_insurance.covered_shipment import model, plan
from services.credit_insurance.covered_shipment.model import (
    TRANSITIONS,
    CoveredShipment,
    ExposurePayment,
    State,
    Verb,
)
from trade import breach

# The declaration stands, but is another exporter's: said as if there were none.
FOREIGN_DECLARATION = "DECLARATION_NOT_FOUND"
# The event that tells of a shipment that has come to a state.
EVENTS: Mapping[State, str] = {
    State.VALUE_RESERVED: "covered_shipment.value_reserved",
    State.VALUE_MARKED: "covered_shipment.value_marked",
    State.COVERED: "covered_shipment.covered",
    State.CANCELLING: "covered_shipment.cancelling",
    State.REFUSED: "covered_shipment.refused",
    State.CLOSED: "covered_shipment.closed",
}
# The cause that transfers name which free exposure after a step, where it leaves cover in force.
CAUSES: Mapping[str, Callable[[CoveredShipment], str]] = {
    plan.COLLECT: lambda _shipment: "in force",
    plan.LOOK: lambda shipment: f"look {shipment.looked_date}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """The things that a reaction needs beside the outcome: the payments of the declaration, and the business date."""

    payments: Sequence[ExposurePayment]
    on: date


def after(shipment: CoveredShipment, step: str, outcome: Outcome, knowledge: Knowledge) -> CoveredShipment:
    """Returns the shipment after a step's outcome. Raises the refusal of a look, which is asked for again."""
    on_response, on_refusal = REACTIONS[step]
    if isinstance(outcome, DomainError):
        return on_refusal(shipment, outcome)
    return on_response(shipment, outcome, knowledge)


def event(before: CoveredShipment, following: CoveredShipment) -> str:
    """Returns the event of a change; empty where only what the shipment owes has changed: nobody is told."""
    return "" if following.state is before.state else EVENTS[following.state]


def breach_event(before: CoveredShipment, following: CoveredShipment) -> str:
    """Returns the event of what a breach did to a shipment."""
    is_ended = breach.is_ended(before.breaches, following.breaches)
    return "covered_shipment.breach_ended" if is_ended else "covered_shipment.breached"


def _move(shipment: CoveredShipment, verb: Verb, **changes: Any) -> CoveredShipment:
    return replace(shipment, state=moved(TRANSITIONS, shipment, verb), **changes)


def _reserved(
    shipment: CoveredShipment, encumbrance: declarations_pb2.Encumbrance, _knowledge: Knowledge
) -> CoveredShipment:
    """Notes which part of the value reserved stands for the covered part of the invoice."""
    if encumbrance.enterprise != shipment.enterprise:
        return _move(shipment, Verb.CANCEL, refusal_reason=FOREIGN_DECLARATION)
    part = model.insured_part(*reserved(encumbrance), shipment.covered_amount)
    return _move(shipment, Verb.VALUE_RESERVED, insured_value=part)


def reserved(encumbrance: declarations_pb2.Encumbrance) -> tuple[Money, Money]:
    """Returns how much the register has reserved, in the declaration's currency, and for what amount."""
    (item,) = encumbrance.items
    claimed = item.claimed if item.HasField("claimed") else item.amount
    return money.from_proto(item.amount), money.from_proto(claimed)


def _confirmed(
    shipment: CoveredShipment, encumbrance: declarations_pb2.Encumbrance, knowledge: Knowledge
) -> CoveredShipment:
    """Notes what was paid until now: it isn't of what is covered. Told payments without amounts all are."""
    (item,) = encumbrance.items
    told, are_all_known = model.told(knowledge.payments, item.amount.currency_code)
    before = money.from_proto(item.paid) if are_all_known else told
    return _move(shipment, Verb.VALUE_CONFIRMED, paid_before=before)


def _collected(shipment: CoveredShipment, _response: Any, knowledge: Knowledge) -> CoveredShipment:
    return _move(shipment, Verb.PREMIUM_COLLECTED, looked_date=knowledge.on)


def _looked(
    shipment: CoveredShipment, encumbrance: declarations_pb2.Encumbrance, _knowledge: Knowledge
) -> CoveredShipment:
    """Takes the register's word where it knows of less than was told: a payment of long ago, value given up."""
    looked = replace(shipment, look_date=None, looked_date=shipment.look_date)
    for item in encumbrance.items:
        looked = model.with_look(looked, money.from_proto(item.amount), money.from_proto(item.settled))
    return looked


def _released(shipment: CoveredShipment, _response: Any, _knowledge: Knowledge) -> CoveredShipment:
    return _move(shipment, Verb.VALUE_RELEASED)


def _cancelled(shipment: CoveredShipment, refusal: DomainError) -> CoveredShipment:
    return _move(shipment, Verb.CANCEL, refusal_reason=refusal.reason)


def _look_refused(_shipment: CoveredShipment, refusal: DomainError) -> CoveredShipment:
    """Raises the refusal: nothing is known, so it is asked again."""
    raise refusal


def _not_held(shipment: CoveredShipment, _refusal: DomainError) -> CoveredShipment:
    """Ends the release: the register refuses only what it doesn't hold for us, so nothing is held either way."""
    return _move(shipment, Verb.VALUE_RELEASED)


OnResponse = Callable[[CoveredShipment, Any, Knowledge], CoveredShipment]
OnRefusal = Callable[[CoveredShipment, DomainError], CoveredShipment]
# By step: the reaction to a response, and to a refusal.
REACTIONS: Mapping[str, tuple[OnResponse, OnRefusal]] = {
    plan.RESERVE: (_reserved, _cancelled),
    plan.CONFIRM: (_confirmed, _cancelled),
    plan.COLLECT: (_collected, _cancelled),
    plan.RELEASE: (_released, _not_held),
    plan.LOOK: (_looked, _look_refused),
}
