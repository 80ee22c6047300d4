"""Rows of a calendar, and all that is wrong with them. Pure.

code,value,english,chinese,source,effective_from,effective_to

`code` is the kind of row: PUBLISHED (whole years, by `source`), WEEKEND (`value` is the day of the week), OFF, WORKED
(a day of a weekend that is made up for one off), ZONE (`value` as Asia/Shanghai) or CUT_OFF (`value` as 17:00). An
empty effective_to is open.
"""

import calendar
import csv
import datetime
import itertools
import zoneinfo
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from chassis.errors import InvalidFields, Problem
from trade.calendars.days import DAY
from trade.calendars.model import Calendar, CutOff, Period, Purpose

COLUMNS = ("code", "value", "english", "chinese", "source", "effective_from", "effective_to")
WEEKDAYS: Mapping[str, int] = {name.upper(): number for number, name in enumerate(calendar.day_name)}


@dataclass(frozen=True, slots=True)
class Row:
    """A row that could be read: where it stands, its kind, value and days."""

    path: str
    code: str
    value: str
    period: Period

    @property
    def kind(self) -> tuple[str, str]:
        """The kind whose rows don't overlap: each day of a weekend is a kind of its own."""
        return self.code, self.value if self.code == "WEEKEND" else ""


def read(name: str, version: int, text: str) -> Calendar:
    """Returns the calendar of a name that a CSV text holds. Raises InvalidFields with all problems."""
    wrong = problems(name, text)
    if wrong:
        raise InvalidFields(wrong)
    rows, _ = _rows(text)
    place, purpose = name.split(".")[:2]
    zones = [zoneinfo.ZoneInfo(row.value) for row in rows if row.code == "ZONE"]
    return Calendar(
        name=name,
        place=place,
        purpose=Purpose[purpose.upper()],
        version=version,
        years=_years(rows),
        weekend=_weekend(rows),
        off=_days(rows, "OFF"),
        worked=_days(rows, "WORKED"),
        zone=zones[0] if zones else None,
        cut_offs=tuple(
            CutOff(row.period, datetime.time.fromisoformat(row.value)) for row in rows if row.code == "CUT_OFF"
        ),
    )


def problems(name: str, text: str) -> list[Problem]:
    """Returns all that is wrong with a calendar's rows; empty if nothing is.

    A calendar of 2018 and 2020 has a hole, CALENDAR_YEARS_MISSING "2019"; one whose row WORKED lies on a Monday has
    CALENDAR_MAKE_UP_DAY_NO_WEEKEND.
    """
    header = next(csv.reader(text.splitlines()), [])
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        return [_problem("rows[0]", "CALENDAR_COLUMNS_MISSING", missing)]
    rows, unreadable = _rows(text)
    return [*_name_problems(name), *unreadable, *(problem for check in _CHECKS for problem in check(name, rows))]


def _rows(text: str) -> tuple[list[Row], list[Problem]]:
    """Returns the rows that can be read, and why the others can't; the first row after the header is rows[1]."""
    rows: list[Row] = []
    wrong: list[Problem] = []
    for number, cells in enumerate(csv.DictReader(text.splitlines(), restval=""), start=1):
        wrong_here = list(_row_problems(f"rows[{number}]", cells))
        wrong += wrong_here
        if not wrong_here:
            rows.append(Row(f"rows[{number}]", cells["code"], cells["value"], _period(cells)))
    return rows, wrong


def _period(cells: Mapping[str, str]) -> Period:
    last = datetime.date.fromisoformat(cells["effective_to"]) if cells["effective_to"] else datetime.date.max
    return Period(datetime.date.fromisoformat(cells["effective_from"]), last)


def _row_problems(path: str, cells: Mapping[str, str]) -> Iterator[Problem]:
    is_right = _VALUES.get(cells["code"])
    if is_right is None:
        yield _problem(f"{path}.code", "CALENDAR_KIND_UNKNOWN", [cells["code"]])
    elif not is_right(cells["value"]):
        yield _problem(f"{path}.value", "CALENDAR_VALUE_INVALID", [cells["value"]])
    try:
        period = _period(cells)
    except ValueError:
        yield _problem(path, "CALENDAR_DATE_INVALID", [cells["effective_from"], cells["effective_to"]])
    else:
        if period.last < period.first:
            yield _problem(path, "CALENDAR_PERIOD_INVERTED", [period.first, period.last])


