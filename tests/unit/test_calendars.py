"""Calendars: whether a day is open, the laws of the rules, how deadlines are kept, and what is wrong with rows."""

import datetime
import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.errors import InvalidFields
from trade import calendars
from trade.calendars import Calendar, Joint, Opening

DAY = datetime.date.fromisoformat
CHINA = calendars.packaged("CN.working")
RESERVE = calendars.packaged("US.payment_system")
TRADED = Joint((calendars.packaged("CN.foreign_exchange"), RESERVE))
# What a rule takes beside the day.
COUNTS: dict[str, st.SearchStrategy[dict[str, int]]] = {
    "following": st.just({}),
    "modified_following": st.just({}),
    "preceding": st.just({}),
    "modified_preceding": st.just({}),
    "end_of_month": st.just({}),
    "days_after": st.fixed_dictionaries({"count": st.integers(-400, 400)}),
    "working_days_after": st.fixed_dictionaries({"count": st.integers(1, 60)}),
    "working_day_of_month": st.fixed_dictionaries({"count": st.integers(1, 10)}),
    "working_day_of_next_month": st.fixed_dictionaries({"count": st.integers(1, 10)}),
}


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2026-10-01", Opening(False, False)),
        ("2026-10-10", Opening(True, False)),
        ("2026-11-28", Opening(False, False)),
        ("2026-11-30", Opening(True, False)),
        ("2027-02-08", Opening(True, True)),
        ("2027-02-06", Opening(False, True)),
        ("2017-10-02", Opening(True, True)),
    ],
)
def test_a_day_of_no_published_year_is_answered_provisionally(day: str, expected: Opening) -> None:
    """CD2: weekends alone count where nobody has published the year."""
    assert CHINA.on(DAY(day)) == expected
    assert CHINA.is_open(DAY(day)) == expected.is_open


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        # A make-up Saturday, Columbus Day, a day of both, the Reserve's holiday of a year that China hasn't published.
        ("2026-10-10", Opening(False, False)),
        ("2026-10-12", Opening(False, False)),
        ("2026-10-13", Opening(True, False)),
        ("2027-07-05", Opening(False, False)),
        ("2027-07-06", Opening(True, True)),
    ],
)
def test_currencies_are_traded_where_both_places_are_open(day: str, expected: Opening) -> None:
    assert TRADED.on(DAY(day)) == expected


def test_two_days_after_a_trade_both_places_were_open() -> None:
    """2026-09-29 and two days of China and the Reserve: 09-30, then 10-08, as 10-01 to 10-07 are off in China."""
    spot = calendars.working_days_after(TRADED, DAY("2026-09-29"), 2)
    assert spot.date == DAY("2026-10-08")
    assert [version.table for version in spot.calendars] == [
        "calendars/CN.foreign_exchange",
        "calendars/US.payment_system",
    ]


@st.composite
def calendar_texts(draw: st.DrawFn) -> str:
    """A calendar of 2026 to 2027 with days off, and make-up days among weekends; no week is closed as a whole."""
    first = datetime.date(2026, 1, 1)
    days = [first + datetime.timedelta(days=number) for number in range(730)]
    chosen = draw(st.sets(st.sampled_from([day for day in days if day.isoweekday() != 3]), max_size=80))
    kinds = {day: draw(st.booleans()) and day.isoweekday() > 5 for day in sorted(chosen)}
    rows = [
        "PUBLISHED,,,,somebody,2026-01-01,2027-12-31",
        "WEEKEND,SATURDAY,,,,0001-01-01,",
        "WEEKEND,SUNDAY,,,,0001-01-01,",
        *(f"{'WORKED' if is_worked else 'OFF'},,,,,{day},{day}" for day, is_worked in kinds.items()),
    ]
    return "\n".join([",".join(HEADER), *rows])


HEADER = ("code", "value", "english", "chinese", "source", "effective_from", "effective_to")
DATES = st.dates(datetime.date(2025, 11, 1), datetime.date(2028, 2, 28))


@settings(max_examples=300)
@given(calendar_texts(), st.sampled_from(sorted(COUNTS)), st.data(), DATES, DATES)
def test_a_rule_that_moves_never_lands_on_a_closed_day_and_is_monotone(
    text: str, name: str, data: st.DataObject, first: datetime.date, second: datetime.date
) -> None:
    """CD1: on any calendar."""
    calendar = calendars.read("XX.working", 1, text)
    inputs = data.draw(COUNTS[name])
    earlier, later = (
        calendars.RULES[name].apply(calendar, day=day, **inputs) for day in (min(first, second), max(first, second))
    )
    assert calendar.is_open(earlier.date)
    assert calendar.is_open(later.date)
    assert earlier.date <= later.date


