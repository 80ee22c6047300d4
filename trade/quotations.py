"""A bank's prices of one currency in another, by quotation units, and conversions at them.

One leg of a conversion is fixed by the customer and paid as asked. The other is derived from it and rounded once;
the difference in worth goes to a rounding account.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from math import floor

from chassis.codetables import code_table
from chassis.money import Money, exponent


@dataclass(frozen=True, slots=True)
class Quotation:
    """Prices of so many units of `base` in `quote`: at `bid` the bank buys, at `ask` it sells."""

    base: str
    quote: str
    units: int
    bid: Decimal
    ask: Decimal


@dataclass(frozen=True, slots=True)
class Conversion:
    """The legs of a conversion, and the quote leg less what the base leg is worth."""

    base: Money
    quote: Money
    rounding_difference: Money


def quotation_units(base: str, quote: str, on: date) -> int:
    """Returns the units of a currency whose price in another is quoted: 100 of JPY in CNY, 1 of USD in CNY."""
    row = code_table("trade", "quotation_units").row(f"{base}/{quote}", on)
    return int(row["value"]) if row else 1


def sold(quotation: Quotation, fixed: Money) -> Conversion:
    """Returns the conversion of a customer who sells the base currency, at the bid, with either leg fixed.

    JPY 12,345,678 at 4.5872 yuan for 100 are CNY 566,320.94. For CNY 500,000.00 JPY 10,899,895 are sold, which are
    worth CNY 499,999.98: CNY 0.02 are the rounding's.
    """
    return _converted(quotation, fixed, quotation.bid)


def bought(quotation: Quotation, fixed: Money) -> Conversion:
    """Returns the conversion of a customer who buys the base currency, at the ask, with either leg fixed.

    JPY 3,000,000 at 4.6194 yuan for 100 cost CNY 138,582.00.
    """
    return _converted(quotation, fixed, quotation.ask)


def _converted(quotation: Quotation, fixed: Money, price: Decimal) -> Conversion:
    """Returns the conversion at a price. Raises ValueError where the fixed leg is in a third currency."""
    rate = Fraction(price) / quotation.units
    if fixed.currency == quotation.base:
        worth = _rounded(_major(fixed) * rate, quotation.quote)
        return Conversion(fixed, worth, worth.zero())
    if fixed.currency != quotation.quote:
        raise ValueError(f"{fixed} isn't in {quotation.base} or {quotation.quote}")
    derived = _rounded(_major(fixed) / rate, quotation.base)
    return Conversion(derived, fixed, fixed - _rounded(_major(derived) * rate, quotation.quote))


def _major(amount: Money) -> Fraction:
    return Fraction(amount.minor_units, 10 ** exponent(amount.currency))


def _rounded(major: Fraction, currency: str) -> Money:
    """Returns an exact positive amount rounded half up to the minor unit."""
    return Money(currency, floor(major * 10 ** exponent(currency) + Fraction(1, 2)))