def _is_zone(value: str) -> bool:
    try:
        zoneinfo.ZoneInfo(value)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return False
    return True


def _is_time(value: str) -> bool:
    try:
        return datetime.time.fromisoformat(value).tzinfo is None
    except ValueError:
        return False


# Whether a value is right, by the kind of row.
_VALUES: Mapping[str, Callable[[str], bool]] = {
    "PUBLISHED": lambda value: not value,
    "OFF": lambda value: not value,
    "WORKED": lambda value: not value,
    "WEEKEND": lambda value: value in WEEKDAYS,
    "ZONE": _is_zone,
    "CUT_OFF": _is_time,
}


def _name_problems(name: str) -> Iterator[Problem]:
    parts = name.split(".")
    if len(parts) < 2 or parts[1].upper() not in Purpose.__members__:
        yield _problem("name", "CALENDAR_NAME_INVALID", [name])


def _years(rows: Sequence[Row]) -> frozenset[int]:
    """Returns the years that are published."""
    periods = [row.period for row in rows if row.code == "PUBLISHED"]
    return frozenset(year for period in periods for year in range(period.first.year, period.last.year + 1))


def _weekend(rows: Sequence[Row]) -> Mapping[int, tuple[Period, ...]]:
    """Returns the periods in which each day of the week is off."""
    weekend: dict[int, tuple[Period, ...]] = {}
    for row in rows:
        if row.code == "WEEKEND":
            weekend[WEEKDAYS[row.value]] = (*weekend.get(WEEKDAYS[row.value], ()), row.period)
    return weekend


def _days(rows: Sequence[Row], code: str) -> frozenset[datetime.date]:
    """Returns the days of a kind of row, those of published years."""
    years = _years(rows)
    periods = [row.period for row in rows if row.code == code and _is_within(row.period, years)]
    return frozenset(
        period.first + number * DAY for period in periods for number in range((period.last - period.first).days + 1)
    )


def _is_within(period: Period, years: frozenset[int]) -> bool:
    return period.first.year in years and period.last.year in years


def _overlaps(_: str, rows: Sequence[Row]) -> Iterator[Problem]:
    """Yields rows of a kind that share a day with an earlier one."""
    ordered = sorted(rows, key=lambda row: (row.kind, row.period.first))
    for before, row in itertools.pairwise(ordered):
        if before.kind == row.kind and row.period.first <= before.period.last:
            yield _problem(row.path, "CALENDAR_ROWS_OVERLAP", [before.path])


def _holes(_: str, rows: Sequence[Row]) -> Iterator[Problem]:
    """Yields years that are no whole ones, or missing between others."""
    for row in rows:
        days = (row.period.first.month, row.period.first.day, row.period.last.month, row.period.last.day)
        if row.code == "PUBLISHED" and days != (1, 1, 12, 31):
            yield _problem(row.path, "CALENDAR_YEAR_INCOMPLETE", [row.period.first, row.period.last])
    years = _years(rows)
    if not years:
        yield _problem("rows", "CALENDAR_YEARS_MISSING", ["PUBLISHED"])
    missing = [year for year in range(min(years, default=0), max(years, default=0)) if year not in years]
    if years and missing:
        yield _problem("rows", "CALENDAR_YEARS_MISSING", missing)


def _unpublished(_: str, rows: Sequence[Row]) -> Iterator[Problem]:
    """Yields days of years that nobody has published."""
    years = _years(rows)
    for row in rows:
        if row.code in ("OFF", "WORKED") and not _is_within(row.period, years):
            yield _problem(row.path, "CALENDAR_DAY_NOT_PUBLISHED", [row.period.first, row.period.last])


