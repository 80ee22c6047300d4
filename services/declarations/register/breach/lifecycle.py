"""Opens, cures and ends breaches, and freezes assets meanwhile: called by whatever moves value."""

from collections.abc import Iterable, Mapping, Sequence

from aval.declarations.v1 import value_pb2

from chassis.command import Transaction
from chassis.money import Money
from services.declarations.register.asset import Asset, AssetClass
from services.declarations.register.breach import model, store
from services.declarations.register.breach.model import Breach, State
from services.declarations.register.encumbrance.model import Encumbrance, item_of
from services.declarations.register.encumbrance.model import State as EncumbranceState
from services.declarations.register.value import store as value_store


def fall_short(
    transaction: Transaction,
    asset: Asset,
    asset_class: AssetClass,
    amount: Money,
    cause: str,
    standing: Iterable[Encumbrance],
) -> None:
    """Opens a breach of exactly this amount, freezes the asset and tells the holders."""
    open_breaches = [
        breach for breach in store.open_on(transaction.connection, [asset.name]) if breach.asset_class is asset_class
    ]
    shares = model.shared(amount, _backed(asset.name, asset_class, standing, open_breaches))
    breach = Breach(
        id=transaction.ids.resource("breach"),
        asset=asset.name,
        enterprise=asset.enterprise,
        asset_class=asset_class,
        amount=amount,
        open_amount=amount,
        cause=cause,
        state=State.OPEN,
        shares=shares,
        create_us=transaction.now_us,
        revision=1,
    )
    store.add(transaction, breach)
    freeze(transaction, {asset.name: breach.name}, {asset.name: [asset.enterprise, *_holders(standing)]})


def _holders(standing: Iterable[Encumbrance]) -> list[str]:
    return [encumbrance.holder for encumbrance in standing if encumbrance.state is EncumbranceState.CONFIRMED]


def _backed(
    asset: str, asset_class: AssetClass, standing: Iterable[Encumbrance], breaches: Iterable[Breach]
) -> dict[str, Money]:
    """Returns by holder how much of its confirmed encumbrances has value behind it."""
    held: dict[str, Money] = {}
    for encumbrance in standing:
        if encumbrance.state is EncumbranceState.CONFIRMED and encumbrance.asset_class is asset_class:
            outstanding = item_of(encumbrance, asset).outstanding
            held[encumbrance.holder] = held.get(encumbrance.holder, outstanding.zero()) + outstanding
    for breach in breaches:
        for share in breach.shares:
            if share.holder in held:
                held[share.holder] -= share.open
    return held


def unbacked(breaches: Iterable[Breach], asset_class: AssetClass) -> dict[str, Money]:
    """Returns the total of the open shares of a class, by holder."""
    open_shares: dict[str, Money] = {}
    for share in (share for breach in breaches if breach.asset_class is asset_class for share in breach.shares):
        open_shares[share.holder] = open_shares.get(share.holder, share.open.zero()) + share.open
    return open_shares


def cure(transaction: Transaction, asset: str, asset_class: AssetClass, amount: Money, holder: str = "") -> None:
    """Ends open shares of the asset's breaches, the oldest first, once value came or an encumbrance was given back."""
    open_breaches = [
        breach for breach in store.open_on(transaction.connection, [asset]) if breach.asset_class is asset_class
    ]
    for changed in model.cured(open_breaches, amount, holder):
        _save(transaction, changed, "breach.cured")


def _save(transaction: Transaction, changed: Breach, event: str) -> Breach:
    """Saves a changed breach and unfreezes its asset once nothing of it is open. Returns the saved breach."""
    saved = store.save(transaction, changed, event)
    if saved.state is not State.OPEN:
        unfreeze(transaction, {saved.asset: saved.name}, {saved.asset: _parties(saved)})
    return saved


def _parties(breach: Breach) -> list[str]:
    return [breach.enterprise, *(share.holder for share in breach.shares)]


def resolve(transaction: Transaction, breach: Breach, share: model.Share) -> Breach:
    """Ends a share that its holder has given up. Returns the breach."""
    return _save(transaction, model.resolved(breach, share), "breach.resolved")


def freeze(transaction: Transaction, causes: Mapping[str, str], parties: Mapping[str, Sequence[str]]) -> None:
    """Freezes each asset by its cause and tells the parties. A cause that freezes it already is left out."""
    standing_causes = value_store.frozen(transaction.connection, causes)
    fresh_causes = {asset: cause for asset, cause in causes.items() if cause not in standing_causes.get(asset, ())}
    value_store.add_freezes(transaction.connection, fresh_causes)
    for asset, cause in fresh_causes.items():
        message = value_pb2.AssetFreeze(asset=asset, cause=cause, is_frozen=True)
        for party in dict.fromkeys(parties.get(asset, ())):
            transaction.append("asset.frozen", asset, message, [party])


def unfreeze(transaction: Transaction, causes: Mapping[str, str], parties: Mapping[str, Sequence[str]]) -> None:
    """Takes a cause away from each asset and tells the parties."""
    standing_causes = value_store.frozen(transaction.connection, causes)
    ended_causes = {asset: cause for asset, cause in causes.items() if cause in standing_causes.get(asset, ())}
    value_store.remove_freezes(transaction.connection, ended_causes.items())
    for asset, cause in ended_causes.items():
        message = value_pb2.AssetFreeze(asset=asset, cause=cause, is_frozen=len(standing_causes[asset]) > 1)
        for party in dict.fromkeys(parties.get(asset, ())):
            transaction.append("asset.unfrozen", asset, message, [party])
