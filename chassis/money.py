"""Money: whole minor units of one currency. There is no float and no division without a rounding."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, Inexact

from aval.type.v1 import money_pb2

from chassis.currencies import INT64_MAX, kept_digits, minor_digits

LARGEST = INT64_MAX
# The default context rounds to 28 digits on the way: two roundings. This one refuses to.
EXACT = Context(prec=200, traps=[Inexact])


class CurrencyMismatch(AssertionError):
    """Amounts of two currencies were mixed: a bug, never a user's mistake."""


def exponent(currency: str) -> int:
    """Returns the digits after the point by ISO 4217, of a currency paid in now or once: CNY 2, JPY 0.

    Raises KeyError for any other code.
    """
    digits = kept_digits(currency)
    if digits is None:
        raise KeyError(currency)
    return digits


def is_currency(code: str) -> bool:
    """Whether money is paid in the currency now: CNY is, while XTS, XAU, CLF, DEM and cny aren't."""
    return minor_digits(code) is not None


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An amount: ISO 4217 code and minor units, within int64."""

    currency: str
    minor_units: int

    def __post_init__(self) -> None:
        if not -LARGEST <= self.minor_units <= LARGEST:
            raise OverflowError(f"{self.minor_units} doesn't fit an amount")

    def _same(self, other: "Money") -> int:
        if other.currency != self.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency}")
        return other.minor_units

    def __add__(self, other: "Money") -> "Money":
        return Money(self.currency, self.minor_units + self._same(other))

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.currency, self.minor_units - self._same(other))

    def __lt__(self, other: "Money") -> bool:
        return self.minor_units < self._same(other)

    def __le__(self, other: "Money") -> bool:
        return self.minor_units <= self._same(other)

    def __gt__(self, other: "Money") -> bool:
        return self.minor_units > self._same(other)

    def __ge__(self, other: "Money") -> bool:
        return self.minor_units >= self._same(other)

    def __bool__(self) -> bool:
        return self.minor_units != 0

    def __str__(self) -> str:
        if kept_digits(self.currency) is None:
            return f"{self.currency} {self.minor_units:,} minor units"
        return f"{self.currency} {self.major():,f}"

    def plain(self) -> str:
        """Returns the amount alone, for tables: CNY 1,234.50 is 1234.50.

        Minor units where the currency was never money.
        """
        return str(self.minor_units) if kept_digits(self.currency) is None else f"{self.major():f}"

    def major(self) -> Decimal:
        """Returns the amount in major units, exact. Raises KeyError where the currency was never money."""
        return Decimal(self.minor_units).scaleb(-exponent(self.currency))

    def times(self, factor: Decimal, rounding: str = ROUND_HALF_UP) -> "Money":
        """Multiplies, rounding once to the minor unit: CNY 1.01 times 0.5 is CNY 0.51.

        It needs no exponent: a row in any code is still read.
        """
        product = EXACT.multiply(Decimal(self.minor_units), factor)
        return Money(self.currency, int(product.to_integral_value(rounding=rounding)))

    def zero(self) -> "Money":
        """Returns zero in this currency."""
        return Money(self.currency, 0)


def rounded(major: Decimal, currency: str, rounding: str = ROUND_HALF_UP) -> Money:
    """Turns major units into Money, rounded to the currency's minor unit: 1.005 CNY is CNY 1.01.

    The one door from Decimal.
    """
    units = EXACT.scaleb(major, exponent(currency)).to_integral_value(rounding=rounding)
    return Money(currency, int(units))


def total(amounts: Sequence[Money], currency: str) -> Money:
    """Returns the sum; zero of the currency if there are none."""
    return sum(amounts, start=Money(currency, 0))


def allocate(amount: Money, weights: Sequence[int]) -> list[Money]:
    """Splits a non-negative amount by weights without losing a unit: largest remainders first.

    The parts add up to the amount: CNY 1.00 by 1, 1, 1 is 0.34, 0.33, 0.33. Raises ValueError if no weight is positive.
    """
    whole = sum(weights)
    if whole <= 0 or min(weights) < 0:
        raise ValueError("weights must be non-negative and not all zero")
    parts = [divmod(amount.minor_units * weight, whole) for weight in weights]
    left = amount.minor_units - sum(quotient for quotient, _ in parts)
    by_remainder = sorted(range(len(parts)), key=lambda index: (-parts[index][1], index))
    favoured = set(by_remainder[:left])
    return [Money(amount.currency, quotient + (index in favoured)) for index, (quotient, _) in enumerate(parts)]


def to_proto(amount: Money) -> money_pb2.Money:
    """Returns the wire form."""
    return money_pb2.Money(currency_code=amount.currency, minor_units=amount.minor_units)


def from_proto(message: money_pb2.Money) -> Money:
    """Returns the value of a wire form."""
    return Money(message.currency_code, message.minor_units)
