"""Tables as rows of texts: delimited text, read strictly, and spreadsheets.

A quotation mark that isn't closed in its cell would swallow the rows after it. The row that it stands in is refused
by its line, and reading goes on with the next line.
"""

import csv
import functools
import io
from collections import deque
from collections.abc import Iterator, Sequence
from typing import IO

from chassis.errors import Problem
from cli.importing import spreadsheets
from cli.importing.cells import cleaned
from cli.importing.encodings import MARKED
from cli.importing.entries import Entry, Pieces
from cli.importing.files import (
    DELIMITERS,
    FILE_ENCODING,
    FILE_SHAPE,
    LARGEST_DOCUMENT,
    SPREADSHEET,
    Opened,
    RefusedFile,
)
from cli.importing.mapping import ColumnMapping

# A cell may be as long as a document.
csv.field_size_limit(LARGEST_DOCUMENT)
ROW_MALFORMED = "ROW_MALFORMED"


def pieces(opened: Opened, mapping: ColumnMapping) -> Pieces:
    """Returns a table's columns and its rows, but for empty ones.

    Raises RefusedFile where its bytes are no text, no spreadsheet, or too long for one row.
    """
    read = _spreadsheet if opened.source.kind == SPREADSHEET else _delimited
    columns, entries = read(opened, mapping)
    return Pieces(entries, lambda raws: cut_of(mapping, [columns, *raws]), columns)


def cut_of(mapping: ColumnMapping, records: Sequence[Sequence[str]], line: str = "") -> bytes:
    """Returns a CSV file of these records and then a line as it stands, as the mapping reads it."""
    text = io.StringIO()
    csv.writer(text, delimiter=mapping.delimiter or ",", lineterminator="\n").writerows(records)
    return (text.getvalue() + line).encode(mapping.encoding or MARKED, "replace")


def _spreadsheet(opened: Opened, mapping: ColumnMapping) -> tuple[list[str], Iterator[Entry]]:
    rows = spreadsheets.rows(opened, mapping.sheet)
    columns = next((_columns(cells, mapping) for _, cells, _ in rows if _says_something(cells)), [])
    return columns, _sheet_entries(rows, columns, mapping)


def _sheet_entries(
    rows: Iterator[spreadsheets.SheetRow], columns: Sequence[str], mapping: ColumnMapping
) -> Iterator[Entry]:
    for line, read, told in rows:
        cells = [*read, *[""] * (len(columns) - len(read))]
        while len(cells) > len(columns) and not cells[-1]:
            cells.pop()
        if _says_something(cells) or told:
            yield _entry(line, cells, columns, mapping, told)


def _delimited(opened: Opened, mapping: ColumnMapping) -> tuple[list[str], Iterator[Entry]]:
    lines = _Lines(opened, mapping.encoding or "utf-8")
    reader = _Reader(lines, mapping, mapping.delimiter or DELIMITERS[opened.source.kind])
    columns = _columns(reader.header(), mapping)
    return columns, reader.entries(columns)


def _columns(header: Sequence[str], mapping: ColumnMapping) -> list[str]:
    """Returns the columns' names without blanks around them, but for those that the mapping has with blanks."""
    return [cell if cell in mapping.columns else cell.strip() for cell in header]


def _says_something(cells: Sequence[str]) -> bool:
    return bool("".join(cells).strip())


def _entry(line: int, cells: Sequence[str], columns: Sequence[str], mapping: ColumnMapping, told: str = "") -> Entry:
    cut = functools.partial(cut_of, mapping, [columns, cells])
    if not told and len(cells) != len(columns):
        told = (
            f"The row has {len(cells)} columns, the header {len(columns)}; correct the row, or quote what has the "
            "delimiter in it."
        )
    if told:
        return Entry(line, [], [malformed(told)], cells, cut)
    return Entry(line, [dict(zip(columns, cells, strict=True))], (), cells, cut)


def malformed(told: str) -> Problem:
    """Returns the problem of a row that can't be read."""
    return Problem("", ROW_MALFORMED, told, told)


class _Lines:
    """The lines of a text, of which those of the present record can be given back. Raises RefusedFile."""

    def __init__(self, opened: Opened, encoding: str) -> None:
        self.name, self._encoding = opened.source.name, encoding
        self._text: IO[str] = opened.text(encoding)
        self._again: deque[str] = deque()
        self.taken: list[str] = []
        self.number = 0
        self._size = 0

    def begin(self) -> None:
        """Begins a record with the next line."""
        self.taken, self._size = [], 0

    def give_back(self) -> None:
        """Gives back all lines of the present record but its first, to be read again."""
        self._again.extendleft(reversed(self.taken[1:]))
        self.number -= len(self.taken) - 1

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._read()
        if not line:
            raise StopIteration
        self.number += 1
        self._size += len(line)
        if len(line) > LARGEST_DOCUMENT:
            raise RefusedFile(FILE_SHAPE, f"{self.name}: line {self.number} has more than 3 MiB; it is no table.")
        self.taken.append(line)
        if self._size > LARGEST_DOCUMENT:
            raise csv.Error("a cell has more than 3 MiB")
        return line

    def _read(self) -> str:
        try:
            line = self._text.readline(LARGEST_DOCUMENT + 1)
        except UnicodeError as error:
            told = f"{self.name} is no {self._encoding.removesuffix('-sig')} after line {self.number} ({error})"
            raise RefusedFile(FILE_ENCODING, f"{told}; correct the mapping's encoding.") from error
        return line if self.number else line.removeprefix("\ufeff")


class _Reader:
    """Records of delimited text by RFC 4180; a quotation mark in the middle of a cell is taken as it stands."""

    def __init__(self, lines: _Lines, mapping: ColumnMapping, delimiter: str) -> None:
        self._lines, self._mapping, self._delimiter = lines, mapping, delimiter
        self._reader = csv.reader(lines, delimiter=delimiter, strict=True)

    def header(self) -> list[str]:
        """Returns the first record that says something. Raises RefusedFile if it can't be read."""
        while (cells := self._next()) is not None:
            if _says_something(cells):
                return cells
            if not self._lines.taken:
                return []
        message = f"{self._lines.name}: a quotation mark of the header isn't closed in its cell; close or double it."
        raise RefusedFile(FILE_SHAPE, message)

    def entries(self, columns: Sequence[str]) -> Iterator[Entry]:
        """Yields the rows after the header, but for those that are empty."""
        while True:
            line = self._lines.number + 1
            cells = self._next()
            if not self._lines.taken:
                return
            if cells is None or (len(self._lines.taken) > 1 and self._swallows(len(columns))):
                yield self._unclosed(line, columns)
                self._lines.give_back()
            elif _says_something(cells):
                yield _entry(line, [cleaned(cell) for cell in cells], columns, self._mapping)

    def _next(self) -> list[str] | None:
        """Returns the next record's cells, none at the end; None where a quotation mark isn't closed in its cell."""
        self._lines.begin()
        try:
            return next(self._reader, [])
        except csv.Error:
            return None

    def _swallows(self, width: int) -> bool:
        """Whether the record has in one of its cells a line that looks like a row: it was to end before that."""
        return any(line.count(self._delimiter) == width - 1 for line in self._lines.taken[1:])

    def _unclosed(self, line: int, columns: Sequence[str]) -> Entry:
        told = "A quotation mark opens a cell and isn't closed at its end; close it, or double those within the cell."
        cut = functools.partial(cut_of, self._mapping, [columns], self._lines.taken[0])
        raw = self._lines.taken[0].split(self._delimiter)
        return Entry(line, [], [malformed(told)], [cleaned(cell) for cell in raw], cut)
