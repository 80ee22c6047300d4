"""Finds when a bill is due: by rules that are data (duty_deadlines.csv), on the days of a calendar."""

import datetime
from collections.abc import Callable, Mapping

from services.declarations.customs.code_tables import code_table
from trade import calendars
from trade.calendars import Calendar, Deadline

# Gives the calendar of a name: the packaged one, or another version.
CalendarOf = Callable[[str], Calendar]


def due(term: str, issued: datetime.date, calendar_of: CalendarOf) -> tuple[Deadline, str]:
    """Returns the last day and the rule of a term of duty_deadlines.csv. Raises KeyError where it has none that day.

    SINGLE, issued 2026-09-18: 15 days lead to 2026-10-03, off, so 2026-10-08. Issued 2027-01-25 it is 2027-02-09,
    provisional as long as nobody has published 2027.
    """
    row = code_table("duty_deadlines").row(term, issued)
    if row is None:
        raise KeyError(f"{term} on {issued}")
    return _UNITS[row["unit"]](calendar_of(row["calendar"]), issued, int(row["value"])), row["rule"]


_UNITS: Mapping[str, Callable[[Calendar, datetime.date, int], Deadline]] = {
    "DAYS": calendars.days_after,
    "WORKING_DAY_OF_NEXT_MONTH": calendars.working_day_of_next_month,
}
