"""What opens, cures and ends breaches, and freezes assets meanwhile: called by whatever moves value."""

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
    known = [
        each_breach
        for each_breach in store.open_on(transaction.connection, [asset.name])
        if each_breach.asset_class is asset_class
    ]
    shares = model.shared(amount, _backed(asset.name, asset_class, standing, known))
    breach = Breach(
        transaction.ids.resource("breach"),
        asset.name,
        asset.enterprise,
        asset_class,
        amount,
        amount,
        cause,
        State.OPEN,
        shares,
        transaction.now_us,
        1,
    )
    store.add(transaction, breach)
    freeze(transaction, {asset.name: breach.name}, {asset.name: [asset.enterprise, *_holders(standing)]})


def _holders(standing: Iterable[Encumbrance]) -> list[str]:
    return [encumbrance.holder for encumbrance in standing if encumbrance.state is EncumbranceState.CONFIRMED]


def _backed(
    asset: str, asset_class: AssetClass, standing: Iterable[Encumbrance], known: Iterable[Breach]
) -> dict[str, Money]:
    """What each holder has confirmed with value behind it."""
    held: dict[str, Money] = {}
    for encumbrance in standing:
        if encumbrance.state is EncumbranceState.CONFIRMED and encumbrance.asset_class is asset_class:
            outstanding = item_of(encumbrance, asset).outstanding
            held[encumbrance.holder] = held.get(encumbrance.holder, outstanding.zero()) + outstanding
    for breach in known:
        for share in breach.shares:
            if share.holder in held:
                held[share.holder] -= share.open
    return held


def unbacked(breaches: Iterable[Breach], asset_class: AssetClass) -> dict[str, Money]:
    """What each holder's open shares come to."""
    found: dict[str, Money] = {}
    for share in (share for breach in breaches if breach.asset_class is asset_class for share in breach.shares):
        found[share.holder] = found.get(share.holder, share.open.zero()) + share.open
    return found


def cure(transaction: Transaction, asset: str, asset_class: AssetClass, amount: Money, holder: str = "") -> None:
    """Value came back, or what stood on it was given back: the oldest breaches first."""
    known = [breach for breach in store.open_on(transaction.connection, [asset]) if breach.asset_class is asset_class]
    for changed in model.cured(known, amount, holder):
        _save(transaction, changed, "breach.cured")


def _save(transaction: Transaction, changed: Breach, event: str) -> Breach:
    """The changed breach; once nothing of it is open it freezes its asset no more."""
    fresh = store.save(transaction, changed, event)
    if fresh.state is not State.OPEN:
        unfreeze(transaction, {fresh.asset: fresh.name}, {fresh.asset: _parties(fresh)})
    return fresh


def _parties(breach: Breach) -> list[str]:
    return [breach.enterprise, *(share.holder for share in breach.shares)]


def resolve(transaction: Transaction, breach: Breach, share: model.Share) -> Breach:
    """A holder has given up its share."""
    return _save(transaction, model.resolved(breach, share), "breach.resolved")


def freeze(transaction: Transaction, causes: Mapping[str, str], parties: Mapping[str, Sequence[str]]) -> None:
    """Freezes assets by a cause each; those whom it concerns are told."""
    known = value_store.frozen(transaction.connection, causes)
    fresh = {asset: cause for asset, cause in causes.items() if cause not in known.get(asset, ())}
    value_store.add_freezes(transaction.connection, fresh)
    for asset, cause in fresh.items():
        message = value_pb2.AssetFreeze(asset=asset, cause=cause, is_frozen=True)
        for party in dict.fromkeys(parties.get(asset, ())):
            transaction.append("asset.frozen", asset, message, [party])


def unfreeze(transaction: Transaction, causes: Mapping[str, str], parties: Mapping[str, Sequence[str]]) -> None:
    """Takes a cause away from each asset; those whom it concerns are told."""
    known = value_store.frozen(transaction.connection, causes)
    ended = {asset: cause for asset, cause in causes.items() if cause in known.get(asset, ())}
    value_store.remove_freezes(transaction.connection, ended.items())
    for asset, cause in ended.items():
        message = value_pb2.AssetFreeze(asset=asset, cause=cause, is_frozen=len(known[asset]) > 1)
        for party in dict.fromkeys(parties.get(asset, ())):
            transaction.append("asset.unfrozen", asset, message, [party])
