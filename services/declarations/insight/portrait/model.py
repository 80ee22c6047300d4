"""A risk portrait: pure, from inputs that are stored with it and tables effective on its day.

Each factor measures one thing; its band in data/risk_factors.csv says which percentage of its weight it costs. A factor
that can't be measured yet (no year before, no declaration) has no value and costs half. The score is the sum: 0 is the
best. Shares of value are of the currency in which most was declared in the last 12 months, since amounts of different
currencies can't be added.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from chassis.codetables import Row as TableRow
from services.declarations.customs.code_tables import code_table
from services.declarations.insight.counting.model import DECLARED

PLACES = Decimal("0.0001")
UNMEASURED_PERCENT = 50
EVIDENCE_MOST = 5
MONTHS = 12
RETURNED_GOODS = "4561"
PRICE_CODES = (
    "UNIT_PRICE_ABOVE_NORM",
    "UNIT_PRICE_BELOW_NORM",
    "VALUE_PER_KILOGRAM_ABOVE_NORM",
    "VALUE_PER_KILOGRAM_BELOW_NORM",
)


@dataclass(frozen=True, slots=True)
class Amount:
    """Declarations of one currency and their value in minor units."""

    currency: str
    declarations: int
    minor_units: int


@dataclass(frozen=True, slots=True)
class Part:
    """Declarations under one name: a buyer, a country, a month."""

    name: str
    currency: str
    declarations: int
    minor_units: int


@dataclass(frozen=True, slots=True)
class Inputs:
    """The inputs of a portrait. Parts: of the last 12 months, largest first, at most the first few."""

    first_month: str
    declarations: int
    outcomes: tuple[Part, ...]
    amendments: int
    holds: int
    price_findings: int
    breaches: tuple[Part, ...]
    circular_parties: tuple[str, ...]
    modes: tuple[Part, ...]
    year: tuple[Amount, ...]
    year_before: tuple[Amount, ...]
    buyers: tuple[Part, ...]
    countries: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Total:
    """A row of an enterprise's totals."""

    month: str
    direction: str
    trade_mode: str
    country: str
    chapter: str
    currency: str
    outcome: str
    buyer: str
    declarations: int
    minor_units: int


@dataclass(frozen=True, slots=True)
class Factor:
    """A factor as it was assessed; `currency` where its value is a part of one."""

    code: str
    value: Decimal | None
    weight: int
    points: int
    english: str
    chinese: str
    evidence: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Portrait:
    """The factors and their sum."""

    factors: tuple[Factor, ...]

    @property
    def score(self) -> int:
        """The points of all factors."""
        return sum(factor.points for factor in self.factors)

    @property
    def score_max(self) -> int:
        """The sum of the weights."""
        return sum(factor.weight for factor in self.factors)


def month_before(on: date, months: int) -> str:
    """Returns the month so many months before a day's: 2 before 2026-03-15 gives 2026-01."""
    number = on.year * 12 + on.month - 1 - months
    return f"{number // 12:04}-{number % 12 + 1:02}"


def inputs(
    totals: Sequence[Total],
    amendments: int,
    holds: int,
    findings: Mapping[str, int],
    breaches: Mapping[str, int],
    on: date,
) -> Inputs:
    """Returns the inputs that an enterprise's rows give on a day: findings by code, breaches by state."""
    there = [total for total in totals if total.declarations > 0]
    counted = [total for total in there if total.outcome in DECLARED]
    year = [total for total in counted if month_before(on, MONTHS) < total.month]
    before = [total for total in counted if month_before(on, 2 * MONTHS) < total.month <= month_before(on, MONTHS)]
    currency = main_currency(year)
    ours = [total for total in year if total.currency == currency]
    return Inputs(
        first_month=min((total.month for total in there), default=""),
        declarations=sum(total.declarations for total in there),
        outcomes=_parts(there, lambda total: total.outcome, by_currency=False),
        amendments=amendments,
        holds=holds,
        price_findings=sum(findings.get(code, 0) for code in PRICE_CODES),
        breaches=tuple(Part(state, "", count, 0) for state, count in sorted(breaches.items())),
        circular_parties=tuple(name for name, _, _ in circles(there)),
        modes=_parts(counted, lambda total: total.trade_mode, by_currency=False),
        year=_amounts(year),
        year_before=_amounts(before),
        buyers=_parts(ours, lambda total: total.buyer)[:EVIDENCE_MOST],
        countries=_parts(ours, lambda total: total.country)[:EVIDENCE_MOST],
    )


def main_currency(totals: Iterable[Total]) -> str:
    """Returns the currency of most declarations, the first by its code of several; empty where there is none."""
    counts: dict[str, int] = {}
    for total in totals:
        counts[total.currency] = counts.get(total.currency, 0) + total.declarations
    return min(counts, key=lambda currency: (-counts[currency], currency), default="")


def _parts(totals: Iterable[Total], name: Callable[[Total], str], by_currency: bool = True) -> tuple[Part, ...]:
    """Returns parts by name, the largest first; over all currencies only declarations are counted."""
    sums: dict[tuple[str, str], list[int]] = {}
    for total in totals:
        key = name(total), total.currency if by_currency else ""
        part = sums.setdefault(key, [0, 0])
        part[0] += total.declarations
        part[1] += total.minor_units if by_currency else 0
    parts = (Part(*key, *part) for key, part in sums.items())
    return tuple(sorted(parts, key=lambda part: (-part.minor_units, -part.declarations, part.name)))


