"""The value of the sales out of a warehouse: together never more than their declaration still counts for.

Goods and their sales are one value under two names. What is financed, reserved or insured on the declaration, netted
for its order, paid for it or returned isn't the sales'; and what customs takes from the declaration is taken from its
sales, the last reported first (I7).
"""

from collections.abc import Iterable

from chassis.command import Transaction
from chassis.money import Money
from services.declarations.assets.sale import assets
from services.declarations.register.preshipment import netting
from services.declarations.register.protocol import revaluing
from services.declarations.register.sale import model as sale_model
from services.declarations.register.sale import store as sale_store
from services.declarations.register.sale.model import WarehouseSale
from services.declarations.register.value import store as value_store
from services.declarations.window.declaration import assets as declaration_assets
from services.declarations.window.declaration import store as declaration_store
from services.declarations.window.declaration.model import Declaration


def unclaimed(transaction: Transaction, declaration: Declaration) -> Money:
    """Returns the value of a warehouse declaration that no encumbrance or order holds. Zero in other trade modes."""
    asset = declaration_assets.as_asset(declaration, transaction.business_date)
    if declaration.trade_mode != sale_model.WAREHOUSE_MODE:
        return asset.value.zero()
    booked = value_store.booked(transaction.connection, [asset.name]).get(asset.name)
    return min(booked.free + booked.margin, booked.insurable) if booked else asset.value


def book(transaction: Transaction, declaration: Declaration) -> None:
    """Books a declaration that is sold from: an order that it is shipped under is known from then on."""
    asset = declaration_assets.as_asset(declaration, transaction.business_date)
    netting.link_fresh(transaction, value_store.open(transaction, [asset]))


def follow(transaction: Transaction, numbers: Iterable[str], cause: str) -> None:
    """Brings sales to what is left for them after declarations changed; what stands on more is in breach."""
    sales = sale_store.of_declarations(transaction.connection, numbers)
    for number, declaration in declaration_store.load(transaction.connection, sales).items():
        for changed in sale_model.revalued(sales[number], unclaimed(transaction, declaration)):
            sale_store.save_value(transaction.connection, changed)
            _revalue(transaction, changed, declaration, cause)


def _revalue(transaction: Transaction, sale: WarehouseSale, declaration: Declaration, cause: str) -> None:
    revaluing.revalue(transaction, assets.as_asset(sale, declaration), sale.value, cause)
