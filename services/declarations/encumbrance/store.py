"""Encumbrances as rows, and the value accounts behind them."""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from chassis import bulk, records
from chassis.clock import business_date
from chassis.command import Transaction
from ledger import store as ledger
from services.declarations import terms
from services.declarations.declaration.model import Declaration
from services.declarations.encumbrance import model, rpc
from services.declarations.encumbrance.model import STANDING, Encumbrance, State, Value
from services.declarations.tables import encumbered, encumbrances, proceeds


def load(connection: sa.Connection, identifiers: Iterable[str]) -> dict[str, Encumbrance]:
    """The encumbrances with these ids, those that are known."""
    query = sa.select(encumbrances).where(encumbrances.c.id.in_(set(identifiers)))
    return {found.id: found for found in records.many(connection, query, Encumbrance)}


def standing_on(connection: sa.Connection, numbers: Iterable[str]) -> dict[str, list[Encumbrance]]:
    """What stands on each declaration."""
    query = sa.select(encumbered.c.declaration, encumbrances).join(
        encumbrances, encumbrances.c.id == encumbered.c.encumbrance
    )
    standing = encumbrances.c.state.in_([state.value for state in STANDING])
    found: dict[str, list[Encumbrance]] = {}
    rows: Any = connection.execute(query.where(encumbered.c.declaration.in_(set(numbers)), standing)).mappings()
    for row in rows:
        found.setdefault(row["declaration"], []).append(records.from_row(Encumbrance, row))
    return found


def holders(connection: sa.Connection, enterprises: Iterable[str]) -> dict[str, list[str]]:
    """Who holds anything on these enterprises' value."""
    rows = encumbrances.c
    standing = rows.state.in_([state.value for state in STANDING])
    query = sa.select(rows.enterprise, rows.holder).where(
        bulk.among(connection, rows.enterprise, enterprises), standing
    )
    found: dict[str, list[str]] = {}
    for enterprise, holder in connection.execute(query.distinct().order_by(rows.enterprise, rows.holder)):
        found.setdefault(enterprise, []).append(holder)
    return found


def due(connection: sa.Connection, now_us: int, limit: int) -> list[Encumbrance]:
    """Reservations whose time is over."""
    rows = encumbrances
    query = sa.select(rows).where(rows.c.state == State.RESERVED.value, rows.c.expire_us <= now_us)
    return records.many(connection, query.order_by(rows.c.expire_us).limit(limit), Encumbrance)


def add(transaction: Transaction, encumbrance: Encumbrance, event: str) -> None:
    """A new encumbrance, with its event."""
    records.insert(transaction.connection, encumbrances, encumbrance)
    rows = [{"declaration": item.declaration, "encumbrance": encumbrance.id} for item in encumbrance.items]
    if rows:
        transaction.connection.execute(sa.insert(encumbered), rows)
    _tell(transaction, encumbrance, event)


def save(transaction: Transaction, encumbrance: Encumbrance, event: str) -> Encumbrance:
    """A changed encumbrance, with its event."""
    fresh = records.update(transaction.connection, encumbrances, encumbrance)
    _tell(transaction, fresh, event)
    return fresh


def _tell(transaction: Transaction, encumbrance: Encumbrance, event: str) -> None:
    """To its holder and the enterprise; nobody else learns of it."""
    parties = [party for party in (encumbrance.holder, encumbrance.enterprise) if party]
    transaction.append(event, encumbrance.name, rpc.to_proto(encumbrance), parties)


def open_values(transaction: Transaction, declarations: Sequence[Declaration]) -> None:
    """Books the declared value of declarations that nothing has stood on yet."""
    first = {model.part_id(one.id, model.Part.FREE): one for one in declarations}
    opened = ledger.accounts(transaction.connection, first)
    fresh = [declaration for account, declaration in first.items() if account not in opened]
    if not fresh:
        return
    cap = terms.advance_cap(business_date(transaction.now_us))
    accounts = [account for one in fresh for account in model.opening_accounts(one.id, one.value.currency)]
    ledger.open_accounts(transaction.connection, accounts)
    transfers = [transfer for one in fresh for transfer in model.opening_transfers(one.id, one.value, cap)]
    ledger.post(transaction, *transfers)


def value(connection: sa.Connection, declaration: Declaration, now_us: int) -> Value:
    """A declaration's value by what stands on it."""
    parts = [model.part_id(declaration.id, part) for part in model.Part]
    accounts = ledger.accounts(connection, parts)
    if not accounts:
        return model.unencumbered(declaration.value, terms.advance_cap(business_date(now_us)))
    return model.value_of(accounts, declaration.id, declaration.value.currency)


def applied(connection: sa.Connection, number: str, payment: str) -> bytes | None:
    """The response to a payment that was applied before."""
    query = sa.select(proceeds.c.response).where(proceeds.c.declaration == number, proceeds.c.payment == payment)
    response: bytes | None = connection.execute(query).scalar()
    return response


def add_applied(connection: sa.Connection, number: str, payment: str, response: bytes) -> None:
    """Remembers that a payment was applied, and what the answer was."""
    connection.execute(sa.insert(proceeds).values(declaration=number, payment=payment, response=response))
