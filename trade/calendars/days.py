"""Days of instants in China, and days of other months."""

import calendar
import datetime

from chassis import clock

# China keeps one time all year.
CHINA = datetime.timezone(datetime.timedelta(hours=8))
DAY = datetime.timedelta(days=1)
MONTHS_OF_YEAR = 12


def day_in_china(time_us: int) -> datetime.date:
    """Returns the day in China of an instant that a document or a row bears: 16:00 UTC on 1 March is 2 March.

    Never the day on which something is done: that is the business date of a transaction or a reading.
    """
    return clock.day(time_us, CHINA)


def months_after(day: datetime.date, months: int, *, is_end_of_month: bool = False) -> datetime.date:
    """Returns the day of another month, or its last: a month after 2026-01-31 is 2026-02-28.

    Where a month's end stays one, a month after 2026-02-28 is 2026-03-31.
    """
    year, month = divmod(day.year * MONTHS_OF_YEAR + day.month - 1 + months, MONTHS_OF_YEAR)
    last = calendar.monthrange(year, month + 1)[1]
    stays_last = is_end_of_month and day.day == calendar.monthrange(day.year, day.month)[1]
    return datetime.date(year, month + 1, last if stays_last else min(day.day, last))
