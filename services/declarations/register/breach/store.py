"""Breaches as rows: the only SQL of this room."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from chassis import records
from chassis.command import Transaction
from chassis.records import TEXT
from services.declarations.register.breach import rpc
from services.declarations.register.breach.model import Breach, State
from services.declarations.schema import metadata

breaches = records.table(
    "breaches",
    Breach,
    metadata,
    sa.Index("breaches_asset", "asset", "state"),
    sa.Index("breaches_enterprise", "enterprise", "id"),
)

# The holders of a breach's shares.
breach_holders = sa.Table(
    "breach_holders",
    metadata,
    sa.Column("holder", TEXT, primary_key=True),
    sa.Column("breach", TEXT, primary_key=True),
    sqlite_with_rowid=False,
)


def load(connection: sa.Connection, identifier: str) -> Breach | None:
    """Returns a breach by its id, None where there is none."""
    return records.one(connection, breaches, Breach, breaches.c.id == identifier)


def open_on(connection: sa.Connection, assets: Iterable[str]) -> list[Breach]:
    """Returns the open breaches of assets, the oldest first."""
    query = sa.select(breaches).where(breaches.c.asset.in_(set(assets)), breaches.c.state == State.OPEN.value)
    return records.many(connection, query.order_by(breaches.c.create_us, breaches.c.id), Breach)


def of_party(party: str) -> Any:
    """Returns a query of the breaches that a party may see: the enterprise's, and those that it has a share of."""
    shared = sa.select(breach_holders.c.breach).where(breach_holders.c.holder == party)
    return sa.select(breaches).where(sa.or_(breaches.c.enterprise == party, breaches.c.id.in_(shared)))


def add(transaction: Transaction, breach: Breach) -> None:
    """Inserts a new breach. Each holder is told its own share, the enterprise all."""
    records.insert(transaction.connection, breaches, breach)
    rows = [{"breach": breach.id, "holder": share.holder} for share in breach.shares]
    if rows:
        transaction.connection.execute(sa.insert(breach_holders), rows)
    _tell(transaction, breach, "encumbrance.breached")


def save(transaction: Transaction, breach: Breach, event: str = "") -> Breach:
    """Saves a changed breach and tells its event, if any. Returns the saved breach."""
    saved = records.update(transaction.connection, breaches, breach)
    if event:
        _tell(transaction, saved, event)
    return saved


def _tell(transaction: Transaction, breach: Breach, event: str) -> None:
    """Tells each party apart: nobody learns who else has a share."""
    for party in (breach.enterprise, *(share.holder for share in breach.shares)):
        transaction.append(event, breach.name, rpc.to_proto(breach, party), [party])
