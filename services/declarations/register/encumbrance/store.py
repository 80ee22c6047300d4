"""Encumbrances as rows, and the assets on which they stand."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2

from chassis import bulk, database, records
from chassis.command import Transaction
from chassis.identity import Caller
from chassis.money import Money, total
from chassis.records import TEXT
from services.declarations.register.asset import AssetClass
from services.declarations.register.encumbrance import model, rpc
from services.declarations.register.encumbrance.model import STANDING, Encumbrance, Standing, State
from services.declarations.schema import metadata

encumbrances = records.table(
    "encumbrances",
    Encumbrance,
    metadata,
    sa.Index("encumbrances_holder", "holder", "id"),
    sa.Index("encumbrances_enterprise", "enterprise", "id"),
    sa.Index("encumbrances_due", "state", "expire_us"),
)

# Which encumbrances stand, or stood, on an asset.
encumbered = sa.Table(
    "encumbered",
    metadata,
    sa.Column("asset", TEXT, primary_key=True),
    sa.Column("encumbrance", TEXT, primary_key=True),
    sa.Column("stands", sa.Boolean, nullable=False),
    sa.Index("encumbered_standing", "asset", "stands"),
    sqlite_with_rowid=False,
)

# How many encumbrances of each holder and kind stand on an asset: one look tells who bars whom.
holdings = sa.Table(
    "holdings",
    metadata,
    sa.Column("asset", TEXT, primary_key=True),
    sa.Column("asset_class", TEXT, primary_key=True),
    sa.Column("holder", TEXT, primary_key=True),
    sa.Column("pari_passu", sa.Boolean, primary_key=True),
    sa.Column("standing", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Payments applied to assets: each once.
proceeds = sa.Table(
    "proceeds",
    metadata,
    sa.Column("asset", TEXT, primary_key=True),
    sa.Column("payment", TEXT, primary_key=True),
    sa.Column("response", records.BYTES, nullable=False),
)

# Asset, class, holder, and whether it ranks equally with others.
Holding = tuple[str, str, str, bool]

# A prepared reduction is the holder's own affair until a checker approves it.
HOLDERS_OWN = frozenset({"encumbrance.reduction_prepared", "encumbrance.reduction_rejected"})


def load(connection: sa.Connection, identifiers: Iterable[str]) -> dict[str, Encumbrance]:
    """Returns the encumbrances with these ids, by id, without those that don't exist."""
    query = sa.select(encumbrances).where(encumbrances.c.id.in_(set(identifiers)))
    return {encumbrance.id: encumbrance for encumbrance in records.many(connection, query, Encumbrance)}


def named(connection: sa.Connection, caller: Caller, identifiers: Iterable[str]) -> dict[str, Encumbrance]:
    """Returns encumbrances by the ids that a caller calls them by: those in their names, or those it gave itself.

    An outsider gets only encumbrances of its own or on its own value, whoever else has an encumbrance of the same id.
    """
    kept = {identifier: caller.kept_id(identifier) for identifier in identifiers}
    encumbrances_by_id = load(connection, {*kept, *kept.values()})
    present = {
        identifier: [
            encumbrances_by_id[key]
            for key in (identifier, own)
            if key in encumbrances_by_id and _may_name(caller, encumbrances_by_id[key])
        ]
        for identifier, own in kept.items()
    }
    return {identifier: encumbrances[0] for identifier, encumbrances in present.items() if encumbrances}


def _may_name(caller: Caller, encumbrance: Encumbrance) -> bool:
    return bool(caller.service) or caller.tenant in (encumbrance.holder, encumbrance.enterprise)


def holders_of(connection: sa.Connection, assets: Iterable[str]) -> dict[str, set[Standing]]:
    """Returns the holders of each asset, each once however many encumbrances it has."""
    query = sa.select(holdings).where(holdings.c.asset.in_(set(assets)), holdings.c.standing > 0)
    standings: dict[str, set[Standing]] = {}
    for row in connection.execute(query):
        standings.setdefault(row.asset, set()).add(Standing(AssetClass(row.asset_class), row.holder, row.pari_passu))
    return standings


