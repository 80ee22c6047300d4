"""The cover holds' rows: the only SQL of this room."""

from collections.abc import Iterable

import sqlalchemy as sa
from aval.credit_insurance.v1 import credit_insurance_pb2

from chassis import bulk, records
from chassis.command import Transaction
from services.credit_insurance.cover_hold import rpc
from services.credit_insurance.cover_hold.model import CoverHold
from services.credit_insurance.tables import cover_holds


def load(connection: sa.Connection, identifier: str) -> CoverHold | None:
    """Returns the hold of a lender's id; None where there is none."""
    return records.one(connection, cover_holds, CoverHold, cover_holds.c.id == identifier)


def of_shipments(connection: sa.Connection, shipments: Iterable[str]) -> list[CoverHold]:
    """Returns the holds on these shipments' cover; `shipments` are resource names."""
    query = sa.select(cover_holds).where(bulk.among(connection, cover_holds.c.covered_shipment, shipments))
    return records.many(connection, query, CoverHold)


def add(transaction: Transaction, hold: CoverHold, event: str) -> credit_insurance_pb2.CoverHold:
    """Adds a hold, or a tombstone, with its event; returns the wire form."""
    records.insert(transaction.connection, cover_holds, hold)
    return _tell(transaction, hold, event)


def save(transaction: Transaction, hold: CoverHold, event: str) -> credit_insurance_pb2.CoverHold:
    """Saves a changed hold, with its event; returns the wire form."""
    return _tell(transaction, records.update(transaction.connection, cover_holds, hold), event)


def _tell(transaction: Transaction, hold: CoverHold, event: str) -> credit_insurance_pb2.CoverHold:
    message = rpc.to_proto(hold)
    transaction.append(event, hold.name, message, hold.parties)
    return message
