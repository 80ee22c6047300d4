"""A pool's base as declared value: what stands on it stays within what its lists are worth.

VALUE is the base and what was settled before, so that the part still to come is the base. Money for a list comes to
more than the list adds to the base; all of it goes to those who finance the pool first (invariant I1), and what they
and the base don't have is excess.
"""

from aval.declarations.v1 import declarations_pb2

from chassis import database, money
from chassis.command import Transaction
from chassis.money import Money
from services.declarations.assets.pool import assets as pool_assets
from services.declarations.assets.pool.model import Pool
from services.declarations.register.protocol import revaluing, settling
from services.declarations.register.value import store as value_store


def revalue(transaction: Transaction, pool: Pool, cause: str) -> None:
    """Brings the pool's value to its base; where nothing stands on it there is nothing to bring."""
    booked = value_store.booked(transaction.connection, [pool.name]).get(pool.name)
    if booked is not None:
        asset = pool_assets.as_asset(pool, booked.settled)
        revaluing.revalue(transaction, asset, asset.value, cause)


def settle(transaction: Transaction, pool: Pool, payment: str, amount: Money) -> Money:
    """Applies a payment to the pool's value. Returns the part that settled finance."""
    if not amount or not value_store.opened(transaction.connection, [pool.name]):
        return amount.zero()
    database.lock(transaction.connection, [pool.name])
    (asset,) = pool_assets.load(transaction.connection, [pool.name], transaction.business_date).values()
    request = declarations_pb2.ApplyProceedsRequest(asset=pool.name, payment=payment, amount=money.to_proto(amount))
    response = settling.apply_to(transaction, pool_assets.KIND, asset, request)
    return sum(
        (money.from_proto(settled_encumbrance.amount) for settled_encumbrance in response.settled_encumbrances),
        amount.zero(),
    )
