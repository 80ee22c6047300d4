"""Rules that give dates on calendars. Pure.

"From" and "after" a date exclude it (UCP 600 article 3; in a period of shipment "from" includes it, and no rule here is
for that). The examples are of China's working days: 2026-09-25 to 27 and 10-01 to 10-07 are off, Saturday 2026-10-10 is
worked.
"""

import datetime
from collections.abc import Callable

from trade.calendars.days import DAY
from trade.calendars.deadlines import RULES, Deadline, Looking, Rule, rule

ISDA = "ISDA Definitions, business day conventions"
NEXT_MONTH = datetime.timedelta(days=32)


def _open(days: Looking, day: datetime.date, step: datetime.timedelta) -> datetime.date:
    """Returns the day if it is open, otherwise the first open day in steps from it."""
    while not days.is_open(day):
        day += step
    return day


def _open_in_month(days: Looking, day: datetime.date, step: datetime.timedelta) -> datetime.date:
    """Returns the first open day in steps, or against them where the month has none in that direction."""
    tried = day
    while tried.month == day.month:
        if days.is_open(tried):
            return tried
        tried += step
    return _open(days, day, -step)


def _month_after(day: datetime.date) -> datetime.date:
    """Returns the first day of the next month: 2026-11-01 for 2026-10-10."""
    return (day.replace(day=1) + NEXT_MONTH).replace(day=1)


def _counted(days: Looking, day: datetime.date, count: int) -> datetime.date:
    """Returns the open day with this number after a day."""
    for _ in range(count):
        day = _open(days, day + DAY, DAY)
    return day


def _numbered(days: Looking, first: datetime.date, count: int) -> datetime.date:
    """Returns the open day with this number in the month of a first day. Raises ValueError where it has fewer."""
    day = _counted(days, first - DAY, count)
    if count < 1 or day >= _month_after(first):
        raise ValueError(f"{first:%Y-%m} has no working day number {count}")
    return day


@rule(f"{ISDA}: no adjustment")
def unadjusted(days: Looking, day: datetime.date) -> datetime.date:  # noqa: ARG001
    """Returns the day itself, open or not: 2026-10-01 stays."""
    return day


@rule(f"{ISDA}: following")
def following(days: Looking, day: datetime.date) -> datetime.date:
    """Returns the day if it is open, otherwise the next open day: 2026-10-08 for 2026-10-01."""
    return _open(days, day, DAY)


@rule(f"{ISDA}: modified following")
def modified_following(days: Looking, day: datetime.date) -> datetime.date:
    """Returns the following open day, but the one before where that lies in another month.

    2026-10-08 for 2026-10-01; 2026-05-29 for Sunday 2026-05-31.
    """
    return _open_in_month(days, day, DAY)


@rule(f"{ISDA}: preceding")
def preceding(days: Looking, day: datetime.date) -> datetime.date:
    """Returns the day if it is open, otherwise the open day before it: 2026-09-30 for 2026-10-01."""
    return _open(days, day, -DAY)


@rule(f"{ISDA}: preceding, kept in its month as the modified following convention keeps a day")
def modified_preceding(days: Looking, day: datetime.date) -> datetime.date:
    """Returns the preceding open day, but the one after where that lies in another month.

    2026-09-24 for 2026-09-25; 2026-10-08 for 2026-10-01.
    """
    return _open_in_month(days, day, -DAY)


@rule("Market convention of the month's end: the last day of the month, kept in it")
def end_of_month(days: Looking, day: datetime.date) -> datetime.date:
    """Returns the last open day of a day's month: Friday 2026-05-29 for any day of May 2026."""
    return _open(days, _month_after(day) - DAY, -DAY)


@rule("UCP 600 articles 3 and 29(a); Civil Code of China, articles 201 and 203")
def days_after(days: Looking, day: datetime.date, count: int) -> datetime.date:
    """Returns the day so many calendar days after (or from) a day; a closed last day moves on.

    90 days after 2026-07-03 lead to 2026-10-01, closed: 2026-10-08. 60 days from it: 2026-09-01.
    """
    return _open(days, day + count * DAY, DAY)


@rule("UCP 600 article 14(b): banking days following the day of presentation")
def working_days_after(days: Looking, day: datetime.date, count: int) -> datetime.date:
    """Returns the open day with this number after a day, which isn't counted itself; it may be closed.

    5 after 2026-10-12: 2026-10-19. 1 after Friday 2026-10-09: Saturday 2026-10-10, which is worked. Raises ValueError
    for a count below 1.
    """
    if count < 1:
        raise ValueError(f"{count} working days after {day}")
    return _counted(days, day, count)


@rule("GACC on consolidated payment of duties: a working day of the month by its number")
def working_day_of_month(days: Looking, day: datetime.date, count: int) -> datetime.date:
    """Returns the open day with this number in a day's month: the 3rd of October 2026 is 2026-10-10.

    Raises ValueError where the month has fewer.
    """
    return _numbered(days, day.replace(day=1), count)


@rule("GACC on consolidated payment of duties: by the fifth working day of the next month")
def working_day_of_next_month(days: Looking, day: datetime.date, count: int) -> datetime.date:
    """Returns the open day with this number in the month after a day's: for November 2026 and 5 it is 2026-12-07.

    Raises ValueError where the month has fewer.
    """
    return _numbered(days, _month_after(day), count)


@rule("UCP 600 article 33: no presentation has to be accepted outside banking hours")
def presentation_day(days: Looking, received_us: int) -> datetime.date:
    """Returns the day on which something counts as presented: after the cut-off, or on a closed day, the next open one.

    Received on 2026-09-24 at 17:20 in Zhengzhou, where the counter closes at 17:00: 2026-09-28. Raises LookupError
    where the calendar has no zone or no cut-off.
    """
    local = days.days.local(received_us)
    is_late = local.time() > days.days.cut_off(local.date())
    return _open(days, local.date() + DAY if is_late else local.date(), DAY)


def earlier_of(*deadlines: Deadline) -> Deadline:
    """Returns the earliest of deadlines: of 2026-09-28 (21 days after shipment) and 2026-10-20 (expiry) the first.

    It is provisional where any of them is, since each could move before the others.
    """
    return _combined("earlier_of", min, deadlines)


def later_of(*deadlines: Deadline) -> Deadline:
    """Returns the latest of deadlines: of 2026-09-28 and 2026-10-20 the second. Provisional where any of them is."""
    return _combined("later_of", max, deadlines)


def _combined(name: str, choose: Callable[..., datetime.date], deadlines: tuple[Deadline, ...]) -> Deadline:
    versions = dict.fromkeys(version for deadline in deadlines for version in deadline.calendars)
    return Deadline(
        date=choose(deadline.date for deadline in deadlines),
        rule=name,
        inputs={"deadlines": deadlines},
        calendars=tuple(versions),
        is_provisional=any(deadline.is_provisional for deadline in deadlines),
    )


_CONTRACT = "The contract that has both: UCP 600 article 14(c), 21 days after shipment and never after expiry"
RULES.update(
    earlier_of=Rule("earlier_of", _CONTRACT, earlier_of),
    later_of=Rule("later_of", _CONTRACT, later_of),
)
