"""The kinds of dated tables: columns, the values of their cells, and what must hold of all rows together. Pure."""

import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from itertools import pairwise

from chassis import currencies
from chassis.errors import Problem
from trade.dated_tables.files import File
from trade.dated_tables.problems import problem

DAY = datetime.timedelta(days=1)
SATURDAY = 5
FIRST, LAST = "effective_from", "effective_to"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A row whose cells are all valid: where it stands, its code, the days between which it counts, its cells."""

    number: int
    code: str
    first: datetime.date
    last: datetime.date
    cells: Mapping[str, str]

    def path(self, column: str) -> str:
        """Returns the place of a cell: lines[3].value."""
        return f"lines[{self.number}].{column}"


IsValid = Callable[[str], bool]
Check = Callable[[Sequence[Line]], Iterator[Problem]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of table: its columns beside code and dates, whose cells are checked, and the checks over all rows.

    `is_absence_a_value`: a day without a row says something too, as a day that no table of holidays has is no holiday.
    """

    columns: Sequence[str]
    cells: Mapping[str, tuple[IsValid, str]] = field(default_factory=dict)
    checks: Sequence[Check] = ()
    is_absence_a_value: bool = False

    @property
    def header(self) -> Sequence[str]:
        """The names of all columns."""
        return ("code", *self.columns, FIRST, LAST)


def problems(name: str, kind: Kind, file: File) -> list[Problem]:
    """Returns all that is wrong with a file's rows; rows are compared with each other once each is right by itself."""
    wrong = [*file.problems, *_of_header(name, kind, file.header)]
    if wrong:
        return wrong
    if not file.rows:
        return [problem("file", "TABLE_EMPTY")]
    wrong = [each for row in file.rows for each in _of_row(kind, file.header, row.line, row.cells)]
    return wrong or [each for check in kind.checks for each in check(lines(file))]


def lines(file: File) -> list[Line]:
    """Returns the rows of a file whose cells are valid, by code, then by the day from which each counts."""
    listed = [_line(row.line, dict(zip(file.header, row.cells, strict=True))) for row in file.rows]
    return sorted(listed, key=lambda line: (line.code, line.first))


def _line(number: int, cells: Mapping[str, str]) -> Line:
    last = datetime.date.fromisoformat(cells[LAST]) if cells[LAST] else datetime.date.max
    first = datetime.date.fromisoformat(cells[FIRST])
    return Line(number=number, code=cells["code"], first=first, last=last, cells=cells)


def _of_header(name: str, kind: Kind, header: Sequence[str]) -> Iterator[Problem]:
    told = {"name": name, "columns": ", ".join(kind.header)}
    for column in dict.fromkeys(header):
        if column not in kind.header:
            yield problem("header", "COLUMN_UNKNOWN", column=column, **told)
        if list(header).count(column) > 1:
            yield problem("header", "COLUMN_TWICE", column=column)
    for column in kind.header:
        if column not in header:
            yield problem("header", "COLUMN_MISSING", column=column)


def _of_row(kind: Kind, header: Sequence[str], number: int, cells: Sequence[str]) -> Iterator[Problem]:
    if len(cells) != len(header):
        yield problem(f"lines[{number}]", "CELLS_MISCOUNTED", cells=len(cells), columns=len(header))
        return
    values = dict(zip(header, cells, strict=True))
    invalid = list(_of_cells(kind, number, values))
    yield from invalid
    if not invalid and values[LAST] and values[LAST] < values[FIRST]:
        yield problem(f"lines[{number}].{LAST}", "PERIOD_BACKWARD", first=values[FIRST], last=values[LAST])


def _of_cells(kind: Kind, number: int, values: Mapping[str, str]) -> Iterator[Problem]:
    for column, (is_valid, expected) in ({**_ALWAYS, **kind.cells}).items():
        if not is_valid(values[column]):
            said = {"text": values[column], "column": column, "expected": expected}
            yield problem(f"lines[{number}].{column}", "CELL_INVALID", **said)


