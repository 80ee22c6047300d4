"""A kind of asset, as its room tells it to the register: the register asks nothing else of documents."""

import datetime
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from chassis.command import Transaction
from chassis.errors import DomainError, NotFound
from services.declarations.register.asset import Asset, collection
from services.declarations.register.encumbrance import rpc as encumbrance_rpc
from services.declarations.register.encumbrance.model import Application

Load = Callable[[sa.Connection, Iterable[str], datetime.date], Mapping[str, Asset]]
Parts = Callable[[Transaction, Asset], list[tuple["Kind", Asset]]]
TellSettled = Callable[[Transaction, Asset, Application], None]


def no_parts(_transaction: Transaction, _asset: Asset) -> list[tuple["Kind", Asset]]:
    """Returns nothing: the asset is paid as a whole."""
    return []


def tell_asset_settled(transaction: Transaction, asset: Asset, application: Application) -> None:
    """Tells the enterprise `asset.settled`, with the payment as it was applied."""
    message = encumbrance_rpc.settlement(asset, application)
    transaction.append("asset.settled", asset.name, message, [asset.enterprise])


def not_found(name: str) -> DomainError:
    """Returns the refusal of an asset that doesn't exist."""
    return NotFound(resource=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of asset.

    `load` reads assets by name as they are on a business date, without those that don't exist. `parts` are the
    assets that a payment for this asset settles before it, in that order, locked, each with its own kind.
    `is_insurable`: cover may stand on it, as on goods that were sold. `keeps_excess`: a payment beyond its value is its
    excess.
    """

    load: Load
    parts: Parts = no_parts
    tell_settled: TellSettled = tell_asset_settled
    not_found: Callable[[str], DomainError] = not_found
    is_insurable: bool = False
    keeps_excess: bool = True


# By collection: declarations, pools, preShipments, rebates, warehouseSales.
Kinds = Mapping[str, Kind]


def load_assets(kinds: Kinds, connection: sa.Connection, names: Iterable[str], on: datetime.date) -> dict[str, Asset]:
    """Returns the assets with these names on a business date, by name, without those that don't exist."""
    names_by_collection: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        names_by_collection.setdefault(collection(name), []).append(name)
    assets: dict[str, Asset] = {}
    for name_collection, wanted in names_by_collection.items():
        if name_collection in kinds:
            assets |= kinds[name_collection].load(connection, wanted, on)
    return assets


def load_asset(kinds: Kinds, connection: sa.Connection, name: str, on: datetime.date) -> Asset:
    """Returns the asset with this name. Raises its kind's refusal: NotFound or DeclarationNotFound."""
    asset = load_assets(kinds, connection, [name], on).get(name)
    if asset is None:
        kind = kinds.get(collection(name))
        raise kind.not_found(name) if kind else NotFound(resource=name)
    return asset
