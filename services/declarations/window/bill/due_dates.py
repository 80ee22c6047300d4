"""Finds when a bill is due: by rules that are data (duty_deadlines.csv), on working days."""

import datetime
from collections.abc import Callable, Mapping

from services.declarations.customs.code_tables import code_table
from trade import calendars


def due(term: str, issued: datetime.date) -> tuple[datetime.date, str]:
    """Returns the last day and the rule of a term of duty_deadlines.csv. Raises KeyError where it has none that day."""
    row = code_table("duty_deadlines").row(term, issued)
    if row is None:
        raise KeyError(f"{term} on {issued}")
    return _UNITS[row["unit"]](issued, int(row["value"])), row["rule"]


def _days(issued: datetime.date, count: int) -> datetime.date:
    """Returns the day so many days later; a last day off moves to the next working day."""
    return calendars.following(issued + count * calendars.DAY)


_UNITS: Mapping[str, Callable[[datetime.date, int], datetime.date]] = {
    "DAYS": _days,
    "WORKING_DAY_OF_NEXT_MONTH": calendars.working_day_of_next_month,
}
