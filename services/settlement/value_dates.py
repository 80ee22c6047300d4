"""The bounds of a value date: not after the next working day, and not further back than the institution's limit."""

import datetime

from chassis.codetables import code_table
from chassis.errors import Problem
from trade import value_dates as trade_value_dates
from trade.calendars import Calendar

PACKAGE = "services.settlement"


def problems(
    path: str, value_date: datetime.date, bank: str, today: datetime.date, calendar: Calendar
) -> list[Problem]:
    """Returns why a bank's payment may not count from a value date, on a business date; empty if it may.

    On Friday 2026-11-27, with ten days back: 2026-11-17 to Monday 2026-11-30 are taken, 2026-12-01 is too late.
    """
    earliest = _earliest(bank, today)
    if value_date < earliest:
        english = f"{value_date} is too early; the earliest value date today is {earliest}."
        return [Problem(path, "VALUE_DATE_TOO_EARLY", english, f"起息日 {value_date} 过早，今日最早为 {earliest}。")]
    return trade_value_dates.late(path, value_date, today, calendar)


def _earliest(bank: str, today: datetime.date) -> datetime.date:
    limits = code_table(PACKAGE, "value_date_limits")
    row = limits.row(bank, today) or limits.row("default", today)
    assert row is not None, "the table has no default"
    return today - datetime.timedelta(days=int(row["days_back"]))
