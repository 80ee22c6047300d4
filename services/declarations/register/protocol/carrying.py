"""Counts payments against cover that were applied before payments did: each asset once, then its row is done."""

import sqlalchemy as sa

from chassis import database
from chassis.command import Transaction
from chassis.records import TEXT
from services.declarations.register.asset import AssetClass
from services.declarations.register.breach import lifecycle as breach_lifecycle
from services.declarations.register.breach import store as breach_store
from services.declarations.register.encumbrance import model as encumbrance_model
from services.declarations.register.encumbrance import store as encumbrance_store
from services.declarations.register.moving import ending
from services.declarations.schema import metadata

# Assets of which something was paid before payments counted against what is insurable; encumbrance.carrying empties it.
uncounted_payments = sa.Table("uncounted_payments", metadata, sa.Column("asset", TEXT, primary_key=True))

AT_ONCE = 50


def carry_payments(transaction: Transaction) -> bool:
    """Brings some assets' insured value to what is owed of them (I2). Returns whether there may be more of them."""
    rows = uncounted_payments
    assets = list(
        transaction.connection.execute(sa.select(rows.c.asset).order_by(rows.c.asset).limit(AT_ONCE)).scalars()
    )
    database.lock(transaction.connection, assets)
    for asset in assets:
        if transaction.connection.execute(sa.delete(rows).where(rows.c.asset == asset)).rowcount:
            _carry(transaction, asset)
    return len(assets) == AT_ONCE


def _carry(transaction: Transaction, asset: str) -> None:
    standing, books = ending.locked(transaction, asset)
    value = books.value(asset)
    paid = value.insurable + value.insured - value.unpaid - value.insured_shortfall
    if paid <= paid.zero():
        return
    unbacked = breach_lifecycle.unbacked(breach_store.open_on(transaction.connection, [asset]), AssetClass.INSURANCE)
    cover = ending.settle_cover(transaction, asset, books, standing, paid, unbacked)
    books.write()
    for settled in cover.settled:
        encumbrance_store.save(transaction, encumbrance_model.settle_item(settled, asset), "encumbrance.settled")
