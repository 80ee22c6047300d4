"""What moves the value of assets whatever stands on them: amendments, deletions and returns (I7).

Customs can't be refused. What is taken comes from free value, then from the margin; reservations give
way, the newest first; what is financed beyond that is a shortfall, and a breach of exactly that amount.
Value that comes cures a breach first.
"""

import datetime
from collections.abc import Sequence
from dataclasses import replace

from chassis import database
from chassis.command import Transaction
from chassis.money import Money
from services.declarations import kinds
from services.declarations.customs import receipts
from services.declarations.register import terms as register_terms
from services.declarations.register.asset import Asset, AssetClass
from services.declarations.register.breach import register as breach_register
from services.declarations.register.encumbrance import store as encumbrance_store
from services.declarations.register.encumbrance.model import Encumbrance, Verb, void_transfers
from services.declarations.register.moving import ending
from services.declarations.register.preshipment import netting
from services.declarations.register.sale.model import WAREHOUSE_MODE
from services.declarations.register.value import model as value_model
from services.declarations.register.value import store as value_store
from services.declarations.register.value.model import Move, Value
from services.declarations.window.declaration.assets import as_asset
from services.declarations.window.declaration.model import Declaration

AMENDED, RETURNED = "AMENDED", "RETURNED"


def revalue(transaction: Transaction, asset: Asset, to: Money, cause: str) -> None:
    """Brings an asset's booked value to another amount of its currency, whatever stands on it.

    `cause` is a word for the holders: AMENDED, DELETED, RETURNED ... An asset on which nothing has stood
    has no booked value: its room's row is its value.
    """
    booked = value_store.booked(transaction.connection, [asset.name]).get(asset.name)
    if booked is None or booked.declared == to:
        return
    counted = replace(asset, value=to)
    if to < booked.declared:
        netting.follow(transaction, counted)
        netting.give_way(transaction, counted, booked.declared - to)
    _revalue(transaction, counted, to, cause)
    if to > booked.declared:
        netting.follow(transaction, counted)


def _revalue(transaction: Transaction, asset: Asset, to: Money, cause: str) -> None:
    work = _Forced(transaction, asset, cause)
    value = work.books.value(asset.name)
    if to < value.declared:
        work.lower(value.declared - to, to, value.returned)
        work.make(value_model.lowered(work.books.value(asset.name), to))
    else:
        work.make(value_model.raised(value, to, work.cap))
    work.finish()


def take_back(transaction: Transaction, asset: Asset, amount: Money, cause: str = RETURNED) -> Money:
    """Goods of an asset came back: their value is returned, whatever stands on it.

    How much of it counted: at most what hasn't come back yet.
    """
    database.lock(transaction.connection, [asset.name])
    present = kinds.load(transaction.connection, [asset.name], transaction.business_date).get(asset.name, asset)
    netting.link_fresh(transaction, value_store.open(transaction, [present]))
    netting.give_way(transaction, asset, amount)
    work = _Forced(transaction, asset, cause)
    value = work.books.value(asset.name)
    counted = min(amount, value.declared - value.returned)
    work.lower(counted, value.declared, value.returned + counted)
    work.make(value_model.taken_back(work.books.value(asset.name), counted))
    work.finish()
    _sales_follow(transaction, asset.name.removeprefix("declarations/"), cause)
    return counted


