"""Day counts: the days between two dates and the part of a year that they are, exact, by rows of data/day_counts.csv.

A row names its rule for days and its rule for the year: ACT/360 is ACTUAL days over 360. The first day counts, the last
doesn't.
"""

import calendar
import enum
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from itertools import pairwise

from chassis.codetables import Row, code_table
from trade.calendars import months_after

MONTHS = 12
LEAP_YEAR, COMMON_YEAR = 366, 365


class Stub(enum.StrEnum):
    """The end at which the odd days of an irregular period lie: it is cut into regular parts from the other."""

    FIRST = "FIRST"
    LAST = "LAST"


@dataclass(frozen=True, slots=True)
class Period:
    """The interest period in which dates lie, with the months between two regular dates: 6 for half-years.

    `is_end_of_month` says that dates at a month's end stay there; `is_final`, that the period ends with the contract.
    """

    start: date
    end: date
    months: int
    stub: Stub = Stub.FIRST
    is_end_of_month: bool = False
    is_final: bool = False


class PeriodRequired(ValueError):
    """A convention counts by the interest period, and none was given that holds the dates: a bug of the caller."""


Days = Callable[[date, date, Period | None], int]
Year = Callable[[date, date, Period | None], Fraction]


def _is_leap_day(day: date) -> bool:
    return (day.month, day.day) == (2, 29)


def _is_last_of_february(day: date) -> bool:
    return day.month == 2 and day.day == calendar.monthrange(day.year, 2)[1]


def _leap_days(start: date, end: date) -> int:
    """Returns the 29ths of February after the start, up to the end: one from 2012-02-28 to 2012-02-29."""
    leap_years = filter(calendar.isleap, range(start.year, end.year + 1))
    return sum(start < date(year, 2, 29) <= end for year in leap_years)


def _actual(start: date, end: date, _: Period | None) -> int:
    return (end - start).days


def _without_leap_days(start: date, end: date, _: Period | None) -> int:
    return (end - start).days - _leap_days(start, end)


def _thirty(start: date, end: date, first: int, last: int) -> int:
    """Returns the days in months of 30 from day `first` of the start's month to day `last` of the end's."""
    return 360 * (end.year - start.year) + 30 * (end.month - start.month) + last - first


def _thirty_from(start: date, end: date, first: int) -> int:
    """Returns the days from day `first`, where an end on the 31st is the 30th after a start on the 30th."""
    return _thirty(start, end, first, 30 if end.day == 31 and first == 30 else end.day)


def _thirty_isda(start: date, end: date, _: Period | None) -> int:
    return _thirty_from(start, end, min(start.day, 30))


def _thirty_us(start: date, end: date, period: Period | None) -> int:
    """Returns the days of 30/360 (US): February's last day is a 30th, unless month ends don't stay in the period."""
    if not _is_last_of_february(start) or (period is not None and not period.is_end_of_month):
        return _thirty_isda(start, end, period)
    return _thirty(start, end, 30, 30) if _is_last_of_february(end) else _thirty_from(start, end, 30)


def _thirty_psa(start: date, end: date, _: Period | None) -> int:
    return _thirty_from(start, end, 30 if _is_last_of_february(start) else min(start.day, 30))


def _thirty_e(start: date, end: date, _: Period | None) -> int:
    return _thirty(start, end, min(start.day, 30), min(end.day, 30))


def _thirty_e_isda(start: date, end: date, period: Period | None) -> int:
    """Returns the days of 30E/360 (ISDA): February's last day is a 30th, but for the one with which a contract ends."""
    is_final = period is not None and period.is_final and end == period.end
    first = 30 if _is_last_of_february(start) else min(start.day, 30)
    return _thirty(start, end, first, 30 if _is_last_of_february(end) and not is_final else min(end.day, 30))


def _thirty_e_plus(start: date, end: date, _: Period | None) -> int:
    """Returns the days of 30E+/360: an end on the 31st is the first of the next month, which is a 31st here too."""
    return _thirty(start, end, min(start.day, 30), end.day)


def _one(_start: date, _end: date, _: Period | None) -> int:
    return 1


DAYS: Mapping[str, Days] = {
    "ACTUAL": _actual,
    "WITHOUT_LEAP_DAYS": _without_leap_days,
    "THIRTY_ISDA": _thirty_isda,
    "THIRTY_US": _thirty_us,
    "THIRTY_PSA": _thirty_psa,
    "THIRTY_E": _thirty_e,
    "THIRTY_E_ISDA": _thirty_e_isda,
    "THIRTY_E_PLUS": _thirty_e_plus,
    "ONE": _one,
}


def _leap_day_year(start: date, end: date, _: Period | None) -> Fraction:
    """Returns all days over 366 where a 29th of February lies after the start up to the end, over 365 otherwise."""
    return Fraction((end - start).days, LEAP_YEAR if _leap_days(start, end) else COMMON_YEAR)


def _period_year(start: date, end: date, period: Period | None) -> Fraction:
    """Returns all days over 366 where the period ends in a leap year; a period of a year, where it has a leap day."""
    held = _holding(period, start, end)
    is_leap = _leap_days(held.start, held.end) if held.months == MONTHS else calendar.isleap(held.end.year)
    return Fraction((end - start).days, LEAP_YEAR if is_leap else COMMON_YEAR)


