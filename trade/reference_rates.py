"""Reference rates: the units of a currency for a unit of another, who published them, when, and how old they are.

Rows of data/exchange_rates.csv are units of a currency for one euro; each counts from the day of its publication. The
rate between two others is their cross rate. A rate that is too old by data/reference_rate_terms.csv is refused for a
deal; a valuation takes it and says that it is stale.
"""

import enum
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal

from chassis.codetables import CodeTable, Row, code_table
from chassis.errors import DomainError

# The dated table that each store holds.
TABLE = "exchange_rates"
RATE_DECIMALS = Decimal("1e-10")


class RateMissing(DomainError):
    """There is no rate from {base} to {quote} on {date}."""

    chinese = "{date} 没有 {base} 兑 {quote} 的汇率。"


class RateStale(DomainError):
    """The rate from {base} to {quote} is {age_days} days old; a deal takes one of at most {age_days_max} days."""

    chinese = "{base} 兑 {quote} 的汇率已有 {age_days} 天，交易所用汇率最多为 {age_days_max} 天。"


class Use(enum.StrEnum):
    """The uses of a rate, each with its own limit of age: names in data/reference_rate_terms.csv."""

    DEAL = "deal"
    VALUATION = "valuation"


@dataclass(frozen=True, slots=True)
class RateOrigin:
    """The source of a rate, the day of its publication, its age on the day of its use, and whether that was too old."""

    source: str
    publish_date: date
    age_days: int
    is_stale: bool


@dataclass(frozen=True, slots=True)
class ReferenceRate:
    """The units of `quote` for a unit of `base`, both major, to 10 decimals, and where that comes from."""

    base: str
    quote: str
    rate: Decimal
    origin: RateOrigin


def age_days_max(use: Use, on: date) -> int:
    """Returns the age in days beyond which a rate is stale for a use."""
    return int(code_table("trade", "reference_rate_terms").value(f"{use}_age_days_max", on))


def reference_rate(
    base: str, quote: str, on: date, *, use: Use = Use.VALUATION, rates: CodeTable | None = None
) -> ReferenceRate | None:
    """Returns the rate of a day, or the last before it; None where a currency has none. `rates` are the packaged ones.

    With 1.172 USD and 8.397 CNY for a euro, published on 2025-06-30, USD to CNY on 2025-07-02 is 7.1646757679, two days
    old.
    """
    table = rates or code_table("trade", TABLE)
    quoted, based = (table.row(currency, on) for currency in (quote, base))
    if quoted is None or based is None:
        return None
    rate = (Decimal(quoted["value"]) / Decimal(based["value"])).quantize(RATE_DECIMALS, ROUND_HALF_EVEN)
    return ReferenceRate(base, quote, rate, _origin((based, quoted), use, on))


def _origin(rows: tuple[Row, Row], use: Use, on: date) -> RateOrigin:
    """Returns the origin of a rate between two: as old as the older of them."""
    published = min(date.fromisoformat(row["effective_from"]) for row in rows)
    age_days = (on - published).days
    # The euro, which all rates are of, is no rate itself.
    sources = dict.fromkeys(row["source"] for row in rows if Decimal(row["value"]) != 1)
    return RateOrigin("; ".join(sources), published, age_days, age_days > age_days_max(use, on))


def deal_rate(base: str, quote: str, on: date, *, rates: CodeTable | None = None) -> ReferenceRate:
    """Returns the rate of a day for a deal. Raises RateMissing, RateStale."""
    rate = reference_rate(base, quote, on, use=Use.DEAL, rates=rates)
    if rate is None:
        raise RateMissing(base=base, quote=quote, date=on)
    if rate.origin.is_stale:
        limit = age_days_max(Use.DEAL, on)
        raise RateStale(base=base, quote=quote, age_days=rate.origin.age_days, age_days_max=limit)
    return rate
