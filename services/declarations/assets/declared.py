"""Moves value after declarations: amendments, receipts, and sales out of their warehouse."""

import datetime
from collections.abc import Sequence

from chassis import database
from chassis.command import Transaction
from services.declarations.assets.sale import value as sale_value
from services.declarations.customs import receipts
from services.declarations.register.moving.freezing import set_frozen
from services.declarations.register.preshipment import netting
from services.declarations.register.protocol.revaluing import revalue
from services.declarations.register.sale.model import WAREHOUSE_MODE
from services.declarations.register.value import store as value_store
from services.declarations.window.declaration.assets import as_asset
from services.declarations.window.declaration.model import Declaration

AMENDED = "AMENDED"
Changed = Sequence[tuple[Declaration, Declaration]]


def declared_value_changed(transaction: Transaction, changed: Changed) -> None:
    """Lets value follow amendments: each declaration before and after, its rows already written."""
    _follow(transaction, changed, AMENDED)
    on = transaction.business_date
    opened = value_store.opened(transaction.connection, (after.name for _, after in changed))
    assets = [(as_asset(before, on), as_asset(after, on)) for before, after in changed if after.name in opened]
    netting.unlink_amended(transaction, assets)
    netting.link_fresh(transaction, [after for _, after in assets])


def status_changed(transaction: Transaction, changed: Changed) -> None:
    """Lets value follow receipts: a void declaration loses its value, a held one is frozen meanwhile."""
    _follow(transaction, changed, "")


def _follow(transaction: Transaction, changed: Changed, cause: str) -> None:
    """Lets booked value follow changed declarations; value that isn't booked yet is booked as it is by then.

    Whoever is just booking a value does so under the lock of its name: either it reads the new row, or we find it.
    """
    database.lock(transaction.connection, [after.name for _, after in changed])
    opened = value_store.opened(transaction.connection, (after.name for _, after in changed))
    for before, after in changed:
        if after.name in opened:
            _follow_one(transaction, before, after, cause or after.status)
        if _moves_sales(before, after, transaction.business_date):
            sale_value.follow(transaction, [after.id], cause or after.status)


def _moves_sales(before: Declaration, after: Declaration, on: datetime.date) -> bool:
    """Returns whether what is left for the sales out of its warehouse may be another amount now."""
    if WAREHOUSE_MODE not in (before.trade_mode, after.trade_mode):
        return False
    return before.trade_mode != after.trade_mode or as_asset(before, on).value != as_asset(after, on).value


def _follow_one(transaction: Transaction, before: Declaration, after: Declaration, cause: str) -> None:
    asset = as_asset(after, transaction.business_date)
    revalue(transaction, asset, asset.value, cause)
    froze, freezes = (
        receipts.effect_on_value(declaration.status) == receipts.FREEZES for declaration in (before, after)
    )
    if freezes != froze:
        set_frozen(transaction, asset, "status", freezes)
