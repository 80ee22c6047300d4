"""Ending a share of a breach: a maker proposes, a checker approves."""

from dataclasses import replace

from aval.declarations.v1 import value_pb2

from chassis.command import Transaction
from chassis.errors import EtagMismatch, NotFound, NothingPrepared
from chassis.money import Money
from chassis.states import moved
from services.declarations.register import errors as register_errors
from services.declarations.register.breach import lifecycle as breach_lifecycle
from services.declarations.register.breach import model, rpc, store
from services.declarations.register.breach.model import TRANSITIONS, Breach, Share, Verb
from services.declarations.register.encumbrance import store as encumbrance_store
from services.declarations.register.encumbrance.model import Encumbrance, State, item_of, reduced, without_value
from services.declarations.register.value.books import Books
from services.declarations.register.value.model import SIDES, Move
from trade import approval

KIND = value_pb2.BreachResolution.Kind


def _shared(transaction: Transaction, name: str, etag: str) -> tuple[Breach, Share]:
    """Returns the breach and the caller's open share of it.

    Raises NotFound where the caller has no share, EtagMismatch, ShareEnded.
    """
    breach = store.load(transaction.connection, name.removeprefix("breaches/"))
    share = breach.share_of(transaction.caller.tenant) if breach else None
    if breach is None or share is None:
        raise NotFound(resource=name)
    if etag not in ("", str(share.revision)):
        raise EtagMismatch(resource=name)
    if share.open:
        moved(TRANSITIONS, breach, Verb.RESOLVE)
    else:
        raise register_errors.ShareEnded(breach=name)
    return breach, share


def propose(transaction: Transaction, request: value_pb2.ProposeBreachResolutionRequest) -> value_pb2.Breach:
    """Prepares as the maker that the caller gives up what has no value behind it. Returns the breach."""
    breach, _ = _shared(transaction, request.name, request.etag)
    caller, resolution = transaction.caller, request.resolution
    changed = model.proposed(breach, caller.tenant, KIND.Name(resolution.kind), resolution.note, caller.principal)
    return rpc.to_proto(store.save(transaction, changed), caller.tenant)


def resolve(transaction: Transaction, request: value_pb2.ResolveBreachRequest) -> value_pb2.Breach:
    """Approves the proposal as it was checked: the caller's encumbrances shrink by its share. Returns the breach."""
    breach, share = _shared(transaction, request.name, request.etag)
    if not share.maker:
        raise NothingPrepared(resource=breach.name)
    approval.check_another(share.maker, transaction.caller.principal)
    _give_up(transaction, breach, share)
    return rpc.to_proto(breach_lifecycle.resolve(transaction, breach, share), share.holder)


def _give_up(transaction: Transaction, breach: Breach, share: Share) -> None:
    """Takes the share off the holder's encumbrances on the asset, the newest first, in ledger and rows."""
    standing = encumbrance_store.standing_on(transaction.connection, [breach.asset]).get(breach.asset, [])
    own = sorted(
        (encumbrance for encumbrance in standing if _is_of(encumbrance, breach, share)),
        key=lambda encumbrance: encumbrance.age,
    )
    _, held, short = SIDES[breach.asset_class]
    books = Books(transaction, [breach.asset])
    books.move(breach.asset, [Move(held, short, share.open)], "resolve", breach.name)
    books.write()
    for identifier, amount in without_value(own, breach.asset, {share.holder: share.open}).items():
        if amount:
            _reduce(
                transaction,
                next(encumbrance for encumbrance in own if encumbrance.id == identifier),
                breach.asset,
                amount,
            )


def _is_of(encumbrance: Encumbrance, breach: Breach, share: Share) -> bool:
    return (
        encumbrance.state is State.CONFIRMED
        and encumbrance.holder == share.holder
        and encumbrance.asset_class is breach.asset_class
    )


def _reduce(transaction: Transaction, encumbrance: Encumbrance, asset: str, amount: Money) -> None:
    """Takes an amount off one encumbrance, and releases it once nothing of it is left."""
    left = reduced(encumbrance, {asset: amount})
    is_over = not any(item.outstanding for item in left.items)
    if is_over and not item_of(left, asset).settled:
        encumbrance_store.save(
            transaction, replace(encumbrance, state=State.RELEASED, reduction=None), "encumbrance.released"
        )
    else:
        encumbrance_store.save(transaction, left, "encumbrance.reduced")
