"""A pool's base as declared value: what stands on it stays within what its lists are worth."""

from chassis.command import Transaction
from chassis.money import Money
from services.declarations.pool.model import Pool


def revalue(transaction: Transaction, pool: Pool, cause: str) -> None:
    """Brings the pool's value to its base."""


def settle(transaction: Transaction, pool: Pool, payment: str, amount: Money) -> Money:
    """Applies what was paid to the pool's value; the part that settled finance."""
    return amount.zero()
