"""Sales out of an overseas warehouse as assets: what was inventory is owed for."""

import datetime
from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from chassis import database
from chassis.command import Transaction
from chassis.errors import Problem
from services.declarations.register.asset import FINAL, NOT_ELIGIBLE, VERDICTS, Asset, Hindrance
from services.declarations.register.kind import Kind
from services.declarations.register.sale import store as sale_store
from services.declarations.register.sale.model import WarehouseSale
from services.declarations.window.declaration import store as declaration_store
from services.declarations.window.declaration.model import Declaration
from services.declarations.window.eligibility import hindrances

NOT_LEFT = Problem(
    "declaration",
    "EXIT_NOT_CONFIRMED",
    "Customs hasn't confirmed that the goods of this declaration left; wait for receipt R.",
    "海关尚未确认该报关单货物结关；请等待结关回执（R）。",
)


def load(connection: sa.Connection, names: Iterable[str], on: datetime.date) -> dict[str, Asset]:
    """Returns the sales with these names as assets, by name."""
    sales = sale_store.load(connection, (name.removeprefix("warehouseSales/") for name in names))
    declared = declaration_store.load(connection, {sale.declaration for sale in sales.values()})
    hindered = hindrances.of(connection, declared.values(), on)
    return {
        sale.name: as_asset(sale, declared[sale.declaration], hindered.get(sale.declaration, ()))
        for sale in sales.values()
    }


def as_asset(sale: WarehouseSale, declaration: Declaration, hindered: Sequence[Hindrance] = ()) -> Asset:
    """Returns a sale as an asset: it can be financed once its goods have certainly left and nothing holds them back."""
    has_left = declaration.status == "CLOSED"
    verdict, reasons = (FINAL, ()) if has_left else (NOT_ELIGIBLE, (NOT_LEFT,))
    least = min([verdict, *(hindrance.at_most for hindrance in hindered)], key=VERDICTS.index)
    reasons = (*reasons, *(hindrance.problem for hindrance in hindered))
    return Asset(sale.name, sale.enterprise, sale.value, least, reasons, declaration.status)


KIND = Kind(load=load, is_insurable=True)


def parts_of_declaration(transaction: Transaction, asset: Asset) -> list[tuple[Kind, Asset]]:
    """Returns the sales of a declaration's goods in the order in which they were reported, locked.

    Buyers pay for what they bought: a payment for the declaration settles its sales first.
    """
    number = asset.name.removeprefix("declarations/")
    sales = sale_store.of_declarations(transaction.connection, [number]).get(number, ())
    names = [sale.name for sale in sales]
    database.lock(transaction.connection, names)
    assets = load(transaction.connection, names, transaction.business_date)
    return [(KIND, assets[name]) for name in names]
