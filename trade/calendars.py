"""Days in China, and which of them are worked, by the holidays and make-up days of data/holidays.csv."""

import datetime

from chassis import clock
from chassis.codetables import code_table

# China keeps one time all year.
CHINA = datetime.timezone(datetime.timedelta(hours=8))
SATURDAY = 5
DAY = datetime.timedelta(days=1)


def day_in_china(time_us: int) -> datetime.date:
    """Returns the day in China of an instant that a document or a row bears: 16:00 UTC on 1 March is 2 March.

    Never the day on which something is done: that is the business date of a transaction or a reading.
    """
    return clock.day(time_us, CHINA)


def is_working(day: datetime.date) -> bool:
    """Returns whether China works on a day: no weekend and no holiday, or a weekend day made up for a holiday.

    2026-10-01 (Thursday, National Day): False. 2026-11-30 (Monday): True.
    """
    row = code_table("trade", "holidays").row(day.isoformat(), day)
    return row["kind"] == "WORKING" if row else day.weekday() < SATURDAY


def following(day: datetime.date) -> datetime.date:
    """Returns the day if it is worked, otherwise the next working day: Monday 2026-11-30 for Saturday 2026-11-28."""
    while not is_working(day):
        day += DAY
    return day


def next_working(day: datetime.date) -> datetime.date:
    """Returns the first working day after a day: Monday 2026-11-30 after Friday 2026-11-27."""
    return following(day + DAY)


def working_day_of_next_month(day: datetime.date, count: int) -> datetime.date:
    """Returns the working day with this number in the month after a day's: for November 2026 and 5 it is 7 December."""
    last = (day.replace(day=1) + 32 * DAY).replace(day=1) - DAY
    for _ in range(count):
        last = next_working(last)
    return last
