"""The latest day from which money may count."""

import datetime

from chassis.errors import Problem
from trade import calendars


def late(path: str, value_date: datetime.date, today: datetime.date) -> list[Problem]:
    """Returns why a value date is too late on a business date: after the next working day. Empty if it isn't.

    On Friday 2026-11-27: Monday 2026-11-30 is taken, 2026-12-01 is too late.
    """
    latest = calendars.next_working(today)
    if value_date <= latest:
        return []
    english = f"{value_date} is too late; the latest value date today is {latest}."
    return [Problem(path, "VALUE_DATE_TOO_LATE", english, f"起息日 {value_date} 过晚，今日最晚为 {latest}。")]
