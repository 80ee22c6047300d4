"""Days of instants in China."""

import datetime

from chassis import clock

# China keeps one time all year.
CHINA = datetime.timezone(datetime.timedelta(hours=8))
DAY = datetime.timedelta(days=1)


def day_in_china(time_us: int) -> datetime.date:
    """Returns the day in China of an instant that a document or a row bears: 16:00 UTC on 1 March is 2 March.

    Never the day on which something is done: that is the business date of a transaction or a reading.
    """
    return clock.day(time_us, CHINA)
