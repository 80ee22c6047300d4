"""Rebates as assets."""

from collections.abc import Iterable

import sqlalchemy as sa

from services.declarations.declaration.model import FINAL
from services.declarations.rebate import store
from services.declarations.rebate.model import Rebate
from services.declarations.value.model import Asset


def load(connection: sa.Connection, names: Iterable[str], _now_us: int) -> dict[str, Asset]:
    """The rebates with these names as assets."""
    identifiers = [name.removeprefix("rebates/") for name in names]
    return {one.name: as_asset(one) for one in store.load(connection, identifiers).values()}


def as_asset(rebate: Rebate) -> Asset:
    """What the tax data expects may be financed, by the cap on rebates."""
    return Asset(rebate.name, rebate.enterprise, rebate.amount, FINAL)
