"""Gives value back: release, reduction by two persons, and the end of reservations that nobody confirmed."""

import dataclasses
from collections.abc import Mapping

from aval.declarations.v1 import declarations_pb2

from chassis import database
from chassis.command import Transaction
from chassis.errors import NothingPrepared
from chassis.money import Money
from chassis.states import check_etag, moved
from services.declarations.register import errors as register_errors
from services.declarations.register.asset import AssetClass
from services.declarations.register.encumbrance import rpc as encumbrance_rpc
from services.declarations.register.encumbrance import store as encumbrance_store
from services.declarations.register.encumbrance.model import (
    TRANSITIONS,
    Encumbrance,
    ReducedItem,
    Reduction,
    State,
    Verb,
)
from services.declarations.register.moving import ending
from services.declarations.register.preshipment import netting
from services.declarations.register.protocol.checks import held, is_within, named_amounts
from trade import approval

EXPIRE_AT_ONCE = 200

SYSTEM = "BANK_SYSTEM"
EVENTS = {Verb.RELEASE: "encumbrance.released", Verb.REDUCE: "encumbrance.reduced"}


def release(
    transaction: Transaction, request: declarations_pb2.ReleaseEncumbranceRequest
) -> declarations_pb2.Encumbrance:
    """Gives the value back, or the parts named. An id under which the caller has nothing leaves its own tombstone."""
    identifier = request.name.removeprefix("encumbrances/")
    visible = encumbrance_store.named(transaction.connection, transaction.caller, [identifier]).get(identifier)
    if visible is None:
        return _tombstone(transaction, transaction.caller.kept_id(identifier))
    encumbrance = held(transaction, request.name)
    if encumbrance.state in (State.RELEASED, State.EXPIRED):
        return encumbrance_rpc.to_proto(encumbrance)
    check_etag(request.etag, encumbrance)
    _check_second_person(transaction, encumbrance)
    if request.items:
        return encumbrance_rpc.to_proto(_reduce(transaction, encumbrance, named_amounts(request.items)))
    return encumbrance_rpc.to_proto(_release(transaction, encumbrance))


def _check_second_person(transaction: Transaction, encumbrance: Encumbrance) -> None:
    """Checks that a confirmed encumbrance changes by two people, or by a system whose own book had two.

    Raises SecondPersonRequired.
    """
    caller = transaction.caller
    is_person = not caller.service and SYSTEM not in caller.roles
    if encumbrance.state is State.CONFIRMED and is_person:
        raise register_errors.SecondPersonRequired(encumbrance=encumbrance.name)


def _release(transaction: Transaction, encumbrance: Encumbrance) -> Encumbrance:
    if encumbrance.state is State.RESERVED:
        return netting.end_reservations(transaction, [encumbrance], Verb.RELEASE)[0]
    return _give_back(transaction, encumbrance, Verb.RELEASE, ending.outstanding(encumbrance))


def _give_back(
    transaction: Transaction, encumbrance: Encumbrance, verb: Verb, amounts: Mapping[str, Money]
) -> Encumbrance:
    """Gives back confirmed value, then nets anew for the orders among its assets. Returns the changed encumbrance."""
    saved = ending.give_back(transaction, encumbrance, verb, amounts, EVENTS[verb])
    netting.rebalance(transaction, amounts)
    return saved


def _reduce(transaction: Transaction, encumbrance: Encumbrance, amounts: Mapping[str, Money]) -> Encumbrance:
    """Gives back a part of what is confirmed; all of it releases the encumbrance."""
    moved(TRANSITIONS, encumbrance, Verb.REDUCE)
    _check_reduction(encumbrance, amounts)
    is_all = all(item.outstanding == amounts.get(item.asset, item.amount.zero()) for item in encumbrance.items)
    return _give_back(transaction, encumbrance, Verb.RELEASE if is_all else Verb.REDUCE, amounts)


