"""Confirms reservations: a reservation becomes finance or cover."""

import dataclasses
from collections.abc import Mapping

from aval.declarations.v1 import declarations_pb2

from chassis import money
from chassis.command import Transaction
from chassis.money import Money
from chassis.states import check_etag, moved
from ledger import store as ledger_store
from services.declarations.register import asset as register_asset
from services.declarations.register import errors as register_errors
from services.declarations.register.asset import AssetClass
from services.declarations.register.encumbrance import model as encumbrance_model
from services.declarations.register.encumbrance import rpc as encumbrance_rpc
from services.declarations.register.encumbrance import store as encumbrance_store
from services.declarations.register.encumbrance.model import TRANSITIONS, Encumbrance, Verb
from services.declarations.register.kind import Kinds, load_assets
from services.declarations.register.preshipment import netting
from services.declarations.register.protocol.checks import held, is_within, named_amounts
from services.declarations.register.value import store as value_store
from services.declarations.register.value.books import Books
from services.declarations.register.value.eligibility import check_eligible


def confirm(
    kinds: Kinds, transaction: Transaction, request: declarations_pb2.ConfirmEncumbranceRequest
) -> declarations_pb2.Encumbrance:
    """Turns a reservation, or the parts named, into finance or cover. Returns the encumbrance."""
    encumbrance = held(transaction, request.name)
    check_etag(request.etag, encumbrance)
    state = moved(TRANSITIONS, encumbrance, Verb.CONFIRM)
    if encumbrance.expire_us <= transaction.now_us:
        raise register_errors.EncumbranceExpired(encumbrance=encumbrance.name)
    assets = load_assets(kinds, transaction.connection, encumbrance.assets, transaction.business_date)
    frozen = value_store.frozen(transaction.connection, encumbrance.assets)
    check_eligible(transaction, assets.values(), frozen, needs=(register_asset.FINAL,))
    amounts = _confirmed_amounts(encumbrance, request)
    ledger_store.post(transaction, *encumbrance_model.confirm_transfers(encumbrance, amounts))
    items = tuple(
        dataclasses.replace(item, amount=amounts[item.asset]) for item in encumbrance.items if amounts[item.asset]
    )
    confirmed = dataclasses.replace(encumbrance, state=state, items=items)
    saved = encumbrance_store.save(transaction, confirmed, "encumbrance.confirmed")
    _free_the_rest(transaction, encumbrance, amounts)
    return _with_paid(transaction, saved)


def _with_paid(transaction: Transaction, confirmed: Encumbrance) -> declarations_pb2.Encumbrance:
    """Returns the encumbrance on the wire.

    An insurer is told what buyers have paid so far, so that it counts what is paid from now.
    """
    message = encumbrance_rpc.to_proto(confirmed)
    if confirmed.asset_class is AssetClass.INSURANCE:
        for item in message.items:
            paid = encumbrance_store.paid(transaction.connection, item.asset, item.amount.currency_code)
            item.paid.CopyFrom(money.to_proto(paid))
    return message


def _free_the_rest(transaction: Transaction, encumbrance: Encumbrance, amounts: Mapping[str, Money]) -> None:
    """Frees what was reserved and not confirmed."""
    fewer = [item.asset for item in encumbrance.items if amounts[item.asset] != item.amount]
    encumbrance_store.drop_items(transaction, encumbrance, [asset for asset in fewer if not amounts[asset]])
    if fewer:
        books = Books(transaction, fewer)
        books.restore_margins()
        books.write()
        netting.rebalance(transaction, fewer)


def _confirmed_amounts(
    encumbrance: Encumbrance, request: declarations_pb2.ConfirmEncumbranceRequest
) -> dict[str, Money]:
    """Returns how much of each item is confirmed: all, or the amounts that the request names.

    Raises AmountExceedsReservation, also where nothing at all is confirmed.
    """
    if not request.items:
        return {item.asset: item.amount for item in encumbrance.items}
    unmatched = named_amounts(request.items)
    amounts = {item.asset: unmatched.pop(item.asset, item.amount.zero()) for item in encumbrance.items}
    for item in encumbrance.items:
        if not is_within(amounts[item.asset], item.amount):
            unmatched[item.asset] = amounts[item.asset]
    if not unmatched and not any(amounts.values()):
        unmatched = dict(amounts)
    for name in unmatched:
        raise register_errors.AmountExceedsReservation(declaration=name, encumbrance=encumbrance.name)
    return amounts
