"""Rebates as rows: the only SQL of this room."""

from collections.abc import Iterable

import sqlalchemy as sa

from chassis import records
from chassis.command import Transaction
from services.declarations.consent import store as consents
from services.declarations.rebate import rpc
from services.declarations.rebate.model import Rebate
from services.declarations.tables import rebates


def load(connection: sa.Connection, identifiers: Iterable[str]) -> dict[str, Rebate]:
    """The rebates with these ids, those that are known."""
    query = sa.select(rebates).where(rebates.c.id.in_(set(identifiers)))
    return {one.id: one for one in records.many(connection, query, Rebate)}


def add(transaction: Transaction, rebate: Rebate) -> None:
    """A new rebate, with its event."""
    records.insert(transaction.connection, rebates, rebate)
    _tell(transaction, rebate, "rebate.created")


def save(transaction: Transaction, rebate: Rebate) -> Rebate:
    """A changed rebate, with its event."""
    fresh = records.update(transaction.connection, rebates, rebate)
    _tell(transaction, fresh, "rebate.revised")
    return fresh


def _tell(transaction: Transaction, rebate: Rebate, event: str) -> None:
    """To the enterprise and to those institutions that it lets see."""
    institutions = consents.institutions(transaction.connection, [rebate.enterprise], transaction.now_us)
    parties = [rebate.enterprise, *institutions.get(rebate.enterprise, ())]
    transaction.append(event, rebate.name, rpc.to_proto(rebate), parties)
