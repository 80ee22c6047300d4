"""The trade checks: pure rules over a declaration, the price norms and the tables. What is found, with its bound.

Prices: a line is unusual beyond the quartiles of its commodity's norm, widened by a factor of
data/insight_terms.csv; for goods declared by mass this compares value with weight. Routes: rail and road
reach only the countries of data/land_routes.csv. Parties: who buys from an enterprise and sells to it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from aval.declarations.v1 import declarations_pb2

from chassis.money import Money
from services.declarations.customs.code_tables import code_table
from services.declarations.customs.units import KILOGRAM
from services.declarations.insight.counting.model import VALUE_MOST, Row, price_of
from services.declarations.insight.norms.model import Norm, Price, bounds, bucket_of, in_major_units, lowest
from trade import names

LAND = frozenset({"3", "4"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that looks unusual; `facts` fill the code's text. `declaration` is empty where it concerns parties."""

    enterprise: str
    declaration: str
    line_number: int
    code: str
    facts: Mapping[str, str]

    @property
    def id(self) -> str:
        """The same whenever it is found again."""
        subject = self.declaration or self.enterprise.removeprefix("enterprises/").lower()
        return f"{subject}-{self.line_number}-{self.code.lower().replace('_', '-')}"

    @property
    def row(self) -> tuple[str, str, str, int, str, str]:
        """As it is stored, without its time."""
        facts = json.dumps(dict(self.facts), ensure_ascii=False, separators=(",", ":"))
        return self.id, self.enterprise, self.declaration, self.line_number, self.code, facts


@dataclass(frozen=True, slots=True)
class Limits:
    """Between which prices a line isn't unusual, by which norm."""

    lowest: int
    highest: int
    norm: Norm


def limits(norm: Norm, factor: int) -> Limits:
    """The bounds that a norm gives."""
    return Limits(*bounds(norm, factor), norm)


def of_prices(
    row: Row, message: declarations_pb2.Declaration, unusual: Mapping[Price, Limits], factor: int
) -> Iterator[Finding]:
    """Lines whose exact unit price is beyond the bounds; `unusual` has those that may be."""
    for line in message.lines:
        priced = price_of(line)
        if priced is None:
            continue
        unit, price = priced
        within = unusual.get((line.commodity_code, unit, row.value_currency, bucket_of(price)))
        if within and price < within.lowest:
            yield _of_price(row, line.line_number, unit, price, within.lowest, "BELOW", within.norm, factor)
        elif within and price > within.highest:
            yield _of_price(row, line.line_number, unit, price, within.highest, "ABOVE", within.norm, factor)


def _of_price(
    row: Row, line_number: int, unit: str, price: int, bound: int, side: str, norm: Norm, factor: int
) -> Finding:
    kind = "VALUE_PER_KILOGRAM" if unit == KILOGRAM else "UNIT_PRICE"
    currency = row.value_currency
    facts = {
        "line": str(line_number),
        "price": f"{in_major_units(price, currency):f}",
        "bound": f"{in_major_units(bound, currency):f}",
        "median": f"{in_major_units(lowest(norm.median), currency):f}",
        "currency": currency,
        "unit": unit,
        "norm": norm.commodity_code,
        "observations": str(norm.observations),
        "version": str(norm.version),
        "factor": str(factor),
    }
    return Finding(row.enterprise, row.id, line_number, f"{kind}_{side}_NORM", facts)


@lru_cache(maxsize=65536)
def _is_reached(transport_mode: str, country: str, on: str) -> bool:
    return code_table("land_routes").row(f"{transport_mode}/{country}", date.fromisoformat(on)) is not None


def of_route(row: Row) -> Iterator[Finding]:
    """Rail and road to a country that they don't reach."""
    country = row.destination_country
    if row.transport_mode not in LAND or not country or country == "CHN":
        return
    if not _is_reached(row.transport_mode, country, row.declared_on):
        on = date.fromisoformat(row.declared_on)
        mode = code_table("transport_modes").row(row.transport_mode, on) or {"english": "", "chinese": ""}
        facts = {
            "transport_mode": row.transport_mode,
            "transport": mode["english"],
            "transport_chinese": mode["chinese"],
            "country": country,
        }
        yield Finding(row.enterprise, row.id, 0, "ROUTE_IMPLAUSIBLE", facts)


def of_value(row: Row) -> Iterator[Finding]:
    """A value that no total counts."""
    if row.value_minor_units > VALUE_MOST:
        value = Money(row.value_currency, row.value_minor_units).plain()
        yield Finding(row.enterprise, row.id, 0, "VALUE_IMPLAUSIBLE", {"value": value, "currency": row.value_currency})


def of_party(row: Row, message: declarations_pb2.Declaration) -> Iterator[Finding]:
    """A buyer of the exporter's own name."""
    buyer = names.spaced(message.buyer_name)
    if buyer and buyer == names.spaced(message.enterprise_name):
        yield Finding(row.enterprise, row.id, 0, "PARTY_IS_ENTERPRISE", {"party": message.buyer_name})


def of_circle(enterprise: str, parties: Iterable[tuple[str, int, int]]) -> list[Finding]:
    """Counterparties (name, exports, imports) of both directions, the busiest first, numbered as lines are."""
    both = sorted((party for party in parties if party[0] and party[1] > 0 and party[2] > 0), key=_busiest)
    return [
        Finding(enterprise, "", place, "CIRCULAR_PARTY", {"party": name, "exports": str(out), "imports": str(into)})
        for place, (name, out, into) in enumerate(both, 1)
    ]


def _busiest(party: tuple[str, int, int]) -> tuple[int, str]:
    return -party[1] - party[2], party[0]


def text(code: str, facts: Mapping[str, str], on: date) -> Sequence[str]:
    """The finding in English and in Chinese."""
    row = code_table("trade_checks").row(code, on)
    assert row is not None, code
    return row["english"].format_map(facts), row["chinese"].format_map(facts)
