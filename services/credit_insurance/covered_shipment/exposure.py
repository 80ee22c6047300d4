"""Freeing exposure: it follows what buyers were said to have paid, whenever that was, and what the register holds."""

import dataclasses

from chassis import database
from chassis.command import Transaction
from chassis.money import Money
from chassis.states import after
from services.credit_insurance.cover_hold import effects as cover_hold_effects
from services.credit_insurance.covered_shipment import model, store
from services.credit_insurance.covered_shipment.model import TRANSITIONS, CoveredShipment, Verb
from services.credit_insurance.covered_shipment.store import COVERED_SHIPMENTS

# So few that a new day doesn't begin with a rush of calls.
LOOKS_AT_ONCE = 50


def look(transaction: Transaction) -> bool:
    """Makes some covers in force owe a look at the register, each once a day: what wasn't freed is asked for again."""
    today = transaction.business_date
    shipments = store.to_look_at(transaction.connection, today, LOOKS_AT_ONCE)
    database.lock(transaction.connection, [shipment.declaration for shipment in shipments])
    for shipment in shipments:
        COVERED_SHIPMENTS.save(transaction, dataclasses.replace(shipment, look_date=today))
    return False


def follow_payments(transaction: Transaction, shipment: CoveredShipment, cause: str) -> Money:
    """Brings the exposure of cover in force to what is owed now; returns what was freed, in the policy's currency."""
    assert shipment.insured_value is not None, f"{shipment.name} has no insured value"
    payments = store.payments(transaction.connection, shipment.declaration)
    told, _ = model.told(payments, shipment.insured_value.currency)
    owed = model.owed_after(shipment, told)
    freed = cover_hold_effects.reduce(transaction, shipment, cause, owed)
    if not owed:
        paid = after(TRANSITIONS, shipment, Verb.PAID_OFF)
        COVERED_SHIPMENTS.save(transaction, paid, "covered_shipment.paid")
    elif freed:
        COVERED_SHIPMENTS.save(transaction, shipment, "covered_shipment.exposure_released")
    return freed
