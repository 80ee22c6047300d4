"""Puts back on an encumbrance what a payment settled of it and its lender took as interest."""

from aval.declarations.v1 import declarations_pb2

from chassis import money
from chassis.command import Transaction
from chassis.money import Money
from services.declarations.register.encumbrance import model as encumbrance_model
from services.declarations.register.encumbrance import rpc as encumbrance_rpc
from services.declarations.register.encumbrance import store as encumbrance_store
from services.declarations.register.encumbrance.model import Encumbrance, State
from services.declarations.register.preshipment import netting
from services.declarations.register.protocol.checks import held
from services.declarations.register.value import model as value_model
from services.declarations.register.value.books import Books


def restore(
    transaction: Transaction, request: declarations_pb2.RestoreEncumbranceRequest
) -> declarations_pb2.RestoreEncumbranceResponse:
    """Puts back what a payment settled of an encumbrance and its lender took as interest, as far as value goes.

    Not where another holds the asset meanwhile: nobody stands beside it (I6). Returns the encumbrance, and how much of
    the amount was put back.
    """
    encumbrance, amount = held(transaction, request.name), money.from_proto(request.amount)
    left = amount
    if encumbrance.state is not State.CONFIRMED or left.minor_units <= 0:
        return _response(encumbrance, amount.zero())
    books = Books(transaction, request.assets)
    standing = netting.holders_of(transaction.connection, request.assets)
    restored = encumbrance
    for asset in request.assets:
        if encumbrance_model.is_barred(encumbrance, standing.get(asset, ())):
            continue
        part = encumbrance_model.restorable(restored, asset, books.value(asset), left)
        if part:
            books.move(asset, value_model.refinanced(books.value(asset), part), "restore", encumbrance.name)
            restored, left = encumbrance_model.restored(restored, asset, part), left - part
            encumbrance_store.add_item(transaction, restored, asset)
    if restored == encumbrance:
        return _response(encumbrance, amount.zero())
    books.restore_margins()
    books.write()
    saved = encumbrance_store.save(transaction, restored, "encumbrance.restored")
    netting.rebalance(transaction, request.assets)
    return _response(saved, amount - left)


def _response(encumbrance: Encumbrance, restored: Money) -> declarations_pb2.RestoreEncumbranceResponse:
    return declarations_pb2.RestoreEncumbranceResponse(
        encumbrance=encumbrance_rpc.to_proto(encumbrance), restored=money.to_proto(restored)
    )
