"""Periods of whole months, counted from a contract's first day, each charged whole once it is begun."""

import datetime
from typing import NamedTuple

from trade.calendars import months_after


class Period(NamedTuple):
    """Days from `start` to before `end`."""

    start: datetime.date
    end: datetime.date

    @property
    def days(self) -> int:
        """Returns the days of the period: from 2026-03-10 to 2026-06-10 they are 92."""
        return (self.end - self.start).days


def begun(start: datetime.date, end: datetime.date, months: int) -> list[Period]:
    """Returns the periods of so many months that begin before the end; the last one ends with it.

    They are counted from the first day, so that a short month shortens no later period. From 2026-03-10 to 2026-10-15
    by three months: to 2026-06-10, to 2026-09-10 and to 2026-10-15.
    """
    periods: list[Period] = []
    first = start
    while first < end:
        following = months_after(start, months * (len(periods) + 1))
        periods.append(Period(first, min(following, end)))
        first = following
    return periods


def running_and_later(periods: list[Period], day: datetime.date) -> list[Period]:
    """Returns the periods that aren't over on a day: on 2026-07-01 the second and third of the three above."""
    return [period for period in periods if period.end > day]
