"""Day counts and internal rates by the vectors of others: each day, each part of a year, each rate."""

import csv
import pathlib
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal

import pytest

from trade.annual_rates import (
    CashFlow,
    internal_rates,
    internal_rates_of_periods,
    net_future_value,
    net_present_value,
)
from trade.day_counts import day_count

Counted = Callable[[str, int], None]

ON = date(2026, 11, 30)
DAYS, FRACTIONS, RATES = 68, 201, 68
# How near a rate is, and a part of a year to one that was computed in binary.
NEAR, NEARER = Decimal("1e-9"), Decimal("1e-14")

# Functions of the file to ours. Several rates are possible: that of the file is one of them, and no rate is no rate.
RESULTS: dict[str, Callable[[Sequence[CashFlow]], Sequence[Decimal]]] = {
    "xnpv": lambda flows: [net_present_value(Decimal("0.1"), flows)],
    "xnfv_rate_0.025": lambda flows: [net_future_value(Decimal("0.025"), flows)],
    "xirr": internal_rates,
    "irr_samples": lambda flows: internal_rates_of_periods([flow.amount for flow in flows]),
}


def rows(path: pathlib.Path) -> list[dict[str, str]]:
    """Returns the rows of a CSV file with a heading."""
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def flows_of(path: pathlib.Path) -> list[CashFlow]:
    """Returns the cash flows of a file, each a day and an amount."""
    with path.open(encoding="utf-8") as file:
        pairs = [[cell.strip(' "') for cell in row] for row in csv.reader(file)]
    return [CashFlow(date.fromisoformat(day), Decimal(amount)) for day, amount in pairs]


def test_days_are_those_of_the_vectors(real_data: pathlib.Path, counted: Counted) -> None:
    vectors = rows(real_data / "loans" / "daycount" / "strata_days.csv")
    assert len(vectors) == DAYS
    for vector in vectors:
        start, end = date.fromisoformat(vector["start"]), date.fromisoformat(vector["end"])
        assert day_count(vector["day_count"], ON).days(start, end) == int(vector["expected_days"]), vector
    counted("days between dates", len(vectors))


def test_parts_of_years_are_those_of_the_vectors(real_data: pathlib.Path, counted: Counted) -> None:
    vectors = rows(real_data / "loans" / "daycount" / "strata_year_fractions.csv")
    assert len(vectors) == FRACTIONS
    for vector in vectors:
        start, end = date.fromisoformat(vector["start"]), date.fromisoformat(vector["end"])
        fraction = day_count(vector["day_count"], ON).year_fraction(start, end)
        exact = Decimal(fraction.numerator) / fraction.denominator
        assert abs(exact - Decimal(vector["expected_year_fraction"])) < NEARER, vector
    counted("parts of a year", len(vectors))


@pytest.fixture
def expected(real_data: pathlib.Path) -> list[tuple[str, str, str]]:
    """Returns function, sample and result of each vector of rates."""
    return [(*row.values(),) for row in rows(real_data / "loans" / "irr" / "expected.csv")]  # type: ignore[misc]


def test_rates_and_values_are_those_of_the_vectors(
    real_data: pathlib.Path, expected: list[tuple[str, str, str]], counted: Counted
) -> None:
    assert len(expected) == RATES
    for function, sample, result in expected:
        results = RESULTS[function](flows_of(real_data / "loans" / "irr" / "samples" / sample))
        if result:
            assert any(abs(each - Decimal(result)) < NEAR for each in results), (function, sample)
        else:
            assert not results, (function, sample)
    counted("internal rates and net values", len(expected))
