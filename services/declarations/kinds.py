"""The kinds of asset: each room says what its own are worth, and what finance may do with them."""

import datetime
from collections.abc import Callable, Iterable, Mapping

import sqlalchemy as sa

from services.declarations.assets.pool import assets as pool_assets
from services.declarations.assets.rebate import assets as rebate_assets
from services.declarations.assets.sale import assets as sale_assets
from services.declarations.register.asset import Asset, collection
from services.declarations.register.preshipment import assets as preshipment_assets
from services.declarations.window.declaration import assets as declaration_assets

Load = Callable[[sa.Connection, Iterable[str], datetime.date], Mapping[str, Asset]]

# By collection: reads assets by name as they are on a business date; what isn't known is left out.
LOAD: Mapping[str, Load] = {
    "declarations": declaration_assets.load,
    "preShipments": preshipment_assets.load,
    "rebates": rebate_assets.load,
    "pools": pool_assets.load,
    "warehouseSales": sale_assets.load,
}


def load(connection: sa.Connection, names: Iterable[str], on: datetime.date) -> dict[str, Asset]:
    """The assets with these names, those that are known."""
    by_kind: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        by_kind.setdefault(collection(name), []).append(name)
    found: dict[str, Asset] = {}
    for kind, wanted in by_kind.items():
        if kind in LOAD:
            found |= LOAD[kind](connection, wanted, on)
    return found
