"""Working days in China, by the holidays and make-up days of data/holidays.csv."""

import datetime

from chassis.codetables import code_table

SATURDAY = 5
DAY = datetime.timedelta(days=1)


def is_working(day: datetime.date) -> bool:
    """Returns whether China works on a day: no weekend and no holiday, or a weekend day made up for a holiday.

    2026-10-01 (Thursday, National Day): False. 2026-11-30 (Monday): True.
    """
    row = code_table("trade", "holidays").row(day.isoformat(), day)
    return row["kind"] == "WORKING" if row else day.weekday() < SATURDAY


def next_working(day: datetime.date) -> datetime.date:
    """Returns the first working day after a day: Monday 2026-11-30 after Friday 2026-11-27."""
    following = day + DAY
    while not is_working(following):
        following += DAY
    return following
