"""Day counts: the examples of their table, published figures of irregular periods, and laws for all dates."""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.codetables import Row, code_table
from chassis.money import Money
from trade import day_count_bases
from trade.day_count_bases import default_day_count
from trade.day_counts import DayCount, Period, PeriodRequired, Stub, day_count
from trade.interest import interest

ON = date(2026, 11, 30)
ROWS = code_table("trade", "day_counts").rows()
CODES = [row["code"] for row in ROWS]
DATES = st.dates(date(1999, 1, 1), date(2032, 12, 31))
LENGTHS = st.integers(0, 2_500)
# A day more is a day's part of a year more, whatever came before it.
ADDITIVE = [
    "ACT_360",
    "ACT_364",
    "ACT_365F",
    "ACT_365_25",
    "ACT_ACT_ISDA",
    "ACT_ACT_ICMA",
    "ACT_365L",
    "THIRTY_E_360",
    "THIRTY_E_360_ISDA",
    "THIRTY_E_365",
    "NL_360",
    "NL_365",
]


def period_about(counted: DayCount, start: date, end: date) -> Period | None:
    """Returns a period of half-years that holds the dates, where the convention asks for one."""
    return Period(start, end, 6) if counted.needs_period else None


@pytest.mark.parametrize("row", ROWS, ids=CODES)
def test_each_convention_gives_its_example(row: Row) -> None:
    counted = day_count(row["code"], ON)
    start, end = date.fromisoformat(row["example_start"]), date.fromisoformat(row["example_end"])
    period = period_about(counted, start, end)
    assert counted.days(start, end, period) == int(row["example_days"])
    assert counted.year_fraction(start, end, period) == Fraction(row["example_year_fraction"])
    assert row["source"]


@pytest.mark.parametrize(
    ("period", "icma", "isda", "afb"),
    [
        (Period(date(2003, 11, 1), date(2004, 5, 1), 6), "0.5000000000", "0.4977243806", "0.4972677596"),
        (Period(date(1999, 2, 1), date(1999, 7, 1), 12), "0.4109589041", "0.4109589041", "0.4109589041"),
        (Period(date(1999, 7, 1), date(2000, 7, 1), 12), "1.0000000000", "1.0013773486", "1.0000000000"),
        (Period(date(2002, 8, 15), date(2003, 7, 15), 6), "0.9157608696", "0.9150684932", "0.9150684932"),
        (Period(date(2003, 7, 15), date(2004, 1, 15), 6), "0.5000000000", "0.5040047908", "0.5041095890"),
        (Period(date(1999, 7, 30), date(2000, 1, 30), 6), "0.5000000000", "0.5038925069", "0.5041095890"),
        (Period(date(2000, 1, 30), date(2000, 6, 30), 6, Stub.LAST), "0.4175824176", "0.4153005464", "0.4153005464"),
        (
            Period(date(1999, 11, 30), date(2000, 4, 30), 3, Stub.LAST, is_end_of_month=True),
            "0.4157608696",
            "0.4155400853",
            "0.4153005464",
        ),
    ],
)  # fmt: skip
def test_the_three_of_actual_over_actual_are_those_of_the_memorandum_of_1998(
    period: Period, icma: str, isda: str, afb: str
) -> None:
    """The worked examples of ISDA's paper on ACT/ACT: regular, short and long first, short and long last periods."""
    codes = ("ACT_ACT_ICMA", "ACT_ACT_ISDA", "ACT_ACT_AFB")
    fractions = [day_count(code, ON).year_fraction(period.start, period.end, period) for code in codes]
    assert [f"{float(fraction):.10f}" for fraction in fractions] == [icma, isda, afb]


@pytest.mark.parametrize(
    ("start", "end", "is_final", "days"),
    [
        (date(2011, 2, 28), date(2012, 2, 29), False, 360),
        (date(2011, 2, 28), date(2012, 2, 29), True, 359),
        (date(2011, 8, 31), date(2012, 2, 29), True, 179),
        (date(2011, 8, 31), date(2012, 3, 31), True, 210),
    ],
)
def test_february_ends_a_contract_on_its_own_day(start: date, end: date, is_final: bool, days: int) -> None:
    assert day_count("THIRTY_E_360_ISDA", ON).days(start, end, Period(start, end, 6, is_final=is_final)) == days


def test_month_ends_that_do_not_stay_are_days_as_others() -> None:
    start, end = date(2011, 2, 28), date(2011, 8, 31)
    counted = day_count("THIRTY_360_US", ON)
    assert counted.days(start, end) == 180
    assert counted.days(start, end, Period(start, end, 6, is_end_of_month=False)) == 183


