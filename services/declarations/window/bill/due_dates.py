"""When a bill is due: by rules that are data (duty_deadlines.csv), on working days."""

import datetime
from collections.abc import Callable, Mapping

from services.declarations.customs.code_tables import code_table
from trade.calendars import DAY, is_working


def due(term: str, issued: datetime.date) -> tuple[datetime.date, str]:
    """(last day, the rule) of a term of duty_deadlines.csv. KeyError where the table has none for the day."""
    row = code_table("duty_deadlines").row(term, issued)
    if row is None:
        raise KeyError(f"{term} on {issued}")
    return _UNITS[row["unit"]](issued, int(row["value"])), row["rule"]


def _days(issued: datetime.date, count: int) -> datetime.date:
    """So many days later; a last day off moves to the next working day."""
    last = issued + count * DAY
    while not is_working(last):
        last += DAY
    return last


def _working_day_of_next_month(issued: datetime.date, count: int) -> datetime.date:
    day = (issued.replace(day=1) + 32 * DAY).replace(day=1)
    while True:
        count -= is_working(day)
        if count == 0:
            return day
        day += DAY


_UNITS: Mapping[str, Callable[[datetime.date, int], datetime.date]] = {
    "DAYS": _days,
    "WORKING_DAY_OF_NEXT_MONTH": _working_day_of_next_month,
}