@given(DATES, st.integers(0, 400), st.integers(1, 60))
def test_a_deadline_is_kept_as_text_and_computed_anew(day: datetime.date, days: int, working_days: int) -> None:
    """Rule, inputs and versions are all that is needed."""
    by_days = calendars.days_after(CHINA, day, days)
    by_working_days = calendars.working_days_after(TRADED, day, working_days)
    received = calendars.presentation_day(calendars.packaged("CN.banking"), day.toordinal() * 10**10)
    every = [by_days, by_working_days, received, calendars.earlier_of(by_days, received)]
    every.append(calendars.later_of(every[-1], by_working_days))
    packaged = {name: calendars.packaged(name) for name, _ in calendars.packaged_names()}
    for deadline in every:
        assert calendars.from_json(calendars.to_json(deadline)) == deadline
        assert calendars.again(deadline, packaged) == deadline


def test_a_provisional_date_moves_when_its_year_is_published() -> None:
    """CD2: the bill of 2027-01-25, once a made-up calendar has a Spring Festival from 5 to 17 February."""
    text = "\n".join(
        [
            ",".join(HEADER),
            "PUBLISHED,,,,made up,2026-01-01,2027-12-31",
            "WEEKEND,SATURDAY,,,,0001-01-01,",
            "WEEKEND,SUNDAY,,,,0001-01-01,",
            "OFF,,Spring Festival,春节,,2027-02-05,2027-02-17",
        ]
    )
    before = calendars.days_after(CHINA, DAY("2027-01-25"), 15)
    assert (before.date, before.is_provisional) == (DAY("2027-02-09"), True)
    after = calendars.again(before, {"CN.working": calendars.read("CN.working", 2, text)})
    assert (after.date, after.is_provisional) == (DAY("2027-02-18"), False)
    assert [version.version for version in after.calendars] == [2]
    assert after.inputs == before.inputs


def test_one_of_several_deadlines_is_provisional_with_any_of_them() -> None:
    firm, later = calendars.following(CHINA, DAY("2026-10-01")), calendars.following(CHINA, DAY("2027-01-01"))
    assert calendars.earlier_of(firm, later).date == firm.date
    assert calendars.later_of(firm, later).date == later.date
    assert calendars.earlier_of(firm, later).is_provisional
    assert not calendars.earlier_of(firm, firm).is_provisional


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("working_days_after", {"day": DAY("2026-11-27"), "count": 0}),
        ("working_day_of_month", {"day": DAY("2026-11-27"), "count": 0}),
        # November 2026 has 21 working days.
        ("working_day_of_month", {"day": DAY("2026-11-27"), "count": 22}),
        ("working_day_of_next_month", {"day": DAY("2026-10-27"), "count": 22}),
    ],
)
def test_a_working_day_that_isn_t_there_is_refused(name: str, inputs: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="working day"):
        calendars.RULES[name].apply(CHINA, **inputs)


def test_a_presentation_needs_a_cut_off() -> None:
    for days in (CHINA, TRADED):
        with pytest.raises(LookupError):
            calendars.presentation_day(days, 0)


RIGHT = (
    ("PUBLISHED", "", "2026-01-01", "2026-12-31"),
    ("PUBLISHED", "", "2027-01-01", "2027-12-31"),
    ("WEEKEND", "SATURDAY", "0001-01-01", ""),
    ("WEEKEND", "SUNDAY", "0001-01-01", ""),
    ("OFF", "", "2026-10-01", "2026-10-07"),
    ("WORKED", "", "2026-10-10", "2026-10-10"),
)
FROM_MONDAY = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY")
Cells = tuple[str, str, str, str]


