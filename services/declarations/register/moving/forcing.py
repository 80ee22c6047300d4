"""Moves the value of assets whatever stands on them: amendments, deletions and returns (I7).

Customs can't be refused. Value that is taken comes from free value, then from the margin; reservations give
way, the newest first; finance beyond that is a shortfall, and a breach of exactly that amount.
Value that comes cures a breach first.

Whoever calls this settles afterwards what is netted for the orders among the assets that it touched.
"""

from collections.abc import Sequence
from typing import NamedTuple

from chassis import database
from chassis.command import Transaction
from chassis.money import Money
from services.declarations.register import terms as register_terms
from services.declarations.register.asset import Asset, AssetClass
from services.declarations.register.breach import lifecycle as breach_lifecycle
from services.declarations.register.encumbrance.model import Encumbrance, Verb, void_transfers
from services.declarations.register.moving import ending
from services.declarations.register.value import model as value_model
from services.declarations.register.value.model import Move, Value


class ReturnedValue(NamedTuple):
    """The amount of value that was taken back, and the assets that this touched."""

    amount: Money
    assets: Sequence[str]


def set_declared(transaction: Transaction, asset: Asset, to: Money, cause: str) -> Sequence[str]:
    """Brings an asset's booked value to another amount of its currency. Returns the assets that it touched."""
    work = ForcedRevaluation(transaction, asset, cause)
    value = work.books.value(asset.name)
    if to < value.declared:
        work.lower(value.declared - to, to, value.returned)
        work.make(value_model.lowered(work.books.value(asset.name), to))
    else:
        work.make(value_model.raised(value, to, work.cap))
    return work.finish()


def take_back(transaction: Transaction, asset: Asset, amount: Money, cause: str) -> ReturnedValue:
    """Counts so much of an asset's value as returned, at most what hasn't come back yet.

    For example of 100 declared, 30 returned, an amount of 90 counts as 70.
    """
    work = ForcedRevaluation(transaction, asset, cause)
    value = work.books.value(asset.name)
    counted = min(amount, value.declared - value.returned)
    work.lower(counted, value.declared, value.returned + counted)
    work.make(value_model.taken_back(work.books.value(asset.name), counted))
    return ReturnedValue(counted, work.finish())


class ForcedRevaluation:
    """A forced change of one asset's value: reservations give way, the rest falls short."""

    def __init__(self, transaction: Transaction, asset: Asset, cause: str) -> None:
        self._transaction, self._asset, self._cause = transaction, asset, cause
        # Nobody else reserves meanwhile: these reservations are all that can give way.
        database.lock(transaction.connection, [asset.name])
        self.cap = register_terms.advance_cap(asset.collection, transaction.business_date)
        self._standing, self.books = ending.locked(transaction, asset.name)
        self._waiting = {asset_class: ending.reserved_on(self._standing, asset_class) for asset_class in AssetClass}
        self._before = self.books.value(asset.name)

    def lower(self, less: Money, declared: Money, returned: Money) -> None:
        """Ends reservations, the newest first, until the rest of the value bears what it loses."""
        while value_model.must_give_way(self._value(), less, declared, returned, self.cap):
            if not self._give_way(AssetClass.RECEIVABLE):
                break
        while self._insurable_lacks(less) and self._give_way(AssetClass.INSURANCE):
            pass

    def _insurable_lacks(self, less: Money) -> bool:
        """Returns whether reserved cover is in the way of a loss: only value that is still owed was ever insurable."""
        value = self._value()
        return value.insurable < min(less, value.unpaid)

    def _value(self) -> Value:
        return self.books.value(self._asset.name)

    def _give_way(self, asset_class: AssetClass) -> bool:
        waiting: list[Encumbrance] = self._waiting[asset_class]
        if not waiting:
            return False
        newest = waiting.pop(0)
        ending.end_one(self._transaction, self.books, newest, Verb.RELEASE, void_transfers(newest))
        return True

    def make(self, moves: Sequence[Move]) -> None:
        """Makes the moves, and brings every margin back to its cap."""
        self.books.move(self._asset.name, moves, self._cause.lower())
        self.books.restore_margins()

    def finish(self) -> Sequence[str]:
        """Writes the moves; a new shortfall opens a breach, a smaller one cures. Returns the assets that it touched."""
        before, after = self._before, self._value()
        self.books.write()
        for asset_class in AssetClass:
            change = value_model.short_of(after, asset_class) - value_model.short_of(before, asset_class)
            if change > change.zero():
                breach_lifecycle.fall_short(
                    self._transaction, self._asset, asset_class, change, self._cause, self._standing
                )
            elif change:
                breach_lifecycle.cure(self._transaction, self._asset.name, asset_class, change.zero() - change)
        return self.books.assets
