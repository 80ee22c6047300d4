"""A declaration's value as one bar: what stands on it, to scale, with exact amounts beside."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chassis import money
from chassis.money import Money

PARTS = ("margin", "free", "reserved", "financed", "settled", "returned")
WIDTH = 1000
# A part that is there is seen, however small.
NARROWEST = 4


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the bar, in thousandths of it."""

    name: str
    amount: Money
    left: int
    width: int


def value_bar(value: Any) -> Sequence[Part]:
    """Returns the parts of a DeclaredValue, in the order of invariant I1."""
    amounts = [money.from_proto(getattr(value, name)) for name in PARTS]
    widths = _widths([amount.minor_units for amount in amounts])
    lefts = [sum(widths[:index]) for index in range(len(widths))]
    return [Part(*part) for part in zip(PARTS, amounts, lefts, widths, strict=True)]


def _widths(amounts: Sequence[int]) -> list[int]:
    whole = sum(amounts)
    if whole <= 0:
        return [0] * len(amounts)
    least = [NARROWEST if amount else 0 for amount in amounts]
    shared = money.allocate(Money("XXX", WIDTH - sum(least)), amounts)
    return [narrow + share.minor_units for narrow, share in zip(least, shared, strict=True)]
