"""Declarations and receipts as rows: set-based, since the window sends them by the thousand."""

from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa

from chassis import records
from chassis.command import Transaction
from chassis.records import Conflict
from services.declarations.consent import store as consents
from services.declarations.declaration import rpc
from services.declarations.declaration.model import Declaration
from services.declarations.tables import declarations, receipts

Key = tuple[str, int, str]


def load(connection: sa.Connection, numbers: Iterable[str]) -> dict[str, Declaration]:
    """The declarations with these numbers, those that are known."""
    query = sa.select(declarations).where(declarations.c.id.in_(set(numbers)))
    return {found.id: found for found in records.many(connection, query, Declaration)}


def digests(connection: sa.Connection, numbers: Iterable[str]) -> Mapping[str, bytes]:
    """The content digests of those declarations that are known."""
    query = sa.select(declarations.c.id, declarations.c.digest).where(declarations.c.id.in_(set(numbers)))
    return {row.id: row.digest for row in connection.execute(query)}


def add(transaction: Transaction, fresh: Sequence[Declaration]) -> None:
    """New declarations, with their events."""
    records.insert(transaction.connection, declarations, *fresh)
    _tell(transaction, "declaration.declared", fresh)


def receipts_of(connection: sa.Connection, numbers: Iterable[str]) -> dict[str, list[tuple[str, int, str]]]:
    """Channel code, notice time and note of the receipts of each declaration, by notice time."""
    rows = receipts
    query = sa.select(rows).where(rows.c.declaration.in_(set(numbers)))
    found: dict[str, list[tuple[str, int, str]]] = {}
    for row in connection.execute(query.order_by(rows.c.declaration, rows.c.notice_us, rows.c.channel_code)):
        found.setdefault(row.declaration, []).append((row.channel_code, row.notice_us, row.note))
    return found


def add_receipts(connection: sa.Connection, fresh: Mapping[Key, str]) -> None:
    """New receipts by declaration, notice time and channel code, with their notes."""
    rows = [
        {"declaration": number, "notice_us": notice_us, "channel_code": code, "note": note}
        for (number, notice_us, code), note in fresh.items()
    ]
    if rows:
        connection.execute(sa.insert(receipts), rows)


def save_status(transaction: Transaction, moved: Sequence[Declaration]) -> None:
    """Declarations whose receipts moved them, with their events. Conflict if one changed meanwhile."""
    if not moved:
        return
    rows = declarations
    statement = (
        sa.update(rows)
        .where(rows.c.id == sa.bindparam("key"), rows.c.revision == sa.bindparam("known"))
        .values(status=sa.bindparam("new_status"), revision=rows.c.revision + 1)
    )
    values = [{"key": one.id, "known": one.revision, "new_status": one.status} for one in moved]
    if transaction.connection.execute(statement, values).rowcount != len(values):
        raise Conflict("declarations")
    _tell(transaction, "declaration.status_changed", moved)


def _tell(transaction: Transaction, event: str, changed: Sequence[Declaration]) -> None:
    """To the enterprises and to those institutions that they let see."""
    enterprises = {declaration.enterprise for declaration in changed}
    institutions = consents.institutions(transaction.connection, enterprises, transaction.now_us)
    for declaration in changed:
        parties = [declaration.enterprise, *institutions.get(declaration.enterprise, ())]
        transaction.append(event, declaration.name, rpc.to_proto(declaration, transaction.now_us), parties)