def csv_of(rows: Sequence[Cells]) -> str:
    lines = [f"{code},{value},,,,{first},{last}" for code, value, first, last in rows]
    return "\n".join([",".join(HEADER), *lines])


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        ((), []),
        ([("PUBLISHED", "", "2029-01-01", "2029-12-31")], ["CALENDAR_YEARS_MISSING"]),
        ([("PUBLISHED", "", "2027-01-01", "2027-12-31")], ["CALENDAR_ROWS_OVERLAP"]),
        ([("PUBLISHED", "", "2028-01-01", "2028-06-30")], ["CALENDAR_YEAR_INCOMPLETE"]),
        ([("OFF", "", "2026-10-07", "2026-10-08")], ["CALENDAR_ROWS_OVERLAP"]),
        ([("WORKED", "", "2026-10-03", "2026-10-03")], ["CALENDAR_MAKE_UP_DAY_OFF"]),
        ([("WORKED", "", "2026-10-12", "2026-10-12")], ["CALENDAR_MAKE_UP_DAY_NO_WEEKEND"]),
        (
            [("WORKED", "", "2026-10-05", "2026-10-05")],
            ["CALENDAR_MAKE_UP_DAY_OFF", "CALENDAR_MAKE_UP_DAY_NO_WEEKEND"],
        ),
        ([("HALF_DAY", "", "2026-12-24", "2026-12-24")], ["CALENDAR_KIND_UNKNOWN"]),
        ([("OFF", "", "2028-01-03", "2028-01-03")], ["CALENDAR_DAY_NOT_PUBLISHED"]),
        ([("OFF", "", "2027-12-31", "")], ["CALENDAR_DAY_NOT_PUBLISHED"]),
        ([("OFF", "", "2026-02-30", "2026-02-30")], ["CALENDAR_DATE_INVALID"]),
        ([("OFF", "", "2026-03-02", "2026-03-01")], ["CALENDAR_PERIOD_INVERTED"]),
        ([("OFF", "yes", "2026-03-02", "2026-03-02")], ["CALENDAR_VALUE_INVALID"]),
        ([("WEEKEND", "CATURDAY", "0001-01-01", "")], ["CALENDAR_VALUE_INVALID"]),
        ([("WEEKEND", day, "0001-01-01", "") for day in FROM_MONDAY], ["CALENDAR_NEVER_OPEN"]),
        ([("CUT_OFF", "17:00", "0001-01-01", "")], ["CALENDAR_ZONE_MISSING"]),
        ([("ZONE", "Asia/Zhengzhou", "0001-01-01", "")], ["CALENDAR_VALUE_INVALID"]),
        ([("ZONE", "../secret", "0001-01-01", "")], ["CALENDAR_VALUE_INVALID"]),
        ([("CUT_OFF", "25:00", "0001-01-01", ""), ("ZONE", "", "", "")],
         ["CALENDAR_VALUE_INVALID", "CALENDAR_VALUE_INVALID", "CALENDAR_DATE_INVALID"]),
    ],
)  # fmt: skip
def test_all_that_is_wrong_with_rows_is_listed(added: Sequence[Cells], expected: list[str]) -> None:
    """CD3: a hole, rows that overlap, a make-up day that is a holiday or no weekend, and the others."""
    text = csv_of([*RIGHT, *added])
    found = calendars.problems("CN.working", text)
    assert [problem.reason for problem in found] == expected
    assert all("{" not in problem.english + problem.chinese for problem in found)
    if expected:
        with pytest.raises(InvalidFields) as refused:
            calendars.read("CN.working", 2, text)
        assert list(refused.value.problems) == found


def test_problems_of_several_rows_are_listed_at_once() -> None:
    """CD3: each with its row."""
    added = [("HALF_DAY", "", "2026-12-24", "2026-12-24"), ("WORKED", "", "2026-11-02", "2026-11-02")]
    added += [("OFF", "", "2029-01-01", "2029-01-01")]
    found = calendars.problems("CN.banking", csv_of([*RIGHT, *added]))
    assert [(problem.path, problem.reason) for problem in found] == [
        ("rows[7].code", "CALENDAR_KIND_UNKNOWN"),
        ("rows[9]", "CALENDAR_DAY_NOT_PUBLISHED"),
        ("rows[8]", "CALENDAR_MAKE_UP_DAY_NO_WEEKEND"),
        ("rows", "CALENDAR_CUT_OFF_MISSING"),
    ]


@pytest.mark.parametrize("text", ["", "code,value\nOFF,", "\x00", "code\n" * 3])
def test_a_text_that_is_no_calendar_is_refused(text: str) -> None:
    assert [problem.reason for problem in calendars.problems("CN.working", text)] == ["CALENDAR_COLUMNS_MISSING"]


@pytest.mark.parametrize("name", ["CN", "CN.holidays", ""])
def test_a_calendar_is_named_by_place_and_purpose(name: str) -> None:
    assert [problem.reason for problem in calendars.problems(name, csv_of(RIGHT))] == ["CALENDAR_NAME_INVALID"]


def test_no_year_is_published() -> None:
    found = calendars.problems("CN.working", csv_of(RIGHT[2:4]))
    assert [problem.reason for problem in found] == ["CALENDAR_YEARS_MISSING"]


@pytest.mark.parametrize("name", [name for name, _ in calendars.packaged_names()])
def test_a_packaged_calendar_has_nothing_wrong(name: str) -> None:
    calendar: Calendar = calendars.packaged(name)
    assert name.startswith(f"{calendar.place}.{calendar.purpose.value.lower()}")
    assert {2018, 2026} <= calendar.years


@pytest.mark.parametrize(("name", "version"), [("XX.working", 0), ("CN.working", 99)])
def test_a_calendar_that_isn_t_packaged_is_refused(name: str, version: int) -> None:
    with pytest.raises(LookupError):
        calendars.packaged(name, version)


def test_banks_differ_from_offices_by_make_up_days_alone() -> None:
    bank, opening = calendars.packaged("CN.banking"), calendars.packaged("CN.banking.make_up_days")
    days = [datetime.date(2018, 1, 1) + datetime.timedelta(days=number) for number in range(9 * 365)]
    differing = {day for day in days if bank.is_open(day) != CHINA.is_open(day)}
    assert differing == CHINA.worked
    assert all(opening.is_open(day) == CHINA.is_open(day) for day in days)
    assert all(before < day for before, day in itertools.pairwise(sorted(CHINA.worked)))
