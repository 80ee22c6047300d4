"""ISO 4217: which currencies exist and how many decimals an amount in each has.

List one is the package iso4217's, as published on a day. What nobody pays in on that day, though it has minor units, is
a row of data/currencies_not_paid_in.csv.
"""

from decimal import ROUND_HALF_UP, Decimal
from functools import cache

import iso4217

from chassis.codetables import code_table

INT64_MAX = 2**63 - 1


def _listed_digits(currency_code: str) -> int | None:
    """Returns the decimals by list one; None where it doesn't have the code, or not with minor units."""
    try:
        exponent: int | None = iso4217.Currency(currency_code).exponent
    except ValueError:
        return None
    return exponent


@cache
def minor_digits(currency_code: str) -> int | None:
    """Returns the decimals of the currency's minor unit: CNY 2, JPY 0, KWD 3.

    None where nobody pays in it (XTS, CLF, DEM).
    """
    is_paid_in = code_table("chassis", "currencies_not_paid_in").row(currency_code, iso4217.__published__) is None
    return _listed_digits(currency_code) if is_paid_in else None


@cache
def kept_digits(currency_code: str) -> int | None:
    """Returns the decimals of an amount that may have been kept from before: as `minor_digits`, and DEM 2.

    None where it was never money.
    """
    row = code_table("chassis", "currencies_not_paid_in").row(currency_code, iso4217.__published__)
    return int(row["minor_digits"]) if row and row["kind"] == "WITHDRAWN" else minor_digits(currency_code)


def currencies() -> frozenset[str]:
    """Returns the codes that are paid in."""
    return frozenset(one.code for one in iso4217.Currency if minor_digits(one.code) is not None)


def to_minor_units(amount: Decimal, currency_code: str) -> int | None:
    """Returns the amount in whole minor units: 129.80 USD are 12980.

    None where it has finer decimals or exceeds int64.
    """
    scaled = amount.scaleb(minor_digits(currency_code) or 0)
    whole = int(scaled)
    return whole if whole == scaled and abs(whole) <= INT64_MAX else None


def nearest_minor_units(amount: Decimal, currency_code: str) -> int | None:
    """Returns the amount rounded half-up to whole minor units; None where the currency is unknown or int64 exceeded.

    37.03701 CNY are 3704, 0.125 USD are 13.
    """
    digits = minor_digits(currency_code)
    if digits is None:
        return None
    whole = int(amount.scaleb(digits).to_integral_value(ROUND_HALF_UP))
    return whole if abs(whole) <= INT64_MAX else None


def to_text(minor_units: int, currency_code: str) -> str:
    """Returns an amount as people read it, for example 129.80 USD, or 12980 JPY."""
    return f"{to_major_units(minor_units, currency_code)} {currency_code}".rstrip()


def to_major_units(minor_units: int, currency_code: str) -> Decimal:
    """Returns the amount in major units, with all the decimals of its currency: 12980 in USD are 129.80."""
    return Decimal(minor_units).scaleb(-(minor_digits(currency_code) or 0))