def _check_reduction(encumbrance: Encumbrance, amounts: Mapping[str, Money]) -> None:
    """Checks that the amounts are positive, in the asset's currency, and no more than is outstanding.

    Raises ReductionExceedsEncumbrance.
    """
    left = ending.outstanding(encumbrance)
    for name, amount in amounts.items():
        if name not in left or not amount or not is_within(amount, left[name]):
            raise register_errors.ReductionExceedsEncumbrance(asset=name, encumbrance=encumbrance.name)


def reduce(
    transaction: Transaction, request: declarations_pb2.ReduceEncumbranceRequest
) -> declarations_pb2.Encumbrance:
    """Prepares as the maker that less is encumbered. Returns the encumbrance."""
    encumbrance = held(transaction, request.name)
    check_etag(request.etag, encumbrance)
    moved(TRANSITIONS, encumbrance, Verb.REDUCE)
    amounts = named_amounts(request.items)
    _check_reduction(encumbrance, amounts)
    items = tuple(ReducedItem(name, amount) for name, amount in amounts.items())
    prepared = Reduction(items, request.reason, transaction.caller.principal)
    changed = dataclasses.replace(encumbrance, reduction=prepared)
    return encumbrance_rpc.to_proto(encumbrance_store.save(transaction, changed, "encumbrance.reduction_prepared"))


def approve_reduction(
    transaction: Transaction, request: declarations_pb2.ApproveReductionRequest
) -> declarations_pb2.Encumbrance:
    """Approves as the checker what the maker prepared, as it was checked. Returns the encumbrance."""
    encumbrance = held(transaction, request.name)
    check_etag(request.etag, encumbrance)
    prepared = _prepared(encumbrance)
    approval.check_another(prepared.maker, transaction.caller.principal)
    amounts = {reduced.asset: reduced.amount for reduced in prepared.items}
    return encumbrance_rpc.to_proto(_reduce(transaction, encumbrance, amounts))


def reject_reduction(
    transaction: Transaction, request: declarations_pb2.RejectReductionRequest
) -> declarations_pb2.Encumbrance:
    """Drops what the maker prepared. Returns the encumbrance."""
    encumbrance = held(transaction, request.name)
    check_etag(request.etag, encumbrance)
    _prepared(encumbrance)
    dropped = dataclasses.replace(encumbrance, reduction=None)
    return encumbrance_rpc.to_proto(encumbrance_store.save(transaction, dropped, "encumbrance.reduction_rejected"))


def _prepared(encumbrance: Encumbrance) -> Reduction:
    if encumbrance.reduction is None:
        raise NothingPrepared(resource=encumbrance.name)
    return encumbrance.reduction


def _tombstone(transaction: Transaction, identifier: str) -> declarations_pb2.Encumbrance:
    """Leaves a tombstone, which refuses a reservation that comes after its own release."""
    holder, now_us = transaction.caller.tenant, transaction.now_us
    tombstone = Encumbrance(
        id=identifier,
        holder=holder,
        enterprise="",
        asset_class=AssetClass.RECEIVABLE,
        items=(),
        pari_passu=False,
        state=State.RELEASED,
        expire_us=0,
        reference="",
        fencing_number=0,
        create_us=now_us,
        revision=1,
    )
    encumbrance_store.add(transaction, tombstone)
    encumbrance_store.tell(transaction, tombstone, "encumbrance.released")
    return encumbrance_rpc.to_proto(tombstone)


def expire(transaction: Transaction) -> bool:
    """Ends reservations that have expired, a batch at a time. Returns whether there may be more."""
    connection = transaction.connection
    expired = encumbrance_store.due(connection, transaction.now_us, EXPIRE_AT_ONCE)
    # Lock what they stand on first, to wait for whoever ends one of them meanwhile.
    database.lock(connection, [asset for encumbrance in expired for asset in encumbrance.assets])
    present = encumbrance_store.load(connection, [encumbrance.id for encumbrance in expired])
    due = [encumbrance for encumbrance in present.values() if encumbrance.state is State.RESERVED]
    netting.end_reservations(transaction, due, Verb.EXPIRE)
    return len(expired) == EXPIRE_AT_ONCE
