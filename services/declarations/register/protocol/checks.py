"""Checks that several verbs of the register make."""

from collections.abc import Sequence

from aval.declarations.v1 import declarations_pb2

from chassis.command import Transaction
from chassis.errors import InvalidFields, NotFound, Problem
from chassis.money import Money
from services.declarations.register.encumbrance import rpc as encumbrance_rpc
from services.declarations.register.encumbrance import store as encumbrance_store
from services.declarations.register.encumbrance.model import Encumbrance


def repeated(path: str) -> Problem:
    return Problem(path, "ASSET_REPEATED", "Name each asset once.", "每项资产只能列一次。")


def named_amounts(items: Sequence[declarations_pb2.EncumberedValue]) -> dict[str, Money]:
    """Returns the amounts that a request names, by asset. Raises InvalidFields where it names an asset twice."""
    amounts = encumbrance_rpc.amounts(items)
    if len(amounts) < len(items):
        raise InvalidFields([repeated("items")])
    return amounts


def held(transaction: Transaction, name: str) -> Encumbrance:
    """Returns the caller's own encumbrance. Raises NotFound for anyone else's."""
    identifier = name.removeprefix("encumbrances/")
    encumbrance = encumbrance_store.named(transaction.connection, transaction.caller, [identifier]).get(identifier)
    if encumbrance is None or encumbrance.holder != transaction.caller.tenant:
        raise NotFound(resource=name)
    return encumbrance


def is_within(amount: Money, most: Money) -> bool:
    return amount.currency == most.currency and most.zero() <= amount <= most
