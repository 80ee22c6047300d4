"""A pool's base as declared value: what stands on it stays within what its lists are worth.

VALUE is the base and what was settled before, so that the part still to come is the base. Money for
a list comes to more than the list adds to the base; all of it goes to those who finance the pool
first (invariant I1), and what they and the base don't have is excess.
"""

from aval.declarations.v1 import declarations_pb2

from chassis import money
from chassis.command import Transaction
from chassis.money import Money
from services.declarations.assets.pool.assets import as_asset
from services.declarations.assets.pool.model import Pool
from services.declarations.register.moving import forcing as moving_forcing
from services.declarations.register.protocol import reserving as protocol_reserving
from services.declarations.register.value import store as value_store


def revalue(transaction: Transaction, pool: Pool, cause: str) -> None:
    """Brings the pool's value to its base; where nothing stands on it there is nothing to bring."""
    booked = value_store.booked(transaction.connection, [pool.name]).get(pool.name)
    if booked is not None:
        asset = as_asset(pool, booked.settled)
        moving_forcing.revalue(transaction, asset, asset.value, cause)


def settle(transaction: Transaction, pool: Pool, payment: str, amount: Money) -> Money:
    """Applies what was paid to the pool's value; the part that settled finance."""
    if not amount or not value_store.opened(transaction.connection, [pool.name]):
        return amount.zero()
    request = declarations_pb2.ApplyProceedsRequest(asset=pool.name, payment=payment, amount=money.to_proto(amount))
    response = protocol_reserving.apply_proceeds(transaction, request)
    return sum((money.from_proto(one.amount) for one in response.settled_encumbrances), amount.zero())
