"""The cover holds' rows, and the insured amounts in the ledger.

Whoever changes an exposure or gives cover back sits over both books at once, so that what is
available never exceeds what is insured.
"""

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from aval.credit_insurance.v1 import credit_insurance_pb2

from chassis import bulk, records
from chassis.command import Transaction
from chassis.money import Money
from ledger import store as ledger
from ledger.model import Transfer
from services.credit_insurance.cover_hold import model, rpc
from services.credit_insurance.cover_hold.model import CoverHold
from services.credit_insurance.covered_shipment import model as shipments
from services.credit_insurance.covered_shipment.model import CoveredShipment
from services.credit_insurance.tables import cover_holds


def load(connection: sa.Connection, identifier: str) -> CoverHold | None:
    """A hold by its lender's id."""
    return records.one(connection, cover_holds, CoverHold, cover_holds.c.id == identifier)


def of_shipments(connection: sa.Connection, shipments: Iterable[str]) -> list[CoverHold]:
    """The holds on these shipments' cover, by resource name."""
    query = sa.select(cover_holds).where(bulk.among(connection, cover_holds.c.covered_shipment, shipments))
    return records.many(connection, query, CoverHold)


def add(transaction: Transaction, hold: CoverHold, event: str) -> credit_insurance_pb2.CoverHold:
    """A new hold, or a tombstone, with its event."""
    records.insert(transaction.connection, cover_holds, hold)
    return _tell(transaction, hold, event)


def save(transaction: Transaction, hold: CoverHold, event: str) -> credit_insurance_pb2.CoverHold:
    """A changed hold, with its event."""
    return _tell(transaction, records.update(transaction.connection, cover_holds, hold), event)


def _tell(transaction: Transaction, hold: CoverHold, event: str) -> credit_insurance_pb2.CoverHold:
    message = rpc.to_proto(hold)
    transaction.append(event, hold.name, message, hold.parties)
    return message


def hold_amount(transaction: Transaction, hold: CoverHold) -> Money | None:
    """Holds the amount. Where there is too little, nothing is held: what is available instead."""
    transfer = model.hold_transfer(hold)
    sitting = ledger.Sitting(transaction, [transfer])
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
    """Frees exposure beyond what is owed; what was freed. Nothing is freed where no more stands."""
    sitting = _sitting(transaction, shipment, cause)
    freed = max(_exposure(sitting, shipment) - owed, owed.zero())
    if freed:
        _attempt(sitting, shipments.payment_transfers(shipment, cause, freed))
        _retire(sitting, shipment, cause)
        sitting.write()
    return freed


def _sitting(transaction: Transaction, shipment: CoveredShipment, cause: str, *others: Transfer) -> ledger.Sitting:
    """Over the accounts of exposure and insured amount; amounts are decided in the sitting."""
    zero = shipment.covered_amount.zero()
    touched = [
        *others,
        *shipments.payment_transfers(shipment, cause, zero),
        model.retiring_transfer(shipment, cause, zero),
    ]
    return ledger.Sitting(transaction, touched)


def _exposure(sitting: ledger.Sitting, shipment: CoveredShipment) -> Money:
    return shipments.exposure_of(sitting.account(shipments.exposure_id(shipment.name)))


def _retire(sitting: ledger.Sitting, shipment: CoveredShipment, cause: str) -> None:
    insured = shipment.insured(_exposure(sitting, shipment))
    amount = model.no_longer_insured(sitting.account(model.available_id(shipment.name)), insured)
    if amount:
        _attempt(sitting, [model.retiring_transfer(shipment, cause, amount)])


def _attempt(sitting: ledger.Sitting, part: Sequence[Transfer]) -> None:
    """All of the part must stand; the accounts were seen to bear it."""
    for transfer, result in zip(part, sitting.attempt(part), strict=True):
        if not result.stands:
            raise ledger.LedgerRefused(result=result.value, reference=transfer.reference)
