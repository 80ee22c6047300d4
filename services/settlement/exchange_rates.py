"""Reference rates of the European Central Bank, from the file that CurrencyConverter brings with it.

They value and compare; a deal's price is a bank's own quote. A day on which no rate was published takes
the last one before it, at most DAYS_BACK_MAX days back, and says of which day it is.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache
from typing import Any

import grpc
from currency_converter import CurrencyConverter, RateNotFoundError

from chassis.errors import DomainError

# The longest stretch without a publication is Christmas or Easter next to a weekend.
DAYS_BACK_MAX = 7
_DECIMALS = Decimal("1e-10")


class ReferenceRateMissingError(DomainError):
    """There is no reference rate of {base} in {quote} for {date}; name a published date and currencies."""

    chinese = "没有 {date} 的 {base}/{quote} 参考汇率；请使用已公布的日期和币种。"
    code = grpc.StatusCode.NOT_FOUND
    reason = "REFERENCE_RATE_MISSING"


@dataclass(frozen=True, slots=True)
class ReferenceRate:
    """One unit of base is rate units of quote, both major; published for rate_date. 10 decimals."""

    base: str
    quote: str
    rate: Decimal
    rate_date: date


@cache
def _converter() -> Any:
    converter: Any = CurrencyConverter
    return converter(decimal=True)


def reference_rate(base: str, quote: str, on: date) -> ReferenceRate:
    """The rate of a day, or the last one before it. Raises ReferenceRateMissingError."""
    for days_back in range(DAYS_BACK_MAX + 1):
        rate = _published(base, quote, on - timedelta(days=days_back))
        if rate is not None:
            return ReferenceRate(base, quote, rate, on - timedelta(days=days_back))
    raise ReferenceRateMissingError(base=base, quote=quote, date=on)


def _published(base: str, quote: str, on: date) -> Decimal | None:
    """The cross rate through the euro as published for that very day."""
    try:
        rate = Decimal(_converter().convert(1, base, quote, date=on))
    except (RateNotFoundError, ValueError):
        return None
    return rate.quantize(_DECIMALS, ROUND_HALF_EVEN)
