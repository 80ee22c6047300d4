"""The effects of cover holds and of payments on exposure and insured amount in the ledger.

Whoever changes an exposure or gives cover back sits over both books at once, so that what is
available never exceeds what is insured.
"""

from collections.abc import Sequence

from chassis.command import Transaction
from chassis.money import Money
from ledger import store as ledger_store
from ledger.model import Transfer
from services.credit_insurance.cover_hold import model
from services.credit_insurance.cover_hold.model import CoverHold
from services.credit_insurance.covered_shipment import model as covered_shipment_model
from services.credit_insurance.covered_shipment.model import CoveredShipment


def hold_amount(transaction: Transaction, hold: CoverHold) -> Money | None:
    """Holds the amount and returns None; returns what is available where that is too little, and holds nothing."""
    transfer = model.hold_transfer(hold)
    sitting = ledger_store.Sitting(transaction, [transfer])
    available = sitting.account(model.available_id(hold.covered_shipment))
    if available.available_to_debit < transfer.amount:
        return Money(available.currency, available.available_to_debit)
    _attempt(sitting, [transfer])
    sitting.write()
    return None


def release_amount(transaction: Transaction, hold: CoverHold, shipment: CoveredShipment) -> None:
    """Gives the amount back, and takes away what is no longer insured of it."""
    transfer = model.release_transfer(hold)
    sitting = _sitting(transaction, shipment, hold.name, transfer)
    _attempt(sitting, [transfer])
    _retire(sitting, shipment, hold.name)
    sitting.write()


def reduce(transaction: Transaction, shipment: CoveredShipment, cause: str, owed: Money) -> Money:
    """Frees exposure beyond what is owed and returns what was freed; zero where no more stands."""
    sitting = _sitting(transaction, shipment, cause)
    freed = max(_exposure(sitting, shipment) - owed, owed.zero())
    if freed:
        _attempt(sitting, covered_shipment_model.payment_transfers(shipment, cause, freed))
        _retire(sitting, shipment, cause)
        sitting.write()
    return freed


def _sitting(
    transaction: Transaction, shipment: CoveredShipment, cause: str, *others: Transfer
) -> ledger_store.Sitting:
    """Opens a sitting over the accounts of exposure and insured amount; amounts are decided in it."""
    zero = shipment.covered_amount.zero()
    touched = [
        *others,
        *covered_shipment_model.payment_transfers(shipment, cause, zero),
        model.retiring_transfer(shipment, cause, zero),
    ]
    return ledger_store.Sitting(transaction, touched)


def _exposure(sitting: ledger_store.Sitting, shipment: CoveredShipment) -> Money:
    return covered_shipment_model.exposure_of(sitting.account(covered_shipment_model.exposure_id(shipment.name)))


def _retire(sitting: ledger_store.Sitting, shipment: CoveredShipment, cause: str) -> None:
    insured = shipment.insured(_exposure(sitting, shipment))
    amount = model.no_longer_insured(sitting.account(model.available_id(shipment.name)), insured)
    if amount:
        _attempt(sitting, [model.retiring_transfer(shipment, cause, amount)])


def _attempt(sitting: ledger_store.Sitting, part: Sequence[Transfer]) -> None:
    """Applies a part, all of which must stand: the accounts were seen to bear it. Raises LedgerRefused."""
    for transfer, result in zip(part, sitting.attempt(part), strict=True):
        if not result.stands:
            raise ledger_store.LedgerRefused(result=result.value, reference=transfer.reference)