@pytest.mark.parametrize(
    ("period", "fraction"),
    [
        (Period(date(2011, 7, 1), date(2012, 7, 1), 12), Fraction(100, 366)),
        (Period(date(2012, 3, 1), date(2013, 3, 1), 12), Fraction(100, 365)),
        (Period(date(2012, 3, 1), date(2012, 9, 1), 6), Fraction(100, 366)),
    ],
)
def test_the_year_of_act_365l_is_the_period_s(period: Period, fraction: Fraction) -> None:
    end = period.start + timedelta(days=100)
    assert day_count("ACT_365L", ON).year_fraction(period.start, end, period) == fraction


@given(DATES, LENGTHS, LENGTHS)
def test_parts_of_a_time_add_up_to_it(start: date, first: int, second: int) -> None:
    middle = start + timedelta(days=first)
    end = middle + timedelta(days=second)
    for code in ADDITIVE:
        counted = day_count(code, ON)
        period = period_about(counted, start, end)
        parts = counted.year_fraction(start, middle, period) + counted.year_fraction(middle, end, period)
        assert parts == counted.year_fraction(start, end, period), code


@given(DATES, LENGTHS, st.integers(0, 400))
def test_a_later_end_is_never_less(start: date, length: int, more: int) -> None:
    end = start + timedelta(days=length)
    later = end + timedelta(days=more)
    # A 29th of February makes the year of ACT/365 (Actual) longer for all days, so that beyond a year it may be less.
    for code in CODES if (later - start).days <= 366 else [code for code in CODES if code != "ACT_365_ACTUAL"]:
        counted = day_count(code, ON)
        period = period_about(counted, start, later)
        assert counted.days(start, end, period) <= counted.days(start, later, period), code
        assert counted.year_fraction(start, end, period) <= counted.year_fraction(start, later, period), code


def test_what_cannot_be_counted_is_refused() -> None:
    with pytest.raises(ValueError, match="before"):
        day_count("ACT_360", ON).days(date(2026, 2, 1), date(2026, 1, 1))
    with pytest.raises(PeriodRequired):
        day_count("ACT_ACT_ICMA", ON).year_fraction(date(2026, 1, 1), date(2026, 2, 1))
    outside = Period(date(2026, 1, 15), date(2026, 7, 15), 6)
    with pytest.raises(PeriodRequired):
        day_count("ACT_365L", ON).year_fraction(date(2026, 1, 1), date(2026, 2, 1), outside)
    with pytest.raises(KeyError):
        day_count("BUS_252", ON)
    with pytest.raises(KeyError):
        day_count_bases.basis_of("THIRTY_360_US")


@pytest.mark.parametrize(
    ("currency", "benchmark", "on", "code"),
    [
        ("JPY", "", ON, "ACT_365F"),
        ("JPY", "TONA", ON, "ACT_365F"),
        ("JPY", "TIBOR", ON, "ACT_365F"),
        ("JPY", "LIBOR", date(2021, 12, 31), "ACT_360"),
        ("JPY", "LIBOR", date(2022, 1, 1), None),
        ("GBP", "SONIA", ON, "ACT_365F"),
        ("USD", "SOFR", ON, "ACT_360"),
        ("CNY", "", ON, "ACT_360"),
        ("CNY", "REPO", ON, "ACT_365F"),
        ("SAR", "", ON, "ACT_360"),
        ("SAR", "OVERNIGHT_SAIBOR", ON, "ACT_365F"),
        ("KWD", "", ON, None),
        ("USD", "TONA", ON, None),
    ],
)
def test_currency_and_benchmark_say_how_days_are_counted(
    currency: str, benchmark: str, on: date, code: str | None
) -> None:
    counted = default_day_count(currency, on, benchmark)
    assert (counted.code if counted else None) == code


def test_every_default_is_a_convention_and_has_a_source() -> None:
    rows = code_table("trade", "day_count_bases").rows()
    assert {row["value"] for row in rows} <= set(CODES)
    assert all(row["source"] for row in rows)


def test_yen_is_lent_by_the_year_of_its_benchmark() -> None:
    counted = default_day_count("JPY", ON)
    assert counted is not None
    basis = day_count_bases.basis_of(counted.code)
    assert day_count_bases.of_basis(basis) == "ACT_365F"
    from_rate = interest(Money("JPY", 12_345_678), Decimal("0.0125"), 45, basis)
    assert from_rate == Money("JPY", 19_026)


def test_a_currency_of_which_nobody_has_said_it_is_refused() -> None:
    assert [problem.reason for problem in day_count_bases.problems("offer.amount", "KWD", ON)] == ["DAY_COUNT_UNKNOWN"]
    assert day_count_bases.problems("offer.amount", "CNY", ON) == []