class _Forced:
    """One forced change of one asset's value: reservations give way, the rest falls short."""

    def __init__(self, transaction: Transaction, asset: Asset, cause: str) -> None:
        self._transaction, self._asset, self._cause = transaction, asset, cause
        # Nobody else reserves meanwhile: whoever is found standing is all there is to give way.
        database.lock(transaction.connection, [asset.name])
        self.cap = register_terms.advance_cap(asset.collection, transaction.business_date)
        self._standing, self.books = ending.locked(transaction, asset.name)
        self._waiting = {each: ending.reserved_on(self._standing, each) for each in AssetClass}
        self._before = self.books.value(asset.name)

    def lower(self, less: Money, declared: Money, returned: Money) -> None:
        """Reservations give way until the rest of the value bears what it loses."""
        while value_model.must_give_way(self._value(), less, declared, returned, self.cap):
            if not self._give_way(AssetClass.RECEIVABLE):
                break
        while self._insurable_lacks(less) and self._give_way(AssetClass.INSURANCE):
            pass

    def _insurable_lacks(self, less: Money) -> bool:
        """Whether cover is reserved for value that is lost: of that only what is owed was ever insurable."""
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

    def finish(self) -> None:
        """Writes it; what fell short is a breach, what came back cures one."""
        before, after = self._before, self._value()
        self.books.write()
        for asset_class in AssetClass:
            change = value_model.short_of(after, asset_class) - value_model.short_of(before, asset_class)
            if change > change.zero():
                breach_register.fall_short(
                    self._transaction, self._asset, asset_class, change, self._cause, self._standing
                )
            elif change:
                breach_register.cure(self._transaction, self._asset.name, asset_class, change.zero() - change)
        netting.rebalance(self._transaction, self.books.assets)


Changed = Sequence[tuple[Declaration, Declaration]]


def declared_value_changed(transaction: Transaction, changed: Changed) -> None:
    """Amendments: each declaration before and after, its rows already written."""
    _follow(transaction, changed, AMENDED)
    opened = value_store.opened(transaction.connection, (after.name for _, after in changed))
    netting.unlink_amended(transaction, [(before, after) for before, after in changed if after.name in opened])
    on = transaction.business_date
    netting.link_fresh(transaction, [as_asset(after, on) for _, after in changed if after.name in opened])


def status_changed(transaction: Transaction, changed: Changed) -> None:
    """Receipts moved declarations: one that is void loses its value, one that is held is frozen meanwhile."""
    _follow(transaction, changed, "")


def _follow(transaction: Transaction, changed: Changed, cause: str) -> None:
    """Only what value is booked of needs to follow; the rest is booked as it is by then.

    Whoever is just booking a value does so under the lock of its name: either it reads the new row, or we find it.
    """
    database.lock(transaction.connection, [after.name for _, after in changed])
    opened = value_store.opened(transaction.connection, (after.name for _, after in changed))
    for before, after in changed:
        if after.name in opened:
            _follow_one(transaction, before, after, cause or after.status)
        if _moves_sales(before, after, transaction.business_date):
            _sales_follow(transaction, after.id, cause or after.status)


def _moves_sales(before: Declaration, after: Declaration, on: datetime.date) -> bool:
    """Whether what is left for the sales out of its warehouse may be another amount now."""
    if WAREHOUSE_MODE not in (before.trade_mode, after.trade_mode):
        return False
    return before.trade_mode != after.trade_mode or as_asset(before, on).value != as_asset(after, on).value


def _sales_follow(transaction: Transaction, number: str, cause: str) -> None:
    # Not above: sales have their value by this room.
    from services.declarations.assets.sale import value

    value.follow(transaction, [number], cause)


def _follow_one(transaction: Transaction, before: Declaration, after: Declaration, cause: str) -> None:
    asset = as_asset(after, transaction.business_date)
    revalue(transaction, asset, asset.value, cause)
    froze, freezes = (receipts.effect_on_value(one.status) == receipts.FREEZES for one in (before, after))
    if freezes != froze:
        _freeze(transaction, asset, "status", freezes)


def _freeze(transaction: Transaction, asset: Asset, cause: str, freezes: bool) -> None:
    """Freezes or unfreezes an asset by a cause that is no breach; its holders are told."""
    standing = encumbrance_store.standing_on(transaction.connection, [asset.name]).get(asset.name, [])
    parties = {asset.name: [asset.enterprise, *(one.holder for one in standing)]}
    act = breach_register.freeze if freezes else breach_register.unfreeze
    act(transaction, {asset.name: cause}, parties)


def freeze(transaction: Transaction, asset: Asset, cause: str) -> None:
    """Freezes an asset by a cause, for example a recall: nothing new may stand on it until that is taken away."""
    _freeze(transaction, asset, cause, True)


def unfreeze(transaction: Transaction, asset: Asset, cause: str) -> None:
    """Takes a cause away; the asset stays frozen while there is another."""
    _freeze(transaction, asset, cause, False)
