"""From which days a payment may count, and which days are worked."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.settlement import value_dates as settlement_value_dates
from trade import calendars, value_dates

CHINA = calendars.packaged(value_dates.CALENDAR)
FRIDAY = datetime.date(2026, 11, 27)


@pytest.mark.parametrize(
    ("value_date", "reason"),
    [
        ("2026-11-27", ""),
        ("2026-11-28", ""),
        ("2026-11-30", ""),
        ("2026-12-01", "VALUE_DATE_TOO_LATE"),
        ("9999-12-31", "VALUE_DATE_TOO_LATE"),
        ("2026-11-17", ""),
        ("2026-11-16", "VALUE_DATE_TOO_EARLY"),
        ("0001-01-01", "VALUE_DATE_TOO_EARLY"),
    ],
)
def test_the_bounds_of_a_value_date(value_date: str, reason: str) -> None:
    day = datetime.date.fromisoformat(value_date)
    found = settlement_value_dates.problems("IntrBkSttlmDt", day, "banks/LMHFCNB0", FRIDAY, CHINA)
    assert [problem.reason for problem in found] == ([reason] if reason else [])


@pytest.mark.parametrize(
    ("day", "following"),
    [("2026-11-27", "2026-11-30"), ("2026-09-30", "2026-10-08"), ("2026-10-09", "2026-10-10")],
)
def test_the_next_working_day_passes_holidays_and_takes_make_up_days(day: str, following: str) -> None:
    """National Day runs from 1 to 7 October 2026; Saturday the 10th is worked for it."""
    latest = value_dates.latest(CHINA, datetime.date.fromisoformat(day))
    assert latest == datetime.date.fromisoformat(following)


@given(st.dates(datetime.date(2000, 1, 1), datetime.date(2100, 1, 1)))
def test_the_next_working_day_is_worked_and_none_lies_between(day: datetime.date) -> None:
    following = value_dates.latest(CHINA, day)
    assert following > day
    assert CHINA.is_open(following)
    between = (day + datetime.timedelta(days=offset) for offset in range(1, (following - day).days))
    assert not any(map(CHINA.is_open, between))
