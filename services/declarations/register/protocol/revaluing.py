"""Brings an asset's booked value to another amount, whatever stands on it."""

from dataclasses import replace

from chassis.command import Transaction
from chassis.money import Money
from services.declarations.register.asset import Asset
from services.declarations.register.moving import forcing
from services.declarations.register.preshipment import netting
from services.declarations.register.value import store as value_store

RETURNED = "RETURNED"


def revalue(transaction: Transaction, asset: Asset, to: Money, cause: str) -> None:
    """Brings an asset's booked value to another amount of its currency, whatever stands on it.

    `cause` is a word for the holders: AMENDED, DELETED, RETURNED ... An asset on which nothing has stood has no booked
    value, and nothing is done: its room's row is its value.
    """
    booked = value_store.booked(transaction.connection, [asset.name]).get(asset.name)
    if booked is None or booked.declared == to:
        return
    counted = replace(asset, value=to)
    if to < booked.declared:
        netting.follow(transaction, counted)
        netting.give_way(transaction, counted, booked.declared - to)
    touched = forcing.set_declared(transaction, counted, to, cause)
    netting.rebalance(transaction, touched)
    if to > booked.declared:
        netting.follow(transaction, counted)


def take_back(transaction: Transaction, asset: Asset, amount: Money, cause: str = RETURNED) -> Money:
    """Takes the value of goods that came back out of an asset's, whatever stands on it.

    `asset` is as it is under the lock of its name. Returns how much of the amount counted: at most what hasn't come
    back yet.
    """
    netting.link_fresh(transaction, value_store.open(transaction, [asset]))
    netting.give_way(transaction, asset, amount)
    taken = forcing.take_back(transaction, asset, amount, cause)
    netting.rebalance(transaction, taken.assets)
    return taken.amount