def is_date(text: str) -> bool:
    """Whether a text is a day such as 2026-11-30; 20261130 is none."""
    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def is_positive(text: str) -> bool:
    """Whether a text is a decimal number above zero: 0.8555 is, 0, -1, NaN and 1e3 aren't."""
    try:
        return text.replace(".", "", 1).isdecimal() and text.isascii() and Decimal(text) > 0
    except InvalidOperation:
        return False


_ALWAYS: Mapping[str, tuple[IsValid, str]] = {
    "code": (lambda text: bool(text.strip()), "code"),
    FIRST: (is_date, "day such as 2026-11-30"),
    LAST: (lambda text: not text or is_date(text), "day such as 2026-11-30, nor empty"),
}


def overlaps(rows: Sequence[Line]) -> Iterator[Problem]:
    """Yields periods of a code that share a day: a code twice, and a make-up day that is a holiday too."""
    for before, after in pairwise(rows):
        if before.code == after.code and after.first <= before.last:
            said = {"code": after.code, "day": after.first, "other": before.number}
            yield problem(after.path(FIRST), "PERIODS_OVERLAP", **said)


def holes(rows: Sequence[Line]) -> Iterator[Problem]:
    """Yields days between two periods of a code on which no row of it counts."""
    for before, after in pairwise(rows):
        if before.code == after.code and after.first - before.last > DAY:
            said = {"code": after.code, "first": before.last + DAY, "last": after.first - DAY, "other": before.number}
            yield problem(after.path(FIRST), "PERIODS_HOLE", **said)


def missing_years(rows: Sequence[Line]) -> Iterator[Problem]:
    """Yields years without a row between the first and the last year that have some."""
    years = {line.first.year for line in rows}
    for year in range(min(years), max(years)):
        if year not in years:
            yield problem("file", "YEAR_MISSING", year=year)


def single_days(rows: Sequence[Line]) -> Iterator[Problem]:
    """Yields rows of a day that count on others, and days worked for a holiday that are no weekend."""
    for line in rows:
        if {line.first.isoformat(), line.last.isoformat()} != {line.code}:
            said = {"code": line.code, "first": line.first, "last": line.last}
            yield problem(line.path(FIRST), "DAY_OFF_PERIOD", **said)
        elif line.cells["kind"] == "WORKING" and line.first.weekday() < SATURDAY:
            yield problem(line.path("kind"), "MAKE_UP_DAY_ON_WEEKDAY", code=line.code)


def is_currency(text: str) -> bool:
    """Whether a text is a currency that is or was paid in."""
    return currencies.kept_digits(text) is not None


def _is_currency_or_default(text: str) -> bool:
    return text == "default" or is_currency(text)


_HOLIDAYS = Kind(
    columns=("kind", "english", "chinese"),
    cells={
        "code": (is_date, "day such as 2026-11-30"),
        "kind": (frozenset({"OFF", "WORKING"}).__contains__, "OFF or WORKING"),
    },
    checks=(overlaps, missing_years, single_days),
    is_absence_a_value=True,
)
_EXCHANGE_RATES = Kind(
    columns=("value", "source"),
    cells={"code": (is_currency, "currency of ISO 4217"), "value": (is_positive, "number above zero")},
    checks=(overlaps, holes),
)
_DAY_COUNT_BASES = Kind(
    columns=("value",),
    cells={
        "code": (_is_currency_or_default, "currency of ISO 4217 or `default`"),
        "value": (frozenset({"360", "365"}).__contains__, "360 or 365"),
    },
    checks=(overlaps, holes),
)

KINDS: Mapping[str, Kind] = {
    "day_count_bases": _DAY_COUNT_BASES,
    "exchange_rates": _EXCHANGE_RATES,
    "holidays": _HOLIDAYS,
}
