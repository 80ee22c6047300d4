"""Tables of rows by code and period: columns, the values of their cells, and what must hold of all rows. Pure."""

import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from itertools import pairwise

from chassis.errors import Problem
from trade.dated_tables.files import File
from trade.dated_tables.problems import problem

DAY = datetime.timedelta(days=1)
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
class Shape:
    """The form of a table: its columns beside code and dates, whose cells are checked, and the checks over all rows.

    `is_absence_a_value`: a day without a row says something too.
    """

    columns: Sequence[str]
    cells: Mapping[str, tuple[IsValid, str]] = field(default_factory=dict)
    checks: Sequence[Check] = ()
    is_absence_a_value: bool = False

    @property
    def header(self) -> Sequence[str]:
        """The names of all columns."""
        return ("code", *self.columns, FIRST, LAST)


def problems(name: str, shape: Shape, file: File) -> list[Problem]:
    """Returns all that is wrong with a file's rows: of a whole file; compared with each other, once each is right."""
    wrong = list(file.problems) or list(_of_header(name, shape, file.header))
    if wrong:
        return wrong
    if not file.rows:
        return [problem("file", "TABLE_EMPTY")]
    wrong = [each for row in file.rows for each in _of_row(shape, file.header, row.line, row.cells)]
    return wrong or [each for check in shape.checks for each in check(lines(file))]


def lines(file: File) -> list[Line]:
    """Returns the rows of a file whose cells are valid, by code, then by the day from which each counts."""
    listed = [_line(row.line, dict(zip(file.header, row.cells, strict=True))) for row in file.rows]
    return sorted(listed, key=lambda line: (line.code, line.first))


def _line(number: int, cells: Mapping[str, str]) -> Line:
    last = datetime.date.fromisoformat(cells[LAST]) if cells[LAST] else datetime.date.max
    first = datetime.date.fromisoformat(cells[FIRST])
    return Line(number=number, code=cells["code"], first=first, last=last, cells=cells)


def _of_header(name: str, shape: Shape, header: Sequence[str]) -> Iterator[Problem]:
    told = {"name": name, "columns": ", ".join(shape.header)}
    for column in dict.fromkeys(header):
        if column not in shape.header:
            yield problem("header", "COLUMN_UNKNOWN", column=column, **told)
        if list(header).count(column) > 1:
            yield problem("header", "COLUMN_TWICE", column=column)
    for column in shape.header:
        if column not in header:
            yield problem("header", "COLUMN_MISSING", column=column)


def _of_row(shape: Shape, header: Sequence[str], number: int, cells: Sequence[str]) -> Iterator[Problem]:
    if len(cells) != len(header):
        yield problem(f"lines[{number}]", "CELLS_MISCOUNTED", cells=len(cells), columns=len(header))
        return
    values = dict(zip(header, cells, strict=True))
    invalid = list(_of_cells(shape, number, values))
    yield from invalid
    if not invalid and values[LAST] and values[LAST] < values[FIRST]:
        yield problem(f"lines[{number}].{LAST}", "PERIOD_BACKWARD", first=values[FIRST], last=values[LAST])


def _of_cells(shape: Shape, number: int, values: Mapping[str, str]) -> Iterator[Problem]:
    for column, (is_valid, expected) in ({**_ALWAYS, **shape.cells}).items():
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
