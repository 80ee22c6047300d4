"""A pool's base as declared value: what stands on it stays within what its lists are worth.

VALUE is the base and what was settled before, so that the part still to come is the base. Money for
a list comes to more than the list adds to the base; all of it goes to those who finance the pool
first (invariant I1), and what they and the base don't have is excess.
"""

from aval.declarations.v1 import declarations_pb2

from chassis import money
from chassis.command import Transaction
from chassis.money import Money
from services.declarations.encumbrance import commands as encumbrance_commands
from services.declarations.pool.assets import as_asset
from services.declarations.pool.model import Pool
from services.declarations.value import commands as value_commands
from services.declarations.value import store


def revalue(transaction: Transaction, pool: Pool, cause: str) -> None:
    """Brings the pool's value to its base; where nothing stands on it there is nothing to bring."""
    booked = store.booked(transaction.connection, [pool.name]).get(pool.name)
    if booked is not None:
        asset = as_asset(pool, booked.settled)
        value_commands.revalue(transaction, asset, asset.value, cause)


def settle(transaction: Transaction, pool: Pool, payment: str, amount: Money) -> Money:
    """Applies what was paid to the pool's value; the part that settled finance."""
    if not amount or not store.opened(transaction.connection, [pool.name]):
        return amount.zero()
    request = declarations_pb2.ApplyProceedsRequest(asset=pool.name, payment=payment, amount=money.to_proto(amount))
    response = encumbrance_commands.apply_proceeds(transaction, request)
    return sum((money.from_proto(one.amount) for one in response.settled_encumbrances), amount.zero())
