"""Value accounts and freezes as rows."""

import datetime
from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa

from chassis.command import Transaction
from chassis.money import Money
from chassis.records import TEXT
from ledger import store as ledger_store
from services.declarations.register import terms as register_terms
from services.declarations.register.asset import Asset
from services.declarations.register.value import model, rules
from services.declarations.register.value.model import Part, Value
from services.declarations.schema import metadata
from trade.derivations import store as derivation_store

# The causes that freeze an asset, as long as the row is there.
freezes = sa.Table(
    "freezes",
    metadata,
    sa.Column("asset", TEXT, primary_key=True),
    sa.Column("cause", TEXT, primary_key=True),
    sqlite_with_rowid=False,
)


def open(transaction: Transaction, assets: Iterable[Asset]) -> list[Asset]:
    """Books the value of assets on which nothing has stood yet. Returns those assets."""
    first = {model.part_id(asset.name, Part.FREE): asset for asset in assets}
    opened = ledger_store.accounts(transaction.connection, first)
    unbooked = [asset for account, asset in first.items() if account not in opened]
    if not unbooked:
        return []
    on = transaction.business_date
    accounts = [account for asset in unbooked for account in model.opening_accounts(asset.name, asset.value.currency)]
    ledger_store.open_accounts(transaction.connection, accounts)
    transfers = [
        transfer
        for asset in unbooked
        for transfer in model.opening_transfers(
            asset.name, asset.value, register_terms.advance_cap(asset.collection, on)
        )
    ]
    ledger_store.post(transaction, *transfers)
    derivation_store.put(transaction, rules.VALUE, [rules.opened(asset, on) for asset in unbooked], are_first=True)
    return unbooked


def opened_margins(connection: sa.Connection, assets: Iterable[str]) -> dict[str, Money]:
    """Returns the margins with which assets' values were booked first, by name; none of those that had none."""
    openings = {model.opening_id(asset, Part.MARGIN): asset for asset in assets}
    lines = ledger_store.stored(connection, openings)
    accounts = ledger_store.accounts(connection, [model.part_id(asset, Part.MARGIN) for asset in openings.values()])
    return {
        openings[key]: Money(accounts[line.transfer.credit_account].currency, line.transfer.amount)
        for key, line in lines.items()
    }


def opened(connection: sa.Connection, assets: Iterable[str]) -> set[str]:
    """Returns those of the assets whose value is booked."""
    first = {model.part_id(asset, Part.FREE): asset for asset in assets}
    return {first[account] for account in ledger_store.accounts(connection, first)}


def booked(connection: sa.Connection, assets: Iterable[str]) -> dict[str, Value]:
    """Returns the values of those assets whose value is booked. Most have none, which one look tells."""
    names = opened(connection, assets)
    accounts = ledger_store.accounts(connection, [model.part_id(name, part) for name in names for part in Part])
    return {name: model.value_of(accounts, name) for name in names}


def of(connection: sa.Connection, asset: Asset, on: datetime.date) -> Value:
    """Returns an asset's value by what stands on it; if it isn't booked, by the advance caps of a business date."""
    return of_many(connection, [asset], on)[asset.name]


def of_many(connection: sa.Connection, assets: Sequence[Asset], on: datetime.date) -> dict[str, Value]:
    """Returns the values of assets, by name; those that aren't booked by the advance caps of a business date."""
    booked_values = booked(connection, (asset.name for asset in assets))
    return {
        asset.name: booked_values.get(asset.name)
        or model.unencumbered(asset.value, register_terms.advance_cap(asset.collection, on))
        for asset in assets
    }


def frozen(connection: sa.Connection, assets: Iterable[str]) -> dict[str, list[str]]:
    """Returns the causes that freeze each of the assets, without assets that aren't frozen."""
    query = sa.select(freezes).where(freezes.c.asset.in_(set(assets))).order_by(freezes.c.asset, freezes.c.cause)
    causes_by_asset: dict[str, list[str]] = {}
    for row in connection.execute(query):
        causes_by_asset.setdefault(row.asset, []).append(row.cause)
    return causes_by_asset


def add_freezes(connection: sa.Connection, causes: Mapping[str, str]) -> None:
    """Freezes assets, each by a cause that doesn't freeze it yet."""
    if causes:
        connection.execute(sa.insert(freezes), [{"asset": asset, "cause": cause} for asset, cause in causes.items()])


def remove_freezes(connection: sa.Connection, causes: Iterable[tuple[str, str]]) -> None:
    """Takes causes away, each named by asset and cause."""
    for asset, cause in causes:
        connection.execute(sa.delete(freezes).where(freezes.c.asset == asset, freezes.c.cause == cause))
