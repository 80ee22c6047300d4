"""What becomes of a covered shipment by each outcome of a call."""

import dataclasses
from collections.abc import Callable, Mapping

from chassis.command import Transaction
from chassis.errors import DomainError
from chassis.states import moved
from chassis.tasks import Outcome
from ledger import store as ledger
from ledger.model import Kind
from services.credit_insurance.cover_hold import model as cover
from services.credit_insurance.covered_shipment import model, saga, store
from services.credit_insurance.covered_shipment.model import TRANSITIONS, CoveredShipment, State, Verb

# The declaration stands, but is another exporter's: said as if there were none.
FOREIGN_DECLARATION = "DECLARATION_NOT_FOUND"


def _move(
    transaction: Transaction, shipment: CoveredShipment, verb: Verb, event: str, refusal_reason: str = ""
) -> None:
    state = moved(TRANSITIONS, shipment, verb)
    reason = refusal_reason or shipment.refusal_reason
    store.save(transaction, dataclasses.replace(shipment, state=state, refusal_reason=reason), event)


def _reserved(transaction: Transaction, shipment: CoveredShipment, outcome: Outcome) -> None:
    assert not isinstance(outcome, DomainError)
    if getattr(outcome, "enterprise") != shipment.enterprise:  # noqa: B009 - messages have no typed fields
        _move(transaction, shipment, Verb.CANCEL, "covered_shipment.cancelling", FOREIGN_DECLARATION)
    else:
        _move(transaction, shipment, Verb.VALUE_RESERVED, "covered_shipment.value_reserved")


def _confirmed(transaction: Transaction, shipment: CoveredShipment, _outcome: Outcome) -> None:
    _move(transaction, shipment, Verb.VALUE_CONFIRMED, "covered_shipment.value_marked")


def _collected(transaction: Transaction, shipment: CoveredShipment, _outcome: Outcome) -> None:
    """Cover is in force: the exposure is booked, and its insured part can be assigned."""
    ledger.open_accounts(transaction.connection, cover.accounts(shipment))
    ledger.post(transaction, *model.closing_transfers(shipment, Kind.POST), *cover.opening_transfers(shipment))
    _move(transaction, shipment, Verb.PREMIUM_COLLECTED, "covered_shipment.covered")


def _refused(transaction: Transaction, shipment: CoveredShipment, outcome: Outcome) -> None:
    assert isinstance(outcome, DomainError)
    _move(transaction, shipment, Verb.CANCEL, "covered_shipment.cancelling", outcome.reason)


def _released(transaction: Transaction, shipment: CoveredShipment, _outcome: Outcome) -> None:
    """The register refuses a release only of what it doesn't hold for us: nothing is held either way."""
    if shipment.state is State.CANCELLING:
        ledger.post(transaction, *model.closing_transfers(shipment, Kind.VOID))
    _move(transaction, shipment, Verb.VALUE_RELEASED, RELEASED_EVENTS[shipment.state])


# What a release means, by the state that owed it.
RELEASED_EVENTS = {State.CANCELLING: "covered_shipment.refused", State.PAID: "covered_shipment.closed"}

# By step: what follows from a response, and what from a refusal.
Reaction = Callable[[Transaction, CoveredShipment, Outcome], None]
REACTIONS: Mapping[str, tuple[Reaction, Reaction]] = {
    saga.RESERVE: (_reserved, _refused),
    saga.CONFIRM: (_confirmed, _refused),
    saga.COLLECT: (_collected, _refused),
    saga.RELEASE: (_released, _released),
}


def react(transaction: Transaction, shipment: CoveredShipment, step: str, outcome: Outcome) -> None:
    """Takes a step's outcome: a response, or a refusal, never an unknown outcome."""
    on_response, on_refusal = REACTIONS[step]
    reaction = on_refusal if isinstance(outcome, DomainError) else on_response
    reaction(transaction, shipment, outcome)