def standing_on(connection: sa.Connection, assets: Iterable[str]) -> dict[str, list[Encumbrance]]:
    """Returns the encumbrances that stand on each asset."""
    query = sa.select(encumbered.c.asset, encumbrances).join(
        encumbrances, encumbrances.c.id == encumbered.c.encumbrance
    )
    encumbrances_by_asset: dict[str, list[Encumbrance]] = {}
    wanted = query.where(encumbered.c.asset.in_(set(assets)), encumbered.c.stands.is_(True))
    rows: Any = connection.execute(wanted).mappings()
    for row in rows:
        encumbrances_by_asset.setdefault(row["asset"], []).append(records.from_row(Encumbrance, row))
    return encumbrances_by_asset


def unreleased_on(connection: sa.Connection, asset: str) -> list[Encumbrance]:
    """Returns the confirmed finance on an asset that its holders haven't released, though it may be settled in full."""
    rows = encumbrances.c
    query = sa.select(encumbrances).join(encumbered, rows.id == encumbered.c.encumbrance)
    finance = rows.asset_class == AssetClass.RECEIVABLE.value
    query = query.where(encumbered.c.asset == asset, finance, rows.state == State.CONFIRMED.value)
    return records.many(connection, query, Encumbrance)


def holders(connection: sa.Connection, enterprises: Iterable[str]) -> dict[str, list[str]]:
    """Returns the holders of anything on these enterprises' value, by enterprise."""
    rows = encumbrances.c
    standing = rows.state.in_([state.value for state in STANDING])
    query = sa.select(rows.enterprise, rows.holder).where(
        bulk.among(connection, rows.enterprise, enterprises), standing
    )
    holders_by_enterprise: dict[str, list[str]] = {}
    for enterprise, holder in connection.execute(query.distinct().order_by(rows.enterprise, rows.holder)):
        holders_by_enterprise.setdefault(enterprise, []).append(holder)
    return holders_by_enterprise


def due(connection: sa.Connection, now_us: int, limit: int) -> list[Encumbrance]:
    """Returns reservations that have expired, the oldest first."""
    rows = encumbrances
    query = sa.select(rows).where(rows.c.state == State.RESERVED.value, rows.c.expire_us <= now_us)
    return records.many(connection, query.order_by(rows.c.expire_us, rows.c.id).limit(limit), Encumbrance)


def add(transaction: Transaction, *granted: Encumbrance) -> None:
    """Inserts new encumbrances and counts their holders."""
    connection = transaction.connection
    bulk.insert(connection, encumbrances, [list(records.to_row(encumbrance).values()) for encumbrance in granted])
    items = [(encumbrance, item) for encumbrance in granted for item in encumbrance.items]
    if items:
        bulk.insert(connection, encumbered, [(item.asset, encumbrance.id, True) for encumbrance, item in items])
        _count(connection, Counter(_holding(encumbrance, item.asset) for encumbrance, item in items))


def _holding(encumbrance: Encumbrance, asset: str) -> Holding:
    return asset, encumbrance.asset_class.value, encumbrance.holder, encumbrance.pari_passu


def _count(connection: sa.Connection, changes: Mapping[Holding, int]) -> None:
    """Raises or lowers the holder counts. It goes in one order, so that two writers don't wait for each other."""
    names = ("asset", "asset_class", "holder", "pari_passu")
    rows = [dict(zip(names, key, strict=True)) | {"standing": count} for key, count in sorted(changes.items())]
    insert: Any = database.insert_for(connection)(holdings)
    total = holdings.c.standing + insert.excluded.standing
    upsert = insert.on_conflict_do_update(index_elements=list(names), set_={"standing": total})
    connection.execute(upsert, rows)


def save(transaction: Transaction, encumbrance: Encumbrance, event: str) -> Encumbrance:
    """Saves a changed encumbrance and tells its event. Returns the saved encumbrance."""
    saved = records.update(transaction.connection, encumbrances, encumbrance)
    _clear_assets(transaction.connection, saved, [item.asset for item in saved.items if not model.stands(saved, item)])
    tell(transaction, saved, event)
    return saved


