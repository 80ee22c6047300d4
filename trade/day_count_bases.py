"""The day count of loans in a currency, or of a benchmark in it, from data/day_count_bases.csv.

It is what counts unless a contract says otherwise; a contract keeps the day count that it was made under.
"""

from datetime import date

from chassis.codetables import code_table
from chassis.errors import Problem
from trade.day_counts import DayCount
from trade.day_counts import day_count as convention


def default_day_count(currency: str, on: date, benchmark: str = "") -> DayCount | None:
    """Returns the convention of a currency at a benchmark (at none, of its loans), None where nobody has said it.

    ACT/365 (Fixed) of JPY and of JPY at TONA, ACT/360 of JPY at LIBOR until 2021-12-31, none of it from then on.
    """
    code = f"{currency}/{benchmark}" if benchmark else currency
    row = code_table("trade", "day_count_bases").row(code, on)
    return convention(row["value"], on) if row else None


def of_basis(days: int) -> str:
    """Returns the code of the convention of actual days over a year of so many: ACT_365F of 365.

    Raises KeyError where there is none.
    """
    return {year: code for code, year in _years().items()}[days]


def basis_of(day_count: str) -> int:
    """Returns the days of a year of a convention of actual days: 365 of ACT_365F. Raises KeyError for others."""
    return _years()[day_count]


def _years() -> dict[str, int]:
    """Returns the days of a year by the codes of conventions that count actual days over a fixed year."""
    rows = code_table("trade", "day_counts").rows()
    return {row["code"]: int(row["year"]) for row in rows if row["days"] == "ACTUAL" and row["year"].isdigit()}


def problems(path: str, currency: str, on: date) -> list[Problem]:
    """Returns DAY_COUNT_UNKNOWN where nobody has said how days of a currency's loans are counted; empty otherwise."""
    if default_day_count(currency, on):
        return []
    english = f"It isn't settled how the days of interest in {currency} are counted; use another currency."
    chinese = f"{currency} 的计息天数惯例尚未确定，请使用其他币种。"
    return [Problem(path, "DAY_COUNT_UNKNOWN", english, chinese)]