def _amounts(totals: Iterable[Total]) -> tuple[Amount, ...]:
    return tuple(
        Amount(part.currency, part.declarations, part.minor_units)
        for part in sorted(_parts(totals, lambda _total: ""), key=lambda part: part.currency)
    )


def circles(totals: Iterable[Total]) -> list[tuple[str, int, int]]:
    """Returns counterparties of both directions with their exports and imports, by name."""
    counts: dict[str, list[int]] = {}
    for total in totals:
        if total.buyer and total.outcome in DECLARED:
            counts.setdefault(total.buyer, [0, 0])[total.direction == "1"] += total.declarations
    return [(name, out, into) for name, (out, into) in sorted(counts.items()) if out > 0 and into > 0]


def assess(given: Inputs, on: date) -> Portrait:
    """Returns the portrait of these inputs by the tables of that day."""
    rows = (code_table("risk_factors").row(code, on) for code in MEASURES)
    return Portrait(tuple(_factor(row, given, on) for row in rows if row))


def _factor(row: TableRow, given: Inputs, on: date) -> Factor:
    value, evidence = MEASURES[row["code"]](given, on)
    weight = int(row["weight"])
    points = weight * _percent(row["bands"], value) // 100
    words = {"value": "–" if value is None else f"{value.normalize():f}", "currency": _currency(given)}
    english, chinese = (row[language].format_map(words) for language in ("english", "chinese"))
    return Factor(row["code"], value, weight, points, english, chinese, evidence)


def _percent(bands: str, value: Decimal | None) -> int:
    """Returns the percentage of the weight that a value costs, by the last band it reaches: 0:0;0.1:50 at 0.2 is 50."""
    if value is None:
        return UNMEASURED_PERCENT
    percent = 0
    for band in bands.split(";"):
        least, costs = band.split(":")
        if value >= Decimal(least):
            percent = int(costs)
    return percent


def _currency(given: Inputs) -> str:
    most = max(given.year, key=lambda amount: amount.declarations, default=None)
    return most.currency if most else ""


Measured = tuple[Decimal | None, tuple[Part, ...]]
Measure = Callable[[Inputs, date], Measured]


def share(part: int, whole: int) -> Decimal | None:
    """Returns a part of a whole, four decimals, half up; None of nothing: 1 of 3 gives 0.3333."""
    return (Decimal(part) / Decimal(whole)).quantize(PLACES, ROUND_HALF_UP) if whole else None


def _history(given: Inputs, on: date) -> Measured:
    if not given.first_month:
        return None, ()
    year, month = given.first_month.split("-")
    months = on.year * 12 + on.month - int(year) * 12 - int(month)
    return Decimal(max(months, 0)), (Part(given.first_month, "", 0, 0),)


def _per_year(given: Inputs, _on: date) -> Measured:
    parts = tuple(Part("", amount.currency, amount.declarations, amount.minor_units) for amount in given.year)
    return Decimal(sum(amount.declarations for amount in given.year)), parts


def _growth(given: Inputs, _on: date) -> Measured:
    currency = _currency(given)
    now = sum(amount.minor_units for amount in given.year if amount.currency == currency)
    before = sum(amount.minor_units for amount in given.year_before if amount.currency == currency)
    return share(now - before, before), ()


def _outcome(outcome: str) -> Measure:
    def measure(given: Inputs, _on: date) -> Measured:
        parts = tuple(part for part in given.outcomes if part.name == outcome)
        return share(sum(part.declarations for part in parts), given.declarations), parts

    return measure


def _count(name: str) -> Measure:
    return lambda given, _on: (share(getattr(given, name), given.declarations), ())


def _concentration(name: str) -> Measure:
    def measure(given: Inputs, _on: date) -> Measured:
        parts: tuple[Part, ...] = getattr(given, name)
        whole = sum(amount.minor_units for amount in given.year if amount.currency == _currency(given))
        return share(parts[0].minor_units if parts else 0, whole), parts

    return measure


def _modes(counts: Callable[[str, date], bool]) -> Measure:
    def measure(given: Inputs, on: date) -> Measured:
        parts = tuple(part for part in given.modes if counts(part.name, on))
        whole = sum(part.declarations for part in given.modes)
        return share(sum(part.declarations for part in parts), whole), parts[:EVIDENCE_MOST]

    return measure


def _is_not_financeable(mode: str, on: date) -> bool:
    row = code_table("trade_modes").row(mode, on)
    return not row or row["financeable"] != "YES"


def _breaches(given: Inputs, _on: date) -> Measured:
    return Decimal(sum(part.declarations for part in given.breaches)), given.breaches


def _circular(given: Inputs, _on: date) -> Measured:
    names = given.circular_parties
    return Decimal(len(names)), tuple(Part(name, "", 0, 0) for name in names[:EVIDENCE_MOST])


MEASURES: Mapping[str, Measure] = {
    "HISTORY_MONTHS": _history,
    "DECLARATIONS_PER_YEAR": _per_year,
    "VALUE_GROWTH": _growth,
    "REJECTED_SHARE": _outcome("REJECTED"),
    "DELETED_SHARE": _outcome("DELETED"),
    "AMENDED_SHARE": _count("amendments"),
    "HELD_SHARE": _count("holds"),
    "PRICE_DEVIATION_SHARE": _count("price_findings"),
    "BREACHES": _breaches,
    "BUYER_CONCENTRATION": _concentration("buyers"),
    "COUNTRY_CONCENTRATION": _concentration("countries"),
    "RETURNED_SHARE": _modes(lambda mode, _on: mode == RETURNED_GOODS),
    "NOT_FINANCEABLE_SHARE": _modes(_is_not_financeable),
    "CIRCULAR_PARTIES": _circular,
}
