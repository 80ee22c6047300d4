"""The contribution of a document to the totals. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from aval.declarations.v1 import declarations_pb2

from services.declarations.customs import modes
from services.declarations.customs.direction import DIRECTIONS, digit_of
from services.declarations.customs.units import counting_unit
from services.declarations.insight.norms.model import Commodity, Price, bucket_of, seller_bit, unit_price
from trade import names

# The ways in which a document counts: by itself (a declaration as COUNTED), or in another's value.
COUNTED = "COUNTED"

OUTCOMES = (COUNTED, "LIST", "SUMMARISED_LIST", "BONDED_SALE_LIST", "AREA_ENTRY")

# Declarations that are neither rejected nor deleted nor a draft.
DECLARED = frozenset({COUNTED, "AREA_ENTRY"})

# These declare nothing (any more); they count by themselves, never in statistics.
UNCOUNTED = frozenset({"DRAFT", "REJECTED", "DELETED"})

# Dimension by dimension as the tables have them.
DIMENSIONS = ("month", "direction", "trade_mode", "country", "chapter", "currency")

# In minor units. Beyond it nothing is plausible, and few of them would overflow a total: it counts as nothing.
VALUE_MOST = 10**15

KEY = ("enterprise", *DIMENSIONS, "outcome", "buyer")


class Row(NamedTuple):
    """The columns of a declaration that count; a former version of it has the same."""

    id: str
    enterprise: str
    trade_mode: str
    transport_mode: str
    destination_country: str
    commodity_code: str
    declared_on: str
    value_currency: str
    value_minor_units: int
    status: str
    body: bytes
    version: int
    create_us: int

    @property
    def direction(self) -> str:
        """The number's ninth digit: 0 export, 1 import."""
        return digit_of(self.id)


class Contribution(NamedTuple):
    """One declaration's addition: its key of KEY, its amount, and the unit prices of its lines."""

    key: tuple[str, ...]
    minor_units: int
    prices: tuple[Price, ...]

    @property
    def is_plain(self) -> bool:
        """Tells whether it counts like most do: neither draft nor rejected nor deleted."""
        return self.key[-2] in DECLARED


def price_of(line: declarations_pb2.DeclarationLine) -> tuple[str, int] | None:
    """Returns the counting unit and the unit price of a line of goods; None where it has no quantity."""
    unit, power = counting_unit(line.unit)
    price = unit_price(line.total.minor_units, line.quantity.value, power)
    return None if price is None else (unit, price)


@lru_cache(maxsize=65536)
def _counted_as(trade_mode: str, direction: str, declared_on: str) -> str:
    """Returns how a declaration counts: goods that only enter a bonded area count by the lists as they leave."""
    mode = modes.mode(trade_mode, DIRECTIONS.get(direction, ""), date.fromisoformat(declared_on))
    return mode.row["declaration_counts_as"] if mode else COUNTED


def contribution(row: Row, message: declarations_pb2.Declaration) -> Contribution:
    """Returns a declaration's addition as it is now; message is its parsed body."""
    is_plain = row.status not in UNCOUNTED
    outcome = _counted_as(row.trade_mode, row.direction, row.declared_on) if is_plain else row.status
    key = (
        row.enterprise,
        row.declared_on[:7],
        row.direction,
        row.trade_mode,
        row.destination_country,
        row.commodity_code[:2],
        row.value_currency,
        outcome,
        names.spaced(message.buyer_name),
    )
    prices = _prices(message, row.value_currency) if is_plain else ()
    value = row.value_minor_units
    return Contribution(key, value if value <= VALUE_MOST else 0, prices)


def _prices(message: declarations_pb2.Declaration, currency: str) -> tuple[Price, ...]:
    prices = []
    for line in message.lines:
        # As price_of has it, without the pair: this is where the counting spends its time.
        unit, power = counting_unit(line.unit)
        price = unit_price(line.total.minor_units, line.quantity.value, power)
        if price is not None:
            prices.append((line.commodity_code, unit, currency, bucket_of(price)))
    return tuple(prices)


def to_text(counted: Contribution) -> str:
    """Writes a contribution as the text that the store keeps."""
    return json.dumps(counted, ensure_ascii=False, separators=(",", ":"))


def from_text(text: str) -> Contribution:
    """Reads the text that `to_text` wrote."""
    key, minor_units, prices = json.loads(text)
    return Contribution(
        tuple(key), minor_units, tuple((code, unit, currency, bucket) for code, unit, currency, bucket in prices)
    )


@dataclass(slots=True)
class Delta:
    """The change of the totals: documents and minor units by KEY, observations by price."""

    totals: dict[tuple[str, ...], list[int]] = field(default_factory=dict)
    prices: dict[Price, int] = field(default_factory=dict)
    # The sellers of the prices, by commodity, as bits; they stay when prices are taken back.
    sellers: dict[Commodity, int] = field(default_factory=dict)

    def add(self, counted: Contribution, sign: int = 1) -> None:
        """Counts a contribution, or takes it back (-1)."""
        total = self.totals.get(counted.key)
        if total is None:
            total = self.totals[counted.key] = [0, 0]
        total[0] += sign
        total[1] += sign * counted.minor_units
        prices, sellers, bit = self.prices, self.sellers, seller_bit(counted.key[0])
        for price in counted.prices:
            prices[price] = prices.get(price, 0) + sign
            sellers[price[:3]] = sellers.get(price[:3], 0) | bit

    def cells(self) -> Mapping[tuple[str, ...], list[int]]:
        """Returns the change over all enterprises and buyers, by DIMENSIONS and outcome: only what stands."""
        cells: dict[tuple[str, ...], list[int]] = {}
        for key, (documents, minor_units) in self.totals.items():
            if key[-2] in OUTCOMES:
                cell = cells.setdefault(key[1:-1], [0, 0])
                cell[0] += documents
                cell[1] += minor_units
        return cells

    def observations(self) -> Mapping[Commodity, list[tuple[int, int]]]:
        """Returns how often each bucket is observed more, by commodity."""
        by_commodity: dict[Commodity, list[tuple[int, int]]] = {}
        for (code, unit, currency, bucket), count in self.prices.items():
            commodity = (code, unit, currency)
            if commodity in by_commodity:
                by_commodity[commodity].append((bucket, count))
            else:
                by_commodity[commodity] = [(bucket, count)]
        return by_commodity
