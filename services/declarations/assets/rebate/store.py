"""Rebates as rows: the only SQL of this room."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from chassis import records
from chassis.command import Transaction
from services.declarations.assets.rebate import rpc
from services.declarations.assets.rebate.model import Rebate
from services.declarations.privacy.consent import store as consent_store
from services.declarations.schema import metadata

rebates = records.table("rebates", Rebate, metadata, sa.Index("rebates_enterprise", "enterprise", "id"))


def matching(*conditions: Any) -> Any:
    """Returns a query of the rebates that meet the conditions."""
    return sa.select(rebates).where(*conditions)


def load(connection: sa.Connection, identifiers: Iterable[str]) -> dict[str, Rebate]:
    """Returns the rebates with these ids, by id, without those that don't exist."""
    query = sa.select(rebates).where(rebates.c.id.in_(set(identifiers)))
    return {rebate.id: rebate for rebate in records.many(connection, query, Rebate)}


def add(transaction: Transaction, *new_rebates: Rebate) -> None:
    """Inserts new rebates, and tells their events."""
    records.insert(transaction.connection, rebates, *new_rebates)
    _tell(transaction, "rebate.created", *new_rebates)


def save(transaction: Transaction, rebate: Rebate) -> Rebate:
    """Saves a changed rebate, and tells its event. Returns the saved rebate."""
    saved = records.update(transaction.connection, rebates, rebate)
    _tell(transaction, "rebate.revised", saved)
    return saved


def _tell(transaction: Transaction, event: str, *changed: Rebate) -> None:
    """Tells an event to the enterprises and to those institutions that they let see."""
    owners = {rebate.enterprise for rebate in changed}
    institutions = consent_store.institutions(transaction.connection, owners, transaction.now_us) if owners else {}
    for rebate in changed:
        parties = [rebate.enterprise, *institutions.get(rebate.enterprise, ())]
        transaction.append(event, rebate.name, rpc.to_proto(rebate), parties)