def _calendar_year(start: date, end: date, _: Period | None) -> Fraction:
    """Returns the days in leap years over 366 and all others over 365: 4/365 + 58/366 from 2011-12-28 to 2012-02-28."""
    new_years = [date(year, 1, 1) for year in range(start.year + 1, end.year + 1)]
    return sum((_in_one_year(day, after) for day, after in pairwise([start, *new_years, end])), start=Fraction(0))


def _in_one_year(start: date, end: date) -> Fraction:
    return Fraction((end - start).days, LEAP_YEAR if calendar.isleap(start.year) else COMMON_YEAR)


def _whole_years(start: date, end: date) -> int:
    """Returns the years that fit between two dates, counted back from the end."""
    years = end.year - start.year
    return years if months_after(end, -years * MONTHS) >= start else years - 1


def _year_back(start: date, end: date, _: Period | None) -> Fraction:
    """Returns the whole years back from the end, and the days left over 366 where a 29th of February is among them."""
    years = _whole_years(start, end)
    until = months_after(end, -years * MONTHS)
    has_leap_day = _leap_days(start, until) - _is_leap_day(until) + _is_leap_day(start)
    return years + Fraction((until - start).days, LEAP_YEAR if has_leap_day else COMMON_YEAR)


def _year_ahead(start: date, end: date, _: Period | None) -> Fraction:
    """Returns the whole years from the start on, and the days left over the days of the year that they begin."""
    years = max(end.year - start.year, 0)
    if months_after(start, years * MONTHS) > end:
        years -= 1
    since = months_after(start, years * MONTHS)
    return years + Fraction((end - since).days, (months_after(start, (years + 1) * MONTHS) - since).days)


def _regular_period(start: date, end: date, period: Period | None) -> Fraction:
    """Returns the days over those of the regular periods in which they lie, of which so many make a year."""
    held = _holding(period, start, end)
    parts = (_in_part(part, start, end) for part in pairwise(_regular_dates(held)))
    return sum(parts, start=Fraction(0)) * held.months / MONTHS


def _in_part(part: tuple[date, date], start: date, end: date) -> Fraction:
    first, last = part
    return Fraction(max((min(last, end) - max(first, start)).days, 0), (last - first).days)


def _regular_dates(period: Period) -> list[date]:
    """Returns the regular dates of a period and about it, in order: 2002-07-15, 2003-01-15 and 2003-07-15 of a first
    half-year that lasts from 2002-08-15 to 2003-07-15.
    """
    return sorted(_towards_stub(period))


def _towards_stub(period: Period) -> Iterator[date]:
    """Yields the regular dates from a period's regular end to the other or beyond."""
    is_first = period.stub is Stub.FIRST
    anchor, step = (period.end, -period.months) if is_first else (period.start, period.months)
    day, number = anchor, 0
    while period.start < day if is_first else day < period.end:
        yield day
        number += 1
        day = months_after(anchor, number * step, is_end_of_month=period.is_end_of_month)
    yield day


def _holding(period: Period | None, start: date, end: date) -> Period:
    """Returns the period. Raises PeriodRequired unless the dates lie in it."""
    if period is None or not period.start <= start <= end <= period.end:
        raise PeriodRequired(f"{start} to {end} in {period}")
    return period


YEARS: Mapping[str, Year] = {
    "LEAP_DAY": _leap_day_year,
    "PERIOD": _period_year,
    "CALENDAR_YEAR": _calendar_year,
    "REGULAR_PERIOD": _regular_period,
    "YEAR_BACK": _year_back,
    "YEAR_AHEAD": _year_ahead,
}


@dataclass(frozen=True, slots=True)
class DayCount:
    """A convention: its code (ACT_365F), its name (ACT/365 (Fixed)), its rules by their names, its source."""

    code: str
    name: str
    days_rule: str
    year_rule: str
    needs_period: bool
    source: str

    def days(self, start: date, end: date, period: Period | None = None) -> int:
        """Returns the days from a date to a later one: 28 of 30E/360 from 2026-01-31 to 2026-02-28, 30 to 2026-03-31.

        Raises ValueError where the end is before the start.
        """
        if end < start:
            raise ValueError(f"{end} is before {start}")
        return DAYS[self.days_rule](start, end, period)

    def year_fraction(self, start: date, end: date, period: Period | None = None) -> Fraction:
        """Returns the part of a year from a date to a later one: 1/4 of ACT/360 from 2026-01-15 to 2026-04-15.

        Raises ValueError where the end is before the start, PeriodRequired where the convention needs a period.
        """
        days = self.days(start, end, period)
        rule = YEARS.get(self.year_rule)
        return rule(start, end, period) if rule else days / Fraction(self.year_rule)


def _read(row: Row) -> DayCount:
    needs_period = row["period"] == "REQUIRED"
    return DayCount(row["code"], row["name"], row["days"], row["year"], needs_period, row["source"])


def day_count(code: str, on: date) -> DayCount:
    """Returns the convention of a code: ACT/365 (Fixed) of ACT_365F. Raises KeyError where there is none."""
    row = code_table("trade", "day_counts").row(code, on)
    if row is None:
        raise KeyError(f"{code} on {on}")
    return _read(row)
