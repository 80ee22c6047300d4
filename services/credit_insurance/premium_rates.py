"""Premium rates by country grade, term and insured ratio: data/*.csv, sources in data/README.md."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial

from chassis import codetables
from chassis.codetables import Row

DAYS_A_MONTH = 30

code_table = partial(codetables.code_table, "services.credit_insurance")


@dataclass(frozen=True, slots=True)
class PremiumRate:
    """A part of the invoice value, and where it comes from; `row` where that is the table."""

    rate: Decimal
    source: str
    row: Row | None = None


def grade(country: str, on: date) -> str:
    """The grade of a country (ISO 3166 alpha-3) on a day; the default where it has none, empty before the table."""
    table = code_table("country_grades")
    row = table.row(country, on) or table.row("DEFAULT", on)
    return row["value"] if row else ""


def largest_insured_ratio() -> Decimal:
    """The largest insured ratio for which the table has rates."""
    return max(Decimal(row["insured_ratio"]) for row in code_table("premium_rates").rows())


def table_rate(country: str, term_days: int, insured_ratio: Decimal, on: date) -> PremiumRate | None:
    """The rate for the shortest term and the smallest ratio that suffice; None where none does."""
    table = code_table("premium_rates")
    wanted, months = grade(country, on), -(-term_days // DAYS_A_MONTH)
    counting = [row for code in table.periods if (row := table.row(code, on)) and row["grade"] == wanted]
    fitting = [
        row for row in counting if int(row["term_months"]) >= months and Decimal(row["insured_ratio"]) >= insured_ratio
    ]
    if not fitting:
        return None
    best = min(fitting, key=lambda row: (int(row["term_months"]), Decimal(row["insured_ratio"])))
    return PremiumRate(Decimal(best["value"]), f"premium_rates {best['code']} {best['effective_from']}", best)
