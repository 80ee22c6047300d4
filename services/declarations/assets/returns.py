"""Takes the value of goods that came back out of their declaration's, whatever stands on it."""

from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa
from aval.declarations.v1 import records_pb2

from chassis import database, money
from chassis.command import Transaction
from chassis.errors import Problem
from chassis.money import Money
from services.declarations.assets.sale import value as sale_value
from services.declarations.register.protocol import revaluing
from services.declarations.window.declaration import assets as declaration_assets
from services.declarations.window.declaration import store as declaration_store
from services.declarations.window.declaration.model import Declaration
from services.declarations.window.records.model import Record

# The declarations that returns name, by number.
Known = Mapping[str, Declaration]

DECLARATION_UNKNOWN = Problem(
    "declaration",
    "DECLARATION_UNKNOWN",
    "The export declaration hasn't come yet; send the return again once it has.",
    "尚未收到该出口报关单；请在收到后重新发送退货记录。",
)
CURRENCY_DIFFERS = Problem(
    "goods_return.amount",
    "CURRENCY_DIFFERS",
    "Give the value in the currency of the export declaration.",
    "请以出口报关单的币制填写金额。",
)


def load(connection: sa.Connection, bodies: Iterable[records_pb2.Record]) -> Known:
    """Returns the declarations whose goods came back, by number, without those that haven't come."""
    numbers = {body.declaration.removeprefix("declarations/") for body in bodies if body.HasField("goods_return")}
    return declaration_store.load(connection, numbers) if numbers else {}


def problems(declarations: Known, body: records_pb2.Record) -> list[Problem]:
    """Returns why a return doesn't fit its declaration."""
    if not body.HasField("goods_return"):
        return []
    declaration = declarations.get(body.declaration.removeprefix("declarations/"))
    if declaration is None:
        return [DECLARATION_UNKNOWN]
    fits = declaration.value.currency == body.goods_return.amount.currency_code
    return [] if fits else [CURRENCY_DIFFERS]


def follow(
    transaction: Transaction, declarations: Known, changed: Sequence[tuple[Record, records_pb2.GoodsReturn]]
) -> None:
    """Takes the value of each return back; what stands on more than is left is in breach."""
    for record, content in changed:
        take_back(transaction, declarations[record.declaration], money.from_proto(content.amount))


def take_back(transaction: Transaction, declaration: Declaration, amount: Money) -> Money:
    """Takes the value of goods that came back out of their declaration's; its sales follow.

    Returns how much of the amount counted: at most what hasn't come back yet.
    """
    database.lock(transaction.connection, [declaration.name])
    (asset,) = declaration_assets.load(transaction.connection, [declaration.name], transaction.business_date).values()
    counted = revaluing.take_back(transaction, asset, amount)
    sale_value.follow(transaction, [declaration.id], revaluing.RETURNED)
    return counted
