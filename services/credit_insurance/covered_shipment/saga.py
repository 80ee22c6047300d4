"""The way of a covered shipment: plan, reactions, effects and rows, joined."""

from functools import partial

from aval.declarations.v1 import declarations_pb2
from aval.events.v1 import events_pb2

from chassis import database, states
from chassis.command import Transaction
from chassis.tasks import Outcome, Saga
from services.credit_insurance.covered_shipment import exposure, model, plan, reactions, rules, store
from services.credit_insurance.covered_shipment.effects import ENTERING
from services.credit_insurance.covered_shipment.model import CoveredShipment, State
from services.credit_insurance.covered_shipment.reactions import CAUSES, Knowledge
from services.credit_insurance.covered_shipment.store import COVERED_SHIPMENTS
from trade import breach
from trade.derivations import store as derivation_store
from trade.derivations.store import Entry


def react(transaction: Transaction, shipment: CoveredShipment, step: str, outcome: Outcome) -> None:
    """Takes a step's outcome; what was paid meanwhile frees exposure of cover that it leaves in force.

    Raises the refusal of a look, which is asked for again.
    """
    if step in CAUSES:
        database.lock(transaction.connection, [shipment.declaration])
    payments = store.payments(transaction.connection, shipment.declaration)
    after = reactions.after(shipment, step, outcome, Knowledge(payments=payments, on=transaction.business_date))
    derivation_store.put(transaction, rules.RULES, _insured(after, outcome) if step == plan.RESERVE else [])
    save = partial(COVERED_SHIPMENTS.save, event=reactions.event(shipment, after))
    saved = states.enter(transaction, shipment, [after], ENTERING, save)
    if step in CAUSES and saved.state is State.COVERED:
        exposure.follow_payments(transaction, saved, CAUSES[step](saved))


def _insured(shipment: CoveredShipment, outcome: Outcome) -> list[Entry]:
    """Returns how the insured value of a shipment came about that the register has reserved; none where it refused."""
    if shipment.insured_value is None or not isinstance(outcome, declarations_pb2.Encumbrance):
        return []
    insured = rules.insured_value(shipment, *reactions.reserved(outcome))
    return [Entry(shipment.name, rules.INSURED_VALUE, insured)]


def follow_breach(transaction: Transaction, event: events_pb2.Event) -> None:
    """Takes a breach that the register told of: shipments show it, and insurer and exporter are told.

    No money moves, and cover stays as it is: what follows is the insurer's to decide.
    """
    told = breach.from_event(event)
    database.lock(transaction.connection, [told.asset])
    for shipment in store.of_declaration(transaction.connection, told.asset, *State):
        after = model.with_breach(shipment, told)
        if after != shipment:
            COVERED_SHIPMENTS.save(transaction, after, reactions.breach_event(shipment, after))


SAGA = Saga(COVERED_SHIPMENTS.noun, COVERED_SHIPMENTS.load, plan.owed, react, store.unfinished)
