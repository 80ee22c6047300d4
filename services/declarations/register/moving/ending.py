"""Ends encumbrances, of their own accord or because value was taken: many at a time, in one block.

Whoever calls this settles afterwards what is netted for the orders among the assets (preshipment/netting).
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from chassis.command import Transaction
from chassis.money import Money
from chassis.records import Conflict
from chassis.states import moved
from ledger.model import Transfer
from services.declarations.register.asset import AssetClass
from services.declarations.register.breach import lifecycle as breach_lifecycle
from services.declarations.register.encumbrance import model as encumbrance_model
from services.declarations.register.encumbrance import store as encumbrance_store
from services.declarations.register.encumbrance.model import TRANSITIONS, Encumbrance, State, Verb
from services.declarations.register.value import model as value_model
from services.declarations.register.value.books import Books

# By how a reservation ends: its transfers and its event.
ENDINGS = {
    Verb.RELEASE: (encumbrance_model.void_transfers, "encumbrance.released"),
    Verb.EXPIRE: (encumbrance_model.expire_transfers, "encumbrance.expired"),
}


def end_reservations(transaction: Transaction, ending: Sequence[Encumbrance], verb: Verb) -> list[Encumbrance]:
    """Ends reservations and returns them as they ended; their value is free again on all their assets."""
    if not ending:
        return []
    transfers = [ENDINGS[verb][0](encumbrance) for encumbrance in ending]
    books = Books(
        transaction,
        (asset for encumbrance in ending for asset in encumbrance.assets),
        list(itertools.chain(*transfers)),
    )
    ended = [
        end_one(transaction, books, encumbrance, verb, voids)
        for encumbrance, voids in zip(ending, transfers, strict=True)
    ]
    books.restore_margins()
    books.write()
    return ended


def end_one(
    transaction: Transaction, books: Books, encumbrance: Encumbrance, verb: Verb, voids: Sequence[Transfer]
) -> Encumbrance:
    """Ends one reservation within books that name its transfers. Returns it as it ended."""
    books.attempt(voids)
    ended = replace(encumbrance, state=moved(TRANSITIONS, encumbrance, verb))
    return encumbrance_store.save(transaction, ended, ENDINGS[verb][1])


def give_back(
    transaction: Transaction, encumbrance: Encumbrance, verb: Verb, amounts: Mapping[str, Money], event: str
) -> Encumbrance:
    """Gives back confirmed value by asset, first to what falls short of value; returns the changed encumbrance.

    The rest is free again on these assets.
    """
    books = Books(transaction, amounts)
    cured = {asset: _return(books, encumbrance, asset, amount) for asset, amount in amounts.items()}
    books.restore_margins()
    books.write()
    state = moved(TRANSITIONS, encumbrance, verb)
    changed = encumbrance_model.reduced(encumbrance, amounts) if state in encumbrance_model.STANDING else encumbrance
    saved = encumbrance_store.save(transaction, replace(changed, state=state, reduction=None), event)
    for asset, amount in cured.items():
        if amount:
            breach_lifecycle.cure(transaction, asset, encumbrance.asset_class, amount, encumbrance.holder)
    return saved


def _return(books: Books, encumbrance: Encumbrance, asset: str, amount: Money) -> Money:
    """Moves one asset's amount back. Returns how much of it cured a shortfall."""
    value = books.value(asset)
    books.move(asset, value_model.given_back(value, encumbrance.asset_class, amount), "release", encumbrance.name)
    return min(amount, value_model.short_of(value, encumbrance.asset_class))


def locked(
    transaction: Transaction, asset: str, classes: Iterable[AssetClass] = AssetClass
) -> tuple[list[Encumbrance], Books]:
    """Returns the encumbrances on an asset, and the books in which its reservations of these classes may give way.

    Whoever confirms or gives back meanwhile doesn't hold the asset's name, but moves its accounts: the encumbrances are
    read again once the accounts are locked. Raises Conflict if they have changed.
    """
    standing = _standing(transaction, asset)
    reserved = [encumbrance for asset_class in classes for encumbrance in reserved_on(standing, asset_class)]
    voids = [void for encumbrance in reserved for void in encumbrance_model.void_transfers(encumbrance)]
    books = Books(transaction, [asset, *(name for encumbrance in reserved for name in encumbrance.assets)], voids)
    if _standing(transaction, asset) != standing:
        raise Conflict(f"what stands on {asset}")
    return standing, books


def _standing(transaction: Transaction, asset: str) -> list[Encumbrance]:
    encumbrances = encumbrance_store.standing_on(transaction.connection, [asset]).get(asset, [])
    return sorted(encumbrances, key=lambda encumbrance: encumbrance.id)


def settle_cover(
    transaction: Transaction,
    asset: str,
    books: Books,
    standing: Sequence[Encumbrance],
    paid: Money,
    unbacked: Mapping[str, Money],
) -> encumbrance_model.CoverSettlement:
    """Books that a part of what was owed is paid, and so insured no more (I2); its rows are the caller's to save.

    `standing` is what stands on the asset, of which reserved cover gives way, the newest first; `unbacked` is what each
    insurer covers without value behind it.
    """
    waiting = reserved_on(standing, AssetClass.INSURANCE)
    while encumbrance_model.gives_way(books.value(asset), waiting, asset, paid):
        newest = waiting.pop(0)
        end_one(transaction, books, newest, Verb.RELEASE, encumbrance_model.void_transfers(newest))
    cover = encumbrance_model.settle_cover(asset, standing, paid, unbacked)
    books.move(asset, cover.moves(), "proceeds")
    return cover


def outstanding(encumbrance: Encumbrance) -> dict[str, Money]:
    """Returns by asset the amount that the encumbrance still has to give back."""
    return {item.asset: item.outstanding for item in encumbrance.items if item.outstanding}


def reserved_on(standing: Iterable[Encumbrance], asset_class: AssetClass) -> list[Encumbrance]:
    """Returns the reservations of a class in the order in which they give way."""
    return encumbrance_model.newest_first(
        (encumbrance for encumbrance in standing if encumbrance.asset_class is asset_class), (State.RESERVED,)
    )
