"""Which days that have passed a new version of a table would change. Pure."""

import datetime
from collections.abc import Iterator, Mapping, Sequence

from trade.calendars import DAY, Calendar
from trade.dated_tables.shapes import FIRST, LAST, Line, Shape


def past_changes(
    shape: Shape, before: Sequence[Line], after: Sequence[Line], today: datetime.date
) -> list[tuple[str, datetime.date]]:
    """Returns each code whose rows differ on days before today, with the first such day.

    A rate of 7.1 from 1 November that becomes 7.2 from 15 November: on the 20th that is (USD, 2026-11-15). A period
    that goes on, or ends from today on, changes nothing.
    """
    old, new = _by_code(before), _by_code(after)
    changes = []
    for code in sorted({*old, *new}):
        differing = _differing(shape, old.get(code, ()), new.get(code, ()), today)
        changes += [(code, day) for day in differing]
    return changes


def _differing(
    shape: Shape, before: Sequence[Line], after: Sequence[Line], today: datetime.date
) -> Sequence[datetime.date]:
    """Returns the first day before today on which a code's rows differ; nothing where there is none."""
    for day in _changing_days([*before, *after], today):
        old, new = _on(before, day), _on(after, day)
        if old != new and (old is not None or shape.is_absence_a_value):
            return [day]
    return []


def _changing_days(lines: Sequence[Line], today: datetime.date) -> Iterator[datetime.date]:
    """Yields the days before today from which a period counts, or doesn't any more; between them nothing changes."""
    begun = {line.first for line in lines}
    ended = {line.last + DAY for line in lines if line.last < datetime.date.max}
    return (day for day in sorted(begun | ended) if day < today)


def _on(lines: Sequence[Line], day: datetime.date) -> Mapping[str, str] | None:
    """Returns the cells of the row that counts on a day, without its dates."""
    for line in lines:
        if line.first <= day <= line.last:
            return {column: text for column, text in line.cells.items() if column not in (FIRST, LAST)}
    return None


def _by_code(lines: Sequence[Line]) -> dict[str, list[Line]]:
    by_code: dict[str, list[Line]] = {}
    for line in lines:
        by_code.setdefault(line.code, []).append(line)
    return by_code


def of_calendar(before: Calendar, after: Calendar, today: datetime.date) -> list[tuple[str, datetime.date]]:
    """Returns the first day before today that two versions of a calendar have otherwise, as OPEN; of the time up to
    which something counts on a day, as CUT_OFF. Years that the first one doesn't publish are left out.
    """
    years = sorted(year for year in before.years if year <= today.year)
    days = [day for year in years for day in _days_of(year) if day < today]
    pairs = (("OPEN", Calendar.on), ("CUT_OFF", _cut_off))
    first = [(code, next((day for day in days if say(before, day) != say(after, day)), None)) for code, say in pairs]
    return [(code, day) for code, day in first if day is not None]


def _days_of(year: int) -> Iterator[datetime.date]:
    first = datetime.date(year, 1, 1)
    return (first + number * DAY for number in range((first.replace(year=year + 1) - first).days))


def _cut_off(calendar: Calendar, day: datetime.date) -> object:
    """Returns the time and zone up to which something counts on a day; None where a calendar has none."""
    times = [cut_off.time for cut_off in calendar.cut_offs if cut_off.period.holds(day)]
    return (calendar.zone, times) if times else None
