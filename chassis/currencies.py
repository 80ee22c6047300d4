"""ISO 4217: which currencies exist and how many decimals an amount in each has."""

from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache

from iso4217 import Currency

INT64_MAX = 2**63 - 1


@cache
def minor_digits(currency_code: str) -> int | None:
    """Decimals of the currency's minor unit (CNY 2, JPY 0, KWD 3); None: no currency that is paid in."""
    try:
        exponent: int | None = Currency(currency_code).exponent
    except ValueError:
        return None
    return exponent


def to_minor_units(amount: Decimal, currency_code: str) -> int | None:
    """The amount in whole minor units; None where it has finer decimals or exceeds int64."""
    scaled = amount.scaleb(minor_digits(currency_code) or 0)
    whole = int(scaled)
    return whole if whole == scaled and abs(whole) <= INT64_MAX else None


def nearest_minor_units(amount: Decimal, currency_code: str) -> int | None:
    """The amount rounded half-even to whole minor units; None where the currency is unknown or int64 exceeded.

    37.03701 CNY are 3704, 0.125 USD are 12.
    """
    digits = minor_digits(currency_code)
    if digits is None:
        return None
    whole = int(amount.scaleb(digits).to_integral_value(ROUND_HALF_EVEN))
    return whole if abs(whole) <= INT64_MAX else None


def to_text(minor_units: int, currency_code: str) -> str:
    """An amount as people read it, for example 129.80 USD, or 12980 JPY."""
    return f"{to_major_units(minor_units, currency_code)} {currency_code}".rstrip()


def to_major_units(minor_units: int, currency_code: str) -> Decimal:
    """The amount in major units, with all the decimals of its currency."""
    return Decimal(minor_units).scaleb(-(minor_digits(currency_code) or 0))
