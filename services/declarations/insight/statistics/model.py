"""Totals and their growth: exact integers, and ratios rounded once to four decimals."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

DIMENSIONS = ("month", "direction", "trade_mode", "country", "chapter", "outcome")
GROWTH_PLACES = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Total:
    """The number of declarations and of lists, and their value in minor units."""

    declarations: int = 0
    lists: int = 0
    minor_units: int = 0


def growth(now: int, before: int) -> Decimal | None:
    """Returns the growth as a part of what was, four decimals, half up: 3 after 2 gives 0.5. None after nothing."""
    if before <= 0:
        return None
    return (Decimal(now - before) / Decimal(before)).quantize(GROWTH_PLACES, ROUND_HALF_UP)


def year_before(month: str) -> str:
    """Returns the same month a year before: 2026-03 gives 2025-03."""
    return f"{int(month[:4]) - 1:04}{month[4:]}"


def year_after(month: str) -> str:
    """Returns the same month a year later: 2026-03 gives 2027-03."""
    return f"{int(month[:4]) + 1:04}{month[4:]}"
