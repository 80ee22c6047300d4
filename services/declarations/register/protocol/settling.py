"""Applies what a buyer paid to the value of an asset and to what stands on it."""

from collections.abc import Sequence

from aval.declarations.v1 import declarations_pb2

from chassis import database, money
from chassis.command import Transaction
from chassis.errors import InvalidFields, Problem
from chassis.money import Money
from services.declarations.register import errors as register_errors
from services.declarations.register.asset import Asset, AssetClass
from services.declarations.register.breach import lifecycle as breach_lifecycle
from services.declarations.register.breach import store as breach_store
from services.declarations.register.encumbrance import model as encumbrance_model
from services.declarations.register.encumbrance import rpc as encumbrance_rpc
from services.declarations.register.encumbrance import store as encumbrance_store
from services.declarations.register.encumbrance.model import Encumbrance, Verb
from services.declarations.register.kind import Kind, Kinds, load_asset
from services.declarations.register.moving import ending
from services.declarations.register.preshipment import netting
from services.declarations.register.value import store as value_store

PAID_NEGATIVE = Problem(
    "amount", "AMOUNT_NEGATIVE", "Apply what was paid; a refund is no payment.", "请填写实际收款金额；退款不属于收款。"
)


def apply_proceeds(
    kinds: Kinds, transaction: Transaction, request: declarations_pb2.ApplyProceedsRequest
) -> declarations_pb2.ApplyProceedsResponse:
    """Applies what the buyer paid to an asset's value, each payment once.

    Raises NotFound, or DeclarationNotFound, for an asset that doesn't exist, InvalidFields for a refund.
    """
    connection = transaction.connection
    if request.amount.minor_units < 0:
        raise InvalidFields([PAID_NEGATIVE])
    if response := encumbrance_store.applied(connection, request.asset, request.payment):
        return declarations_pb2.ApplyProceedsResponse.FromString(response)
    database.lock(connection, [request.asset])
    asset = load_asset(kinds, connection, request.asset, transaction.business_date)
    return apply_to(transaction, kinds[asset.collection], asset, request)


def apply_to(
    transaction: Transaction, kind: Kind, asset: Asset, request: declarations_pb2.ApplyProceedsRequest
) -> declarations_pb2.ApplyProceedsResponse:
    """Applies a payment to an asset that is locked and read under its lock. Raises ValueNotEligible by currency."""
    amount = money.from_proto(request.amount)
    if amount.currency != asset.value.currency:
        raise register_errors.ValueNotEligible(
            declaration=asset.name, explanation=f"{asset.value.currency} / {amount.currency}"
        )
    netting.link_fresh(transaction, value_store.open(transaction, [asset]))
    netting.roll_onto(transaction, asset.name)
    response = _settle_parts_first(transaction, kind, asset, amount)
    encumbrance_store.add_applied(transaction.connection, asset.name, request.payment, response.SerializeToString())
    return response


def _settle_parts_first(
    transaction: Transaction, kind: Kind, asset: Asset, amount: Money
) -> declarations_pb2.ApplyProceedsResponse:
    """Applies a payment to the asset's parts in their order, each up to its value, and the rest to the asset itself."""
    left, unfinanced = amount, amount.zero()
    settled: list[declarations_pb2.SettledEncumbrance] = []
    for part_kind, part_asset in kind.parts(transaction, asset):
        value = value_store.of(transaction.connection, part_asset, transaction.business_date)
        part = min(left, value.financed + value.reserved + value.free + value.margin)
        if part:
            value_store.open(transaction, [part_asset])
            applied = _settle(transaction, part_kind, part_asset, part)
            settled += applied.settled_encumbrances
            unfinanced += money.from_proto(applied.unfinanced)
            left -= part
    response = _settle(transaction, kind, asset, left)
    response.unfinanced.CopyFrom(money.to_proto(unfinanced + money.from_proto(response.unfinanced)))
    response.settled_encumbrances.MergeFrom(settled)
    return response


def _settle(
    transaction: Transaction, kind: Kind, asset: Asset, amount: Money
) -> declarations_pb2.ApplyProceedsResponse:
    """Applies a payment to one asset. Reservations give way to it: nothing already paid is lent on."""
    standing, books = ending.locked(transaction, asset.name)
    for encumbrance in ending.reserved_on(standing, AssetClass.RECEIVABLE):
        value = books.value(asset.name)
        if amount <= value.backed + value.free + value.margin:
            break
        ending.end_one(transaction, books, encumbrance, Verb.RELEASE, encumbrance_model.void_transfers(encumbrance))
    open_breaches = breach_store.open_on(transaction.connection, [asset.name])
    unbacked = breach_lifecycle.unbacked(open_breaches, AssetClass.RECEIVABLE)
    application = encumbrance_model.apply_proceeds(asset.name, books.value(asset.name), standing, amount, unbacked)
    unreleased = encumbrance_store.unreleased_on(transaction.connection, asset.name)
    books.move(asset.name, application.moves(), "proceeds")
    if kind.keeps_excess:
        books.move(asset.name, application.beyond_value(), "excess")
    unbacked_cover = breach_lifecycle.unbacked(open_breaches, AssetClass.INSURANCE)
    cover = ending.settle_cover(transaction, asset.name, books, standing, application.within_value, unbacked_cover)
    books.restore_margins()
    books.write()
    return _settled(transaction, kind, asset, application, cover, unreleased)


def _settled(
    transaction: Transaction,
    kind: Kind,
    asset: Asset,
    application: encumbrance_model.Application,
    cover: encumbrance_model.CoverSettlement,
    unreleased: Sequence[Encumbrance],
) -> declarations_pb2.ApplyProceedsResponse:
    """Brings the rows to what was booked, and tells everyone whom it concerns. Returns the answer."""
    for settled in (*application.settled, *cover.settled):
        encumbrance_store.save(transaction, encumbrance_model.settle_item(settled, asset.name), "encumbrance.settled")
    for holder, amount in application.cured_by_holder.items():
        if amount:
            breach_lifecycle.cure(transaction, asset.name, AssetClass.RECEIVABLE, amount, holder)
    netting.rebalance(transaction, [asset.name])
    kind.tell_settled(transaction, asset, application)
    return declarations_pb2.ApplyProceedsResponse(
        settled_encumbrances=[
            encumbrance_rpc.settled(asset.name, part) for part in application.with_unreleased(unreleased)
        ],
        unfinanced=money.to_proto(application.free + application.margin),
        excess=money.to_proto(application.excess),
        enterprise=asset.enterprise,
    )
