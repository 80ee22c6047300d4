"""`aval export`: declarations as a CSV or XLSX file, page by page, in constant memory.

The file appears under its name once it is whole. A spreadsheet gets text for text, numbers for numbers
and days for days; numbers of more digits and days of earlier years than a spreadsheet keeps stay text.
"""

import contextlib
import datetime
import os
import pathlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, Protocol

import xlsxwriter
from aval.declarations.v1 import insight_pb2

from chassis import rpc
from chassis.client import AssertingClient
from cli import local
from cli.layout import Layout
from services.declarations.insight.export.model import AMOUNTS, DAYS, NUMBERS, cells, heads, to_csv

PAGE = 500
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# What a spreadsheet keeps of a number, and how many rows a sheet has.
SPREADSHEET_DIGITS = 15
SPREADSHEET_ROWS = 1_048_576
SPREADSHEET_YEARS_FROM = 1900
Line = insight_pb2.ExportedLine
Progress = Callable[[int], None]


class Writer(Protocol):
    """A file that takes rows."""

    def add(self, row: insight_pb2.ExportedLine) -> None:
        """Adds a row."""
        ...


class CsvFile:
    """RFC 4180, UTF-8; with a byte-order mark for spreadsheets that ask for one."""

    def __init__(self, file: Any, with_mark: bool, language: str) -> None:
        self._file = file
        file.write((BYTE_ORDER_MARK if with_mark else b"") + to_csv([], heads(language)))

    def add(self, row: insight_pb2.ExportedLine) -> None:
        """Adds a row."""
        self._file.write(to_csv([row]))


class Workbook:
    """A workbook whose rows go to disk one by one; a full sheet is followed by another."""

    def __init__(self, book: Any, language: str) -> None:
        self._book, self._heads = book, heads(language)
        self._places: dict[int, Any] = {}
        self._days = book.add_format({"num_format": "yyyy-mm-dd"})
        self._begin_sheet()

    def _begin_sheet(self) -> None:
        self._sheet, self._row = self._book.add_worksheet(), 1
        self._sheet.freeze_panes(1, 0)
        for column, head in enumerate(self._heads):
            self._sheet.write_string(0, column, head)

    def add(self, row: insight_pb2.ExportedLine) -> None:
        """Adds a row."""
        if self._row == SPREADSHEET_ROWS:
            self._begin_sheet()
        for column, (head, text) in enumerate(cells(row).items()):
            self._write(column, head, text)
        self._row += 1

    def _write(self, column: int, head: str, text: str) -> None:
        if not text:
            return
        if head in DAYS and int(text[:4]) >= SPREADSHEET_YEARS_FROM:
            self._sheet.write_datetime(self._row, column, datetime.date.fromisoformat(text), self._days)
        elif head in NUMBERS and len(text.replace(".", "")) <= SPREADSHEET_DIGITS:
            self._sheet.write_number(self._row, column, float(text), self._amount(text) if head in AMOUNTS else None)
        else:
            # As a string, which is never taken for a formula.
            self._sheet.write_string(self._row, column, text)

    def _amount(self, text: str) -> Any:
        """Returns the format that shows an amount with the decimals of its currency."""
        places = len(text.partition(".")[2])
        if places not in self._places:
            self._places[places] = self._book.add_format({"num_format": f"{0:.{places}f}"})
        return self._places[places]


@contextlib.contextmanager
def _csv(path: pathlib.Path, with_mark: bool, language: str) -> Iterator[Writer]:
    with path.open("wb") as file:
        yield CsvFile(file, with_mark, language)


@contextlib.contextmanager
def _xlsx(path: pathlib.Path, _with_mark: bool, language: str) -> Iterator[Writer]:
    with xlsxwriter.Workbook(str(path), {"constant_memory": True}) as book:
        yield Workbook(book, language)


FORMATS = {"csv": _csv, "xlsx": _xlsx}


class UnknownEnding(Exception):
    """The file's name doesn't say its format; the text says which endings do."""


def form_of(path: pathlib.Path) -> str:
    """Returns the format that the ending of a file's name says. Example: out.XLSX is "xlsx". Raises UnknownEnding."""
    form = path.suffix.lower().removeprefix(".")
    if form not in FORMATS:
        endings = " or ".join(f".{name}" for name in FORMATS)
        raise UnknownEnding(f"{path}: the name must end in {endings}, or give --format")
    return form


def request_of(
    enterprise: str = "",
    trade_modes: Sequence[str] = (),
    countries: Sequence[str] = (),
    chapters: Sequence[str] = (),
    commodities: Sequence[str] = (),
    search: str = "",
    statuses: Sequence[str] = (),
    direction: str | None = None,
    first: datetime.date | None = None,
    last: datetime.date | None = None,
) -> insight_pb2.ExportDeclarationsRequest:
    """Returns the request for the declarations that the options pick."""
    wanted = insight_pb2.DeclarationFilter(
        enterprise=enterprise,
        trade_modes=trade_modes,
        destination_countries=countries,
        chapters=chapters,
        commodity_prefixes=commodities,
        search_text=search,
        statuses=statuses,
    )
    wanted.MergeFrom(insight_pb2.DeclarationFilter(direction=direction))
    for field, day in (("from_date", first), ("to_date", last)):
        if day:
            getattr(wanted, field).CopyFrom(rpc.date(day))
    return insight_pb2.ExportDeclarationsRequest(filter=wanted)


async def export(
    layout: Layout,
    path: pathlib.Path,
    form: str,
    request: insight_pb2.ExportDeclarationsRequest,
    progress: Progress,
    with_mark: bool = False,
    language: str = "en",
) -> dict[str, Any]:
    """Writes the file; `progress` is told how many declarations were written so far."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        async with local.declarations(layout) as client:
            with FORMATS[form](partial, with_mark, language) as file:
                declarations, lines = await _write(client, request, file, progress)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return {"ok": True, "file": str(path), "declarations": declarations, "lines": lines}


async def _write(
    client: AssertingClient, request: insight_pb2.ExportDeclarationsRequest, file: Writer, progress: Progress
) -> tuple[int, int]:
    """Writes the file. Returns how many declarations and lines were written."""
    declarations = lines = 0
    async for page in _pages(client, request):
        for row in page.lines:
            file.add(row)
        declarations, lines = declarations + page.declarations, lines + len(page.lines)
        progress(declarations)
    return declarations, lines


async def _pages(
    client: AssertingClient, request: insight_pb2.ExportDeclarationsRequest
) -> AsyncIterator[insight_pb2.ExportDeclarationsResponse]:
    request.page_size = PAGE
    while True:
        page = await client.call("declarations", "ExportDeclarations", request, local.WINDOW)
        yield page
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token
