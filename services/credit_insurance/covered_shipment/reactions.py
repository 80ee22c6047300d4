"""What becomes of a covered shipment by each outcome of a call."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from chassis import database, money
from chassis.clock import business_date
from chassis.command import Transaction
from chassis.errors import DomainError
from chassis.states import moved
from chassis.tasks import Outcome
from ledger import store as ledger
from ledger.model import Kind
from services.credit_insurance.cover_hold import model as cover
from services.credit_insurance.covered_shipment import exposure, model, saga, store
from services.credit_insurance.covered_shipment.model import TRANSITIONS, CoveredShipment, State, Verb

# The declaration stands, but is another exporter's: said as if there were none.
FOREIGN_DECLARATION = "DECLARATION_NOT_FOUND"
# What frees exposure when cover comes into force: payments told before.
IN_FORCE = "in force"


def _move(transaction: Transaction, shipment: CoveredShipment, verb: Verb, event: str, **changes: Any) -> None:
    state = moved(TRANSITIONS, shipment, verb)
    store.save(transaction, dataclasses.replace(shipment, state=state, **changes), event)


def _reserved(transaction: Transaction, shipment: CoveredShipment, outcome: Outcome) -> None:
    encumbrance: Any = outcome
    if encumbrance.enterprise != shipment.enterprise:
        _cancel(transaction, shipment, FOREIGN_DECLARATION)
        return
    (item,) = encumbrance.items
    asked = money.from_proto(item.claimed if item.HasField("claimed") else item.amount)
    part = model.insured_part(money.from_proto(item.amount), asked, shipment.covered_amount)
    _move(transaction, shipment, Verb.VALUE_RESERVED, "covered_shipment.value_reserved", insured_value=part)


def _confirmed(transaction: Transaction, shipment: CoveredShipment, outcome: Outcome) -> None:
    """What was paid until now isn't of what is covered; where told payments have no amounts, all of them are."""
    encumbrance: Any = outcome
    (item,) = encumbrance.items
    told, are_all_known = store.told(transaction.connection, shipment.declaration, item.amount.currency_code)
    before = money.from_proto(item.paid) if are_all_known else told
    _move(transaction, shipment, Verb.VALUE_CONFIRMED, "covered_shipment.value_marked", paid_before=before)


def _collected(transaction: Transaction, shipment: CoveredShipment, _outcome: Outcome) -> None:
    """Cover is in force: the exposure is booked, its insured part can be assigned, what was paid meanwhile counts."""
    database.lock(transaction.connection, [shipment.declaration])
    ledger.open_accounts(transaction.connection, cover.accounts(shipment))
    ledger.post(transaction, *model.closing_transfers(shipment, Kind.POST), *cover.opening_transfers(shipment))
    state = moved(TRANSITIONS, shipment, Verb.PREMIUM_COLLECTED)
    begun = dataclasses.replace(shipment, state=state, looked_date=business_date(transaction.now_us))
    covered = store.save(transaction, begun, "covered_shipment.covered")
    exposure.follow_payments(transaction, covered, IN_FORCE)


def _looked(transaction: Transaction, shipment: CoveredShipment, outcome: Outcome) -> None:
    """The register's word counts where it knows of less than was told: a payment of long ago, value given up."""
    database.lock(transaction.connection, [shipment.declaration])
    encumbrance: Any = outcome
    looked = dataclasses.replace(shipment, look_date=None, looked_date=shipment.look_date)
    for item in encumbrance.items:
        looked = model.with_look(looked, money.from_proto(item.amount), money.from_proto(item.settled))
    kept = store.keep(transaction, looked)
    exposure.follow_payments(transaction, kept, f"look {kept.looked_date}")


def _look_refused(_transaction: Transaction, _shipment: CoveredShipment, outcome: Outcome) -> None:
    """Nothing is known: it is asked again."""
    assert isinstance(outcome, DomainError)
    raise outcome


def _cancel(transaction: Transaction, shipment: CoveredShipment, reason: str) -> None:
    _move(transaction, shipment, Verb.CANCEL, "covered_shipment.cancelling", refusal_reason=reason)


def _refused(transaction: Transaction, shipment: CoveredShipment, outcome: Outcome) -> None:
    assert isinstance(outcome, DomainError)
    _cancel(transaction, shipment, outcome.reason)


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
    saga.LOOK: (_looked, _look_refused),
}


def react(transaction: Transaction, shipment: CoveredShipment, step: str, outcome: Outcome) -> None:
    """Takes a step's outcome: a response, or a refusal, never an unknown outcome."""
    on_response, on_refusal = REACTIONS[step]
    reaction = on_refusal if isinstance(outcome, DomainError) else on_response
    reaction(transaction, shipment, outcome)
