"""Unit prices on a logarithmic scale of whole numbers, and the robust norm that follows from their counts.

A price is a whole number of millionths of a minor unit for one unit of the goods. Buckets are those of a
high dynamic range histogram: each power of two is cut into 8 equal parts, so that a bucket is at most
12.5 percent wide. Counting and uncounting are additions, so the norm is the same in whatever order and
batches the declarations came.
"""

import zlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from chassis.money import exponent

PRICE_DIGITS = 6
PARTS = 8
_PART_BITS = 3
# HS 10, 8 and 6 digits: where too little was seen of the narrow one, the wider one counts.
LEVELS = (10, 8, 6)


# The key of a price: commodity code, unit, currency.
Commodity = tuple[str, str, str]
# A line's addition to the counts: its commodity and the bucket of its unit price.
Price = tuple[str, str, str, int]


_POWERS: tuple[int, ...] = tuple(10**digits for digits in range(40))


@lru_cache(maxsize=65536)
def _parsed(text: str) -> tuple[int, int]:
    """Returns a plain decimal number as a whole number and its number of decimals: 12.50 gives 1250 and 2."""
    whole, _, decimals = text.partition(".")
    return int(whole + decimals), len(decimals)


def unit_price(minor_units: int, quantity: str, power: int = 0) -> int | None:
    """Returns millionths of a minor unit for one unit, rounded down; None without a quantity.

    `power`: the declared unit is 10^power of the unit that is counted in (grams in kilograms: -3). 500 fen for 2
    pieces are 250000000 a piece; for 2000 grams they are 250000000 a kilogram.
    """
    number, decimals = _parsed(quantity or "0")
    if number <= 0 or minor_units <= 0:
        return None
    scale = PRICE_DIGITS + decimals - power
    return minor_units * _POWERS[scale] // number if scale >= 0 else minor_units // (number * _POWERS[-scale])


def bucket_of(price: int) -> int:
    """Returns the bucket that a price falls in: 7 gives 7, 16 and 17 give 16, 18 gives 17."""
    octave = price.bit_length() - _PART_BITS - 1
    return octave * PARTS + (price >> octave) if octave > 0 else price


def lowest(bucket: int) -> int:
    """Returns the lowest price of a bucket: 16 gives 16, 17 gives 18."""
    octave = max(bucket // PARTS - 1, 0)
    return (bucket - octave * PARTS) << octave


def quantile(counts: Sequence[tuple[int, int]], numerator: int, denominator: int) -> int:
    """Returns the bucket in which the part numerator/denominator of the observations is reached.

    `counts` ascend by bucket. Of one observation in bucket 5 and three in bucket 9, the first quarter is reached in 5,
    the second in 9.
    """
    goal = sum(count for _, count in counts) * numerator
    reached = 0
    for bucket, count in counts:
        reached += count
        if reached * denominator >= goal:
            return bucket
    raise ValueError("a quantile of nothing")


@dataclass(frozen=True, slots=True)
class Norm:
    """The price of a unit of a commodity: buckets of the quartiles, as published from so many observations."""

    id: str
    commodity_code: str
    unit: str
    currency: str
    observations: int
    lower: int
    median: int
    upper: int
    version: int
    publish_us: int


def norm_id(commodity_code: str, unit: str, currency: str) -> str:
    """Returns the key of a norm."""
    return f"{commodity_code}/{unit}/{currency}"


def levels(commodity_code: str) -> Iterator[str]:
    """Yields the code and the wider ones that it belongs to, narrowest first: 12345678 gives itself and 123456."""
    return (commodity_code[:digits] for digits in LEVELS if digits <= len(commodity_code))


SELLER_BITS = 63


@lru_cache(maxsize=65536)
def seller_bit(seller: str) -> int:
    """Returns the bit, of 63, that stands for a seller: there are at least as many sellers as bits set."""
    return 1 << zlib.crc32(seller.encode()) % SELLER_BITS


class Counts:
    """The observations of each bucket: a row of whole numbers from the first bucket on; and the sellers' bits."""

    __slots__ = ("first", "sellers", "values")

    def __init__(self, first: int = 0, content: bytes = b"", sellers: int = 0) -> None:
        self.first, self.sellers = first, sellers
        self.values = array("i", content)

    def add(self, bucket: int, count: int) -> None:
        """Observes a bucket so many times more, or fewer."""
        place = bucket - self.first
        if not self.values:
            self.first, place = bucket, 0
        if place < 0:
            self.values = array("i", bytes(-place * self.values.itemsize)) + self.values
            self.first, place = bucket, 0
        elif place >= len(self.values):
            self.values.extend([0] * (place + 1 - len(self.values)))
        self.values[place] += count

    def add_all(self, other: "Counts") -> None:
        """Observes all that another has observed."""
        self.sellers |= other.sellers
        for place, count in enumerate(other.values):
            if count:
                self.add(other.first + place, count)

    @property
    def total(self) -> int:
        """The number of observations."""
        return sum(self.values)

    def quartiles(self) -> tuple[int, int, int]:
        """Returns the buckets of the lower quartile, the median and the upper quartile."""
        ascending = [(self.first + place, count) for place, count in enumerate(self.values) if count > 0]
        lower, median, upper = (quantile(ascending, part, 4) for part in (1, 2, 3))
        return lower, median, upper


def is_due(observations: int, published: int, least: int, percent: int) -> bool:
    """Tells whether a norm shall be published anew: enough was seen, and so much more or less than at the last time.

    Of at least 30, at 150 percent: 100 published then need 150 now, or at most 66.
    """
    if observations < least:
        return False
    return observations * 100 >= published * percent or observations * percent <= published * 100


def bounds(norm: Norm, factor: int) -> tuple[int, int]:
    """Returns the lowest and the highest price that isn't unusual: the quartiles, widened by a factor.

    Quartiles in buckets 16 and 17 hold prices from 16 to 19; a factor of 2 gives 8 and 40.
    """
    return lowest(norm.lower) // factor, lowest(norm.upper + 1) * factor


def in_major_units(price: int, currency: str) -> Decimal:
    """Returns a price in major units, at most 6 decimals beyond the minor unit: 250000000 in CNY gives 2.5."""
    return Decimal(price).scaleb(-PRICE_DIGITS - exponent(currency)).normalize()
