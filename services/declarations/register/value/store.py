"""Value accounts and freezes as rows."""

import datetime
from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa

from chassis.command import Transaction
from chassis.records import TEXT
from ledger import store as ledger
from services.declarations.register import terms as register_terms
from services.declarations.register.asset import Asset
from services.declarations.register.value import model
from services.declarations.register.value.model import Part, Value
from services.declarations.schema import metadata

# What freezes an asset, as long as the row is there.
freezes = sa.Table(
    "freezes",
    metadata,
    sa.Column("asset", TEXT, primary_key=True),
    sa.Column("cause", TEXT, primary_key=True),
    sqlite_with_rowid=False,
)


def open(transaction: Transaction, assets: Iterable[Asset]) -> list[Asset]:
    """Books the value of assets that nothing has stood on yet; those."""
    first = {model.part_id(asset.name, Part.FREE): asset for asset in assets}
    opened = ledger.accounts(transaction.connection, first)
    fresh = [asset for account, asset in first.items() if account not in opened]
    if not fresh:
        return []
    on = transaction.business_date
    accounts = [account for asset in fresh for account in model.opening_accounts(asset.name, asset.value.currency)]
    ledger.open_accounts(transaction.connection, accounts)
    transfers = [
        transfer
        for asset in fresh
        for transfer in model.opening_transfers(
            asset.name, asset.value, register_terms.advance_cap(asset.collection, on)
        )
    ]
    ledger.post(transaction, *transfers)
    return fresh


def opened(connection: sa.Connection, assets: Iterable[str]) -> set[str]:
    """Those of the assets whose value is booked."""
    first = {model.part_id(asset, Part.FREE): asset for asset in assets}
    return {first[account] for account in ledger.accounts(connection, first)}


def booked(connection: sa.Connection, assets: Iterable[str]) -> dict[str, Value]:
    """The values of those assets whose value is booked: of most nothing is, which one look tells."""
    names = opened(connection, assets)
    accounts = ledger.accounts(connection, [model.part_id(name, part) for name in names for part in Part])
    return {name: model.value_of(accounts, name) for name in names}


def of(connection: sa.Connection, asset: Asset, on: datetime.date) -> Value:
    """Returns an asset's value by what stands on it; one that isn't booked, by the advance caps of a business date."""
    return of_many(connection, [asset], on)[asset.name]


def of_many(connection: sa.Connection, assets: Sequence[Asset], on: datetime.date) -> dict[str, Value]:
    """Returns the values of assets, by name; of one that isn't booked, by the advance caps of a business date."""
    known = booked(connection, (asset.name for asset in assets))
    return {
        asset.name: known.get(asset.name)
        or model.unencumbered(asset.value, register_terms.advance_cap(asset.collection, on))
        for asset in assets
    }


def frozen(connection: sa.Connection, assets: Iterable[str]) -> dict[str, list[str]]:
    """The causes that freeze each of the assets, those that are frozen."""
    query = sa.select(freezes).where(freezes.c.asset.in_(set(assets))).order_by(freezes.c.asset, freezes.c.cause)
    found: dict[str, list[str]] = {}
    for row in connection.execute(query):
        found.setdefault(row.asset, []).append(row.cause)
    return found


def add_freezes(connection: sa.Connection, causes: Mapping[str, str]) -> None:
    """Freezes assets, each by a cause that doesn't freeze it yet."""
    if causes:
        connection.execute(sa.insert(freezes), [{"asset": asset, "cause": cause} for asset, cause in causes.items()])


def remove_freezes(connection: sa.Connection, causes: Iterable[tuple[str, str]]) -> None:
    """Takes causes away: asset and cause."""
    for asset, cause in causes:
        connection.execute(sa.delete(freezes).where(freezes.c.asset == asset, freezes.c.cause == cause))
