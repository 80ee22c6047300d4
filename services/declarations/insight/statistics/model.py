"""Totals and their growth: exact integers, and ratios rounded once to four decimals."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

DIMENSIONS = ("month", "direction", "trade_mode", "country", "chapter", "outcome")
GROWTH_PLACES = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Total:
    """How many declarations and lists of what value, in minor units."""

    declarations: int = 0
    lists: int = 0
    minor_units: int = 0


def growth(now: int, before: int) -> Decimal | None:
    """By which part of what was it has grown, four decimals, half up; None where there was nothing."""
    if before <= 0:
        return None
    return (Decimal(now - before) / Decimal(before)).quantize(GROWTH_PLACES, ROUND_HALF_UP)


def year_before(month: str) -> str:
    """The same month a year before."""
    return f"{int(month[:4]) - 1:04}{month[4:]}"


def year_after(month: str) -> str:
    """The same month a year later."""
    return f"{int(month[:4]) + 1:04}{month[4:]}"