def _clear_assets(connection: sa.Connection, encumbrance: Encumbrance, assets: Sequence[str]) -> None:
    """Marks the encumbrance as ended on these assets and lowers the holder counts."""
    if not assets:
        return
    rows = encumbered
    this = sa.and_(rows.c.encumbrance == encumbrance.id, rows.c.asset.in_(assets), rows.c.stands.is_(True))
    statement = sa.update(rows).where(this).values(stands=False).returning(rows.c.asset)
    ended = list(connection.execute(statement).scalars())
    if ended:
        _count(connection, {_holding(encumbrance, asset): -1 for asset in ended})


def add_item(transaction: Transaction, encumbrance: Encumbrance, asset: str) -> None:
    """Marks an encumbrance as standing on an asset, for the first time or anew, and raises the holder count."""
    insert: Any = database.insert_for(transaction.connection)(encumbered)
    statement = insert.values(asset=asset, encumbrance=encumbrance.id, stands=True)
    upsert = statement.on_conflict_do_update(
        index_elements=["asset", "encumbrance"], set_={"stands": True}, where=encumbered.c.stands.is_(False)
    )
    # Not the row count: of an insert that changes nothing it isn't the same on every database.
    if transaction.connection.execute(upsert.returning(encumbered.c.asset)).first():
        _count(transaction.connection, {_holding(encumbrance, asset): 1})


def drop_items(transaction: Transaction, encumbrance: Encumbrance, assets: Sequence[str]) -> None:
    """Marks an encumbrance as ended on these assets."""
    _clear_assets(transaction.connection, encumbrance, assets)


def tell(transaction: Transaction, encumbrance: Encumbrance, event: str) -> None:
    """Tells an event to the holder and the enterprise. A prepared reduction is told to the holder alone."""
    holder, enterprise = encumbrance.holder, encumbrance.enterprise
    others = [enterprise] if enterprise and event not in HOLDERS_OWN else []
    if encumbrance.reduction is None:
        transaction.append(event, encumbrance.name, rpc.to_proto(encumbrance), [holder, *others])
        return
    transaction.append(event, encumbrance.name, rpc.to_proto(encumbrance), [holder])
    if others:
        transaction.append(event, encumbrance.name, rpc.to_proto(encumbrance, enterprise), others)


def applied(connection: sa.Connection, asset: str, payment: str) -> bytes | None:
    """Returns the response to a payment that was applied before, None where it wasn't."""
    query = sa.select(proceeds.c.response).where(proceeds.c.asset == asset, proceeds.c.payment == payment)
    response: bytes | None = connection.execute(query).scalar()
    return response


def paid(connection: sa.Connection, asset: str, currency: str) -> Money:
    """Returns how much buyers have paid for an asset in all: each payment whole, its excess too."""
    responses = connection.execute(sa.select(proceeds.c.response).where(proceeds.c.asset == asset)).scalars()
    return total(
        [rpc.paid(declarations_pb2.ApplyProceedsResponse.FromString(response)) for response in responses], currency
    )


def settled_by_payment(connection: sa.Connection, encumbrance: Encumbrance, currency: str) -> dict[str, Money]:
    """Returns how much of an encumbrance each payment settled on all its assets of a currency, by the payment's name.

    What was put back since counts too: it is the payment's answer of then.
    """
    rows, settled = proceeds.c, dict[str, Money]()
    query = sa.select(rows.payment, rows.response).where(bulk.among(connection, rows.asset, encumbrance.assets))
    for payment, response in connection.execute(query):
        applied = declarations_pb2.ApplyProceedsResponse.FromString(response)
        amount = total(rpc.settled_of(applied, encumbrance.name, currency), currency)
        settled[payment] = settled.get(payment, amount.zero()) + amount
    return settled


def add_applied(connection: sa.Connection, asset: str, payment: str, response: bytes) -> None:
    """Remembers that a payment was applied, and its response."""
    connection.execute(sa.insert(proceeds).values(asset=asset, payment=payment, response=response))
