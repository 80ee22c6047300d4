"""Encumbrances on the wire."""

from aval.declarations.v1 import declarations_pb2

from chassis import money
from services.declarations.encumbrance.model import AssetClass, Encumbrance, Item, Settled, State

AssetClassProto = declarations_pb2.Encumbrance.AssetClass


def to_proto(encumbrance: Encumbrance) -> declarations_pb2.Encumbrance:
    """The wire form."""
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
    return message


def _item(item: Item) -> declarations_pb2.EncumberedValue:
    return declarations_pb2.EncumberedValue(
        declaration=f"declarations/{item.declaration}",
        amount=money.to_proto(item.amount),
        settled=money.to_proto(item.settled),
    )


def items(message: declarations_pb2.Encumbrance) -> tuple[Item, ...]:
    """The items asked for, in the order of their declarations."""
    found = [_from_item(item) for item in message.items]
    return tuple(sorted(found, key=lambda item: item.declaration))


def _from_item(item: declarations_pb2.EncumberedValue) -> Item:
    amount = money.from_proto(item.amount)
    return Item(number(item.declaration), amount, amount.zero())


def number(declaration: str) -> str:
    """The customs number in a resource name."""
    return declaration.removeprefix("declarations/")


def settled(one: Settled) -> declarations_pb2.SettledEncumbrance:
    """What a payment settled of an encumbrance."""
    return declarations_pb2.SettledEncumbrance(
        encumbrance=one.encumbrance.name,
        holder=one.encumbrance.holder,
        reference=one.encumbrance.reference,
        amount=money.to_proto(one.amount),
    )


def asked(
    request: declarations_pb2.ReserveEncumbranceRequest, holder: str, enterprise: str, now_us: int, expire_us: int
) -> Encumbrance:
    """The encumbrance a request asks for."""
    message = request.encumbrance
    return Encumbrance(
        request.encumbrance_id,
        holder,
        enterprise,
        AssetClass(AssetClassProto.Name(message.asset_class)),
        items(message),
        message.pari_passu,
        State.RESERVED,
        expire_us,
        message.reference,
        0,
        now_us,
        1,
    )
