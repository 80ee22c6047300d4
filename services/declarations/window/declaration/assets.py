"""Declarations as assets: what they are worth to finance, and what it may do with them."""

import datetime
from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from services.declarations.customs import receipts
from services.declarations.register.asset import Asset, Hindrance
from services.declarations.window.declaration import store
from services.declarations.window.declaration.model import Declaration
from services.declarations.window.eligibility import hindrances


def load(connection: sa.Connection, names: Iterable[str], on: datetime.date) -> dict[str, Asset]:
    """The declarations with these names as assets."""
    found = store.load(connection, [name.removeprefix("declarations/") for name in names]).values()
    hindered = hindrances.of(connection, found, on)
    return {one.name: as_asset(one, on, hindered.get(one.id, ())) for one in found}


def as_asset(declaration: Declaration, on: datetime.date, hindered: Sequence[Hindrance] = ()) -> Asset:
    """A declaration as an asset: one that is rejected or deleted is worth nothing any more."""
    verdict, reasons = declaration.verdict(on, hindered)
    effect = receipts.effect_on_value(declaration.status)
    value = declaration.value.zero() if effect == receipts.VOIDS else declaration.value
    return Asset(declaration.name, declaration.enterprise, value, verdict, tuple(reasons), declaration.status)