def _make_up_days(_: str, rows: Sequence[Row]) -> Iterator[Problem]:
    """Yields make-up days that are off as well, or on no weekend."""
    off, weekend = _days(rows, "OFF"), _weekend(rows)
    for row in rows:
        days = sorted(_days([each for each in rows if each is row or each.code == "PUBLISHED"], "WORKED"))
        for day in days:
            if day in off:
                yield _problem(row.path, "CALENDAR_MAKE_UP_DAY_OFF", [day])
            if not any(period.holds(day) for period in weekend.get(day.weekday(), ())):
                yield _problem(row.path, "CALENDAR_MAKE_UP_DAY_NO_WEEKEND", [day])


def _always_closed(_: str, rows: Sequence[Row]) -> Iterator[Problem]:
    """Yields a weekend that leaves no day: no rule would ever come to its end."""
    if len(_weekend(rows)) == len(WEEKDAYS):
        yield _problem("rows", "CALENDAR_NEVER_OPEN", [])


def _cut_offs(name: str, rows: Sequence[Row]) -> Iterator[Problem]:
    """Yields what a calendar of banking lacks, and a cut-off in no zone."""
    codes = [row.code for row in rows]
    if ".banking" in name and "CUT_OFF" not in codes:
        yield _problem("rows", "CALENDAR_CUT_OFF_MISSING", [])
    if "CUT_OFF" in codes and codes.count("ZONE") != 1:
        yield _problem("rows", "CALENDAR_ZONE_MISSING", [])


_CHECKS: Sequence[Callable[[str, Sequence[Row]], Iterator[Problem]]] = (
    _overlaps,
    _holes,
    _unpublished,
    _make_up_days,
    _always_closed,
    _cut_offs,
)


def _problem(path: str, reason: str, named: Sequence[object]) -> Problem:
    english, chinese = _TEXTS[reason]
    words = ", ".join(str(word) for word in named)
    return Problem(path, reason, english.format(words), chinese.format(words))


_TEXTS: Mapping[str, tuple[str, str]] = {
    "CALENDAR_COLUMNS_MISSING": ("Columns are missing: {}.", "缺少列：{}。"),
    "CALENDAR_NAME_INVALID": (
        "{} is no calendar's name; name place and purpose, as CN.working.",
        "{} 不是日历名称；请写明地点和用途，如 CN.working。",
    ),
    "CALENDAR_KIND_UNKNOWN": ("{} is no kind of row.", "{} 不是有效的行类型。"),
    "CALENDAR_VALUE_INVALID": ("{} is no value of this kind of row.", "{} 不是该类型行的有效值。"),
    "CALENDAR_DATE_INVALID": ("{}: this is no calendar day; correct it.", "{}：日期无效；请更正。"),
    "CALENDAR_PERIOD_INVERTED": ("The period {} ends before it begins.", "期间 {} 的结束早于开始。"),
    "CALENDAR_ROWS_OVERLAP": ("It overlaps with {}; each day has one row of a kind.", "与 {} 重叠；每天每类型仅一行。"),
    "CALENDAR_YEAR_INCOMPLETE": ("{} isn't whole years; publish from 1 January to 31 December.", "{} 不是完整年度。"),
    "CALENDAR_YEARS_MISSING": ("Not published: {}; a calendar has no hole.", "未公布：{}；日历不得缺年。"),
    "CALENDAR_DAY_NOT_PUBLISHED": ("{} lies in a year that isn't published.", "{} 所在年度未公布。"),
    "CALENDAR_MAKE_UP_DAY_OFF": ("{} can't be off and made up.", "{} 不能既放假又补班。"),
    "CALENDAR_MAKE_UP_DAY_NO_WEEKEND": ("{} is no weekend, so nothing is made up.", "{} 不是周末，无须补班。"),
    "CALENDAR_NEVER_OPEN": ("The weekend leaves no open day.", "周末占满一周，没有工作日。"),
    "CALENDAR_CUT_OFF_MISSING": ("A calendar of banking needs a cut-off.", "银行日历须有截止时间。"),
    "CALENDAR_ZONE_MISSING": ("A cut-off needs one time zone.", "截止时间须有且仅有一个时区。"),
}
