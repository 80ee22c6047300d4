"""The day count of loans in a currency, or of a benchmark in it, from data/day_count_bases.csv.

It is what counts unless a contract says otherwise; a contract keeps the day count that it was made under.
"""

from datetime import date

from chassis.codetables import code_table
from chassis.errors import Problem
from trade.day_counts import DayCount, day_count


def default_day_count(currency: str, on: date, benchmark: str = "") -> DayCount | None:
    """Returns the convention of a currency at a benchmark (at none, of its loans), None where nobody has said it.

    ACT/365 (Fixed) of JPY and of JPY at TONA, ACT/360 of JPY at LIBOR until 2021-12-31, none of it from then on.
    """
    code = f"{currency}/{benchmark}" if benchmark else currency
    row = code_table("trade", "day_count_bases").row(code, on)
    return day_count(row["value"], on) if row else None


def basis(counted: DayCount) -> int:
    """Returns the days of a year of a convention that counts actual days: 365 of ACT/365 (Fixed).

    Raises ValueError where it counts otherwise.
    """
    if counted.days_rule != "ACTUAL":
        raise ValueError(f"{counted.name} doesn't count actual days")
    return int(counted.year_rule)


def of_basis(days: int) -> str:
    """Returns the code of the convention of actual days over a year of so many: ACT_365F of 365.

    Raises KeyError where there is none.
    """
    codes = {row["year"]: row["code"] for row in code_table("trade", "day_counts").rows() if row["days"] == "ACTUAL"}
    return codes[str(days)]


def problems(path: str, currency: str, on: date) -> list[Problem]:
    """Returns DAY_COUNT_UNKNOWN where nobody has said how days of a currency's loans are counted; empty otherwise."""
    if default_day_count(currency, on):
        return []
    english = f"It isn't settled how the days of interest in {currency} are counted; use another currency."
    chinese = f"{currency} 的计息天数惯例尚未确定，请使用其他币种。"
    return [Problem(path, "DAY_COUNT_UNKNOWN", english, chinese)]
