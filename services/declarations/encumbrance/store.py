"""Encumbrances as rows, and what of each asset they stand on."""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from chassis import bulk, records
from chassis.command import Transaction
from services.declarations.encumbrance import model, rpc
from services.declarations.encumbrance.model import STANDING, Encumbrance, Standing, State
from services.declarations.tables import encumbered, encumbrances, proceeds
from services.declarations.value.model import AssetClass


def load(connection: sa.Connection, identifiers: Iterable[str]) -> dict[str, Encumbrance]:
    """The encumbrances with these ids, those that are known."""
    query = sa.select(encumbrances).where(encumbrances.c.id.in_(set(identifiers)))
    return {found.id: found for found in records.many(connection, query, Encumbrance)}


def holders_of(connection: sa.Connection, assets: Iterable[str]) -> dict[str, set[Standing]]:
    """Who holds something of each asset, however many encumbrances that are."""
    rows = encumbered
    columns = (rows.c.asset, rows.c.asset_class, rows.c.holder, rows.c.pari_passu)
    query = sa.select(*columns).distinct().where(rows.c.asset.in_(set(assets)), rows.c.stands.is_(True))
    found: dict[str, set[Standing]] = {}
    for row in connection.execute(query):
        found.setdefault(row.asset, set()).add(Standing(AssetClass(row.asset_class), row.holder, row.pari_passu))
    return found


def standing_on(connection: sa.Connection, assets: Iterable[str]) -> dict[str, list[Encumbrance]]:
    """What stands on each asset."""
    query = sa.select(encumbered.c.asset, encumbrances).join(
        encumbrances, encumbrances.c.id == encumbered.c.encumbrance
    )
    standing = encumbrances.c.state.in_([state.value for state in STANDING])
    found: dict[str, list[Encumbrance]] = {}
    rows: Any = connection.execute(query.where(encumbered.c.asset.in_(set(assets)), standing)).mappings()
    for row in rows:
        found.setdefault(row["asset"], []).append(records.from_row(Encumbrance, row))
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
    return records.many(connection, query.order_by(rows.c.expire_us, rows.c.id).limit(limit), Encumbrance)


def add(transaction: Transaction, *granted: Encumbrance) -> None:
    """New encumbrances."""
    records.insert(transaction.connection, encumbrances, *granted)
    rows = [_on(one, item) for one in granted for item in one.items]
    if rows:
        transaction.connection.execute(sa.insert(encumbered), rows)


def _on(encumbrance: Encumbrance, item: model.Item) -> dict[str, Any]:
    return {
        "asset": item.asset,
        "encumbrance": encumbrance.id,
        "asset_class": encumbrance.asset_class.value,
        "holder": encumbrance.holder,
        "pari_passu": encumbrance.pari_passu,
        "stands": model.stands(encumbrance, item),
    }


def save(transaction: Transaction, encumbrance: Encumbrance, event: str) -> Encumbrance:
    """A changed encumbrance, with its event."""
    fresh = records.update(transaction.connection, encumbrances, encumbrance)
    _follow(transaction.connection, fresh)
    tell(transaction, fresh, event)
    return fresh


def _follow(connection: sa.Connection, fresh: Encumbrance) -> None:
    """Items that stand no more bar nobody."""
    ended = [item.asset for item in fresh.items if not model.stands(fresh, item)]
    if ended:
        rows = encumbered
        this = sa.and_(rows.c.encumbrance == fresh.id, rows.c.asset.in_(ended))
        connection.execute(sa.update(rows).where(this).values(stands=False))


def add_item(transaction: Transaction, encumbrance: Encumbrance, item: model.Item) -> None:
    """An asset that an encumbrance stands on from now."""
    transaction.connection.execute(sa.insert(encumbered), [_on(encumbrance, item)])


def stand_again(transaction: Transaction, encumbrance: Encumbrance, asset: str) -> None:
    """An asset that an encumbrance stands on anew."""
    rows = encumbered
    this = sa.and_(rows.c.encumbrance == encumbrance.id, rows.c.asset == asset)
    transaction.connection.execute(sa.update(rows).where(this).values(stands=True))


def drop_items(transaction: Transaction, encumbrance: Encumbrance, assets: Sequence[str]) -> None:
    """Assets that an encumbrance was reserved on and wasn't confirmed on."""
    if assets:
        rows = encumbered
        this = sa.and_(rows.c.encumbrance == encumbrance.id, rows.c.asset.in_(assets))
        transaction.connection.execute(sa.delete(rows).where(this))


def tell(transaction: Transaction, encumbrance: Encumbrance, event: str) -> None:
    """To its holder and the enterprise; nobody else learns of it."""
    parties = [party for party in (encumbrance.holder, encumbrance.enterprise) if party]
    transaction.append(event, encumbrance.name, rpc.to_proto(encumbrance), parties)


def applied(connection: sa.Connection, asset: str, payment: str) -> bytes | None:
    """The response to a payment that was applied before."""
    query = sa.select(proceeds.c.response).where(proceeds.c.asset == asset, proceeds.c.payment == payment)
    response: bytes | None = connection.execute(query).scalar()
    return response


def add_applied(connection: sa.Connection, asset: str, payment: str, response: bytes) -> None:
    """Remembers that a payment was applied, and what the answer was."""
    connection.execute(sa.insert(proceeds).values(asset=asset, payment=payment, response=response))
