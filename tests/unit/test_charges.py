"""Charges by tariffs: events, periods, tiers, bounds, amendments, what is earned, and who bears them."""

import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.money import Money
from trade.charges import model, periods, tariff
from trade.charges.tariff import Bearer, Earned, Tariff

day = datetime.date.fromisoformat
ROW = {
    "code": "credit_issue", "currency": "USD", "flat": "", "tiers": "0:0.0015", "months": "3", "least": "", "most": "",
    "bearer": "CONTRACT", "earned": "BY_DAYS", "source": "the case's own",
}  # fmt: skip
ISSUE, EXPIRY = day("2026-03-10"), day("2026-10-15")


def usd(text: str) -> Money:
    return Money("USD", int(Decimal(text) * 100))


def issuing(**changes: str) -> Tariff:
    """Returns the tariff of the worked case, with changes."""
    row = ROW | changes
    assert tariff.problems(row, "rows[0]") == []
    return tariff.read(row)


def test_issuing_commission_with_two_amendments() -> None:
    """810.00 at issue, 60.00 for the increase, 300.00 for the extension; 414.25 of 810.00 are earned."""
    charge = model.for_term(issuing(), usd("180000"), ISSUE, EXPIRY)
    assert [str(period.end) for period in charge.periods] == ["2026-06-10", "2026-09-10", "2026-10-15"]
    increase = model.for_increase(issuing(), usd("20000"), ISSUE, EXPIRY, day("2026-07-01"))
    extension = model.for_extension(issuing(), usd("200000"), ISSUE, EXPIRY, day("2026-12-31"))
    assert [charge.amount, increase.amount, extension.amount] == [usd("810"), usd("60"), usd("300")]
    assert (len(increase.periods), len(extension.periods)) == (2, 1)
    assert model.earned(charge, day("2026-06-30")) == usd("414.25")
    assert model.unearned(charge, day("2026-06-30")) == usd("395.75")


def test_an_extension_within_a_period_that_is_charged_costs_nothing() -> None:
    extension = model.for_extension(issuing(), usd("200000"), ISSUE, EXPIRY, day("2026-12-10"))
    assert extension.amount == usd("0")
    assert extension.periods == []


@pytest.mark.parametrize(
    ("changes", "basis", "amount"),
    [
        ({"tiers": "0:0.001", "least": "300"}, "250000", "300"),
        ({"tiers": "0:0.001", "most": "200"}, "250000", "200"),
        ({"tiers": "0:0.001"}, "250000", "250"),
        ({"tiers": "", "flat": "35.50"}, "1", "35.50"),
        ({"tiers": "0:0.0015 1000000:0.001", "flat": "10"}, "1500000", "2010"),
        ({"tiers": "0:0.0015 1000000:0.001"}, "1000000", "1500"),
        ({"tiers": "0:0.00125"}, "4", "0.01"),
    ],
)
def test_an_event_is_charged_by_flat_amount_tiers_and_bounds(changes: dict[str, str], basis: str, amount: str) -> None:
    event = issuing(months="", earned="AT_ONCE", **changes)
    assert model.at_event(event, usd(basis), ISSUE).amount == usd(amount)


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"currency": "XAU"}, ["currency"]),
        ({"tiers": "0.0015"}, ["tiers"]),
        ({"tiers": "5:0.0015"}, ["tiers"]),
        ({"tiers": "0:0.001 0:0.002"}, ["tiers"]),
        ({"tiers": "0:-0.001"}, ["tiers"]),
        ({"tiers": ""}, ["flat"]),
        ({"flat": "0.001", "months": "-3", "bearer": "US"}, ["flat", "months", "bearer"]),
        ({"least": "5", "most": "4"}, ["most"]),
        ({"months": ""}, ["earned"]),
    ],
)
def test_a_row_that_cannot_charge_is_refused_with_all_problems(changes: dict[str, str], fields: list[str]) -> None:
    problems = tariff.problems(ROW | changes, "rows[4]")
    assert [problem.path for problem in problems] == [f"rows[4].{field}" for field in fields]


@pytest.mark.parametrize(
    ("bearer", "ordering", "beneficiary"), [(Bearer.OUR, "50", "0"), (Bearer.SHA, "20", "30"), (Bearer.BEN, "0", "50")]
)
def test_bearers_share_charges(bearer: Bearer, ordering: str, beneficiary: str) -> None:
    assert model.borne(bearer, usd("20"), usd("30")) == (usd(ordering), usd(beneficiary))


def test_months_are_counted_from_the_first_day() -> None:
    ends = [period.end for period in periods.begun(day("2026-01-31"), day("2026-05-31"), 1)]
    assert ends == [day("2026-02-28"), day("2026-03-31"), day("2026-04-30"), day("2026-05-31")]


days = st.dates(min_value=day("2000-01-01"), max_value=day("2100-12-31"))


@given(days, st.integers(0, 2000), st.integers(1, 12))
def test_periods_cover_the_term_without_hole_or_overlap(start: datetime.date, length: int, months: int) -> None:
    end = start + datetime.timedelta(days=length)
    begun = periods.begun(start, end, months)
    edges = [start, *(period.end for period in begun)]
    assert [period.start for period in begun] == edges[:-1]
    assert edges[-1] == end
    assert all(period.days > 0 for period in begun)


@given(st.integers(0, 10**12), st.integers(0, 10**12), days, st.integers(1, 2000))
def test_charges_are_monotone_and_what_is_earned_and_given_back_is_the_whole(
    minor_units: int, more: int, start: datetime.date, length: int
) -> None:
    end = start + datetime.timedelta(days=length)
    tiered = issuing(tiers="0:0.0015 1000000:0.001", flat="10")
    charge = model.for_term(tiered, Money("USD", minor_units), start, end)
    assert model.for_term(tiered, Money("USD", minor_units + more), start, end).amount >= charge.amount
    parts = [model.earned(charge, start + datetime.timedelta(days=past)) for past in (0, length // 2, length)]
    assert parts == sorted(parts, key=lambda part: part.minor_units)
    assert (parts[0].minor_units, parts[2]) == (0, charge.amount)
    assert parts[1] + model.unearned(charge, start + datetime.timedelta(days=length // 2)) == charge.amount


def test_an_event_is_earned_at_once() -> None:
    charge = model.at_event(issuing(months="", earned="AT_ONCE"), usd("1000"), ISSUE)
    assert charge.earned is Earned.AT_ONCE
    assert model.unearned(charge, ISSUE) == usd("0")
