"""Sales out of an overseas warehouse as assets: what was inventory is owed for."""

from collections.abc import Iterable

import sqlalchemy as sa

from chassis.errors import Problem
from services.declarations.declaration import store as declarations
from services.declarations.declaration.model import FINAL, Declaration
from services.declarations.retail.sale import store
from services.declarations.retail.sale.model import WarehouseSale
from services.declarations.value.model import Asset

NOT_ELIGIBLE = "NOT_ELIGIBLE"
NOT_LEFT = Problem(
    "declaration",
    "EXIT_NOT_CONFIRMED",
    "Customs hasn't confirmed that the goods of this declaration left; wait for receipt R.",
    "海关尚未确认该报关单货物结关；请等待结关回执（R）。",
)


def load(connection: sa.Connection, names: Iterable[str], _now_us: int) -> dict[str, Asset]:
    """The sales with these names as assets."""
    found = store.load(connection, (name.removeprefix("warehouseSales/") for name in names))
    declared = declarations.load(connection, {one.declaration for one in found.values()})
    return {one.name: as_asset(one, declared[one.declaration]) for one in found.values()}


def as_asset(sale: WarehouseSale, declaration: Declaration) -> Asset:
    """A sale can be financed once its goods have certainly left."""
    has_left = declaration.status == "CLOSED"
    verdict, reasons = (FINAL, ()) if has_left else (NOT_ELIGIBLE, (NOT_LEFT,))
    return Asset(sale.name, sale.enterprise, sale.value, verdict, reasons, declaration.status)
