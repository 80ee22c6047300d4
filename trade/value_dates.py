"""The latest day from which money may count."""

import datetime

from chassis.errors import Problem
from trade import calendars

# The working days of the place where money is booked.
CALENDAR = "CN.working"


def latest(calendar: calendars.Calendar, today: datetime.date) -> datetime.date:
    """Returns the latest value date on a business date, the next working day: 2026-11-30 on Friday 2026-11-27."""
    return calendars.working_days_after(calendar, today, 1).date


def late(path: str, value_date: datetime.date, today: datetime.date, calendar: calendars.Calendar) -> list[Problem]:
    """Returns why a value date is too late on a business date: after the next working day. Empty if it isn't.

    On Friday 2026-11-27: Monday 2026-11-30 is taken, 2026-12-01 is too late.
    """
    last = latest(calendar, today)
    if value_date <= last:
        return []
    english = f"{value_date} is too late; the latest value date today is {last}."
    return [Problem(path, "VALUE_DATE_TOO_LATE", english, f"起息日 {value_date} 过晚，今日最晚为 {last}。")]
