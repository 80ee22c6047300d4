"""Encumbrances on the wire."""

from collections.abc import Iterable

from aval.declarations.v1 import declarations_pb2, value_pb2
from aval.type.v1 import rate_pb2

from chassis import money, wire
from chassis.identity import Caller
from chassis.money import Money, total
from chassis.rpc import decimal
from services.declarations.register.asset import Asset, AssetClass
from services.declarations.register.encumbrance.model import (
    Application,
    Encumbrance,
    Item,
    Reduction,
    SettledPart,
    State,
    settled_total,
)
from trade.reference_rates import RateOrigin

AssetClassProto = declarations_pb2.Encumbrance.AssetClass


def to_proto(encumbrance: Encumbrance, reader: str = "") -> declarations_pb2.Encumbrance:
    """Returns the encumbrance as a reader sees it, its holder if none is named.

    Only the holder sees a reduction that it prepares.
    """
    message = declarations_pb2.Encumbrance(
        name=encumbrance.name,
        holder=encumbrance.holder,
        enterprise=encumbrance.enterprise,
        asset_class=encumbrance.asset_class.value,
        items=map(_item, encumbrance.items),
        pari_passu=encumbrance.pari_passu,
        state=encumbrance.state.value,
        reference=encumbrance.reference,
        fencing_number=encumbrance.fencing_number,
        etag=str(encumbrance.revision),
    )
    if encumbrance.expire_us:
        message.expire_time.FromMicroseconds(encumbrance.expire_us)
    if encumbrance.reduction and reader in ("", encumbrance.holder):
        message.reduction.CopyFrom(_reduction(encumbrance.reduction))
    return message


def _item(item: Item) -> declarations_pb2.EncumberedValue:
    message = declarations_pb2.EncumberedValue(
        asset=item.asset, amount=money.to_proto(item.amount), settled=money.to_proto(item.settled)
    )
    if item.claimed and item.exchange_rate is not None and item.haircut is not None:
        message.claimed.CopyFrom(money.to_proto(item.claimed))
        message.exchange_rate.CopyFrom(decimal(item.exchange_rate))
        message.haircut.CopyFrom(decimal(item.haircut))
    if item.rate_origin:
        message.rate_origin.CopyFrom(_origin(item.rate_origin))
    return message


def _origin(origin: RateOrigin) -> rate_pb2.RateOrigin:
    return wire.fill(rate_pb2.RateOrigin, origin)


def _reduction(reduction: Reduction) -> declarations_pb2.Reduction:
    items = [
        declarations_pb2.EncumberedValue(asset=reduced.asset, amount=money.to_proto(reduced.amount))
        for reduced in reduction.items
    ]
    return declarations_pb2.Reduction(items=items, reason=reduction.reason, maker=reduction.maker)


def amounts(items: Iterable[declarations_pb2.EncumberedValue]) -> dict[str, Money]:
    """Returns the amounts by asset."""
    return {item.asset: money.from_proto(item.amount) for item in items}


def items(message: declarations_pb2.Encumbrance) -> tuple[Item, ...]:
    """Returns the items of a request, in the order of their assets."""
    unsorted = [_from_item(item) for item in message.items]
    return tuple(sorted(unsorted, key=lambda item: item.asset))


def _from_item(item: declarations_pb2.EncumberedValue) -> Item:
    amount = money.from_proto(item.amount)
    return Item(item.asset, amount, amount.zero())


def settled(asset: str, settled: SettledPart) -> declarations_pb2.SettledEncumbrance:
    """Returns on the wire how much a payment settled of an encumbrance on an asset."""
    total = settled_total(settled.encumbrance, settled.amount.currency) + settled.amount
    return declarations_pb2.SettledEncumbrance(
        encumbrance=settled.encumbrance.name,
        holder=settled.encumbrance.holder,
        reference=settled.encumbrance.reference,
        amount=money.to_proto(settled.amount),
        settled_total=money.to_proto(total),
        asset=asset,
    )


def paid(response: declarations_pb2.ApplyProceedsResponse) -> Money:
    """Returns the payment that an answer splits: settled finance, value free of finance, excess."""
    parts = [
        *(settled_encumbrance.amount for settled_encumbrance in response.settled_encumbrances),
        response.unfinanced,
        response.excess,
    ]
    return total(list(map(money.from_proto, parts)), response.unfinanced.currency_code)


def settled_of(response: declarations_pb2.ApplyProceedsResponse, encumbrance: str, currency: str) -> list[Money]:
    """Returns what a payment settled of an encumbrance on each asset of a currency, by the answer that it got."""
    amounts = (
        money.from_proto(settled.amount)
        for settled in response.settled_encumbrances
        if settled.encumbrance == encumbrance
    )
    return [amount for amount in amounts if amount.currency == currency]


def asked(
    request: declarations_pb2.ReserveEncumbranceRequest, caller: Caller, now_us: int, expire_us: int
) -> Encumbrance:
    """Returns the encumbrance that a request asks for, under the id by which it is kept.

    Its enterprise comes later.
    """
    message = request.encumbrance
    return Encumbrance(
        id=caller.kept_id(request.encumbrance_id),
        holder=caller.tenant,
        enterprise="",
        asset_class=AssetClass(AssetClassProto.Name(message.asset_class)),
        items=items(message),
        pari_passu=message.pari_passu,
        state=State.RESERVED,
        expire_us=expire_us,
        reference=message.reference,
        fencing_number=0,
        create_us=now_us,
        revision=1,
    )


def settlement(asset: Asset, application: Application) -> value_pb2.AssetSettlement:
    """Returns the payload of asset.settled: the parts of a payment, in minor units of the asset's currency."""
    return value_pb2.AssetSettlement(
        asset=asset.name,
        enterprise=asset.enterprise,
        settled=money.to_proto(application.financed + application.free + application.margin),
        cured=money.to_proto(application.cured),
        excess=money.to_proto(application.excess),
    )
