"""Sheets of .xlsx files (ECMA-376) row by row: numbers as decimals, days as days, in little memory whatever the file.

A hostile file is bounded by what one row may take, not by what the file says of itself.
"""

import contextlib
import posixpath
import re
import zipfile
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from lxml import etree
from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format
from openpyxl.utils.datetime import MAC_EPOCH, WINDOWS_EPOCH, from_excel

from cli.importing.cells import Moment, cleaned, spreadsheet_number
from cli.importing.files import FILE_DAMAGED, FILE_SHAPE, FILE_TOO_LARGE, Opened, RefusedFile, named

WORKBOOK = "xl/workbook.xml"
RELATIONS = "xl/_rels/workbook.xml.rels"
STYLES = "xl/styles.xml"
STRINGS = "xl/sharedStrings.xml"
MOST_ROW_BYTES = 2 * 1024 * 1024
MOST_STRINGS_BYTES = 32 * 1024 * 1024
MOST_COLUMNS = 16_384
# A day or time by its number alone, in the formats of Chinese, Japanese and Korean spreadsheets (ECMA-376 18.8.30).
EASTERN_DATES = frozenset((*range(27, 37), *range(50, 59)))
DATE, PERCENT, PLAIN = "date", "percent", ""
_QUOTED = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]')
_REFERENCE = re.compile(r"([A-Z]{1,3})[0-9]+")
# A row's number, its cells, and what can't be read in them.
SheetRow = tuple[int, list[str], str]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet by its name and the part that has its rows."""

    name: str
    part: str
    is_hidden: bool


@dataclass(frozen=True, slots=True)
class _Book:
    """Tables that cells refer to: texts by index, kinds of number by the cells' styles, the day before day 1."""

    strings: Sequence[str]
    kinds: Sequence[str]
    epoch: Any


def rows(opened: Opened, sheet: str) -> Iterator[SheetRow]:
    """Yields the rows of the sheet of this name, or of the only visible one that has any. Raises RefusedFile."""
    with named(opened.source), _readable(opened):
        archive = _archive(opened)
        sheets, epoch = _workbook(archive)
        chosen = _chosen(opened, archive, sheets, sheet)
        book = _Book(_strings(archive, opened), _kinds(archive), epoch)
        yield from _rows(archive, chosen, book)


@contextlib.contextmanager
def _readable(opened: Opened) -> Iterator[None]:
    """Turns what is wrong with the file's parts into RefusedFile with its name."""
    try:
        yield
    except (etree.LxmlError, KeyError, ValueError, IndexError, OverflowError) as error:
        raise RefusedFile(FILE_DAMAGED, f"{opened.source.name} is damaged ({error}); save it again.") from error
    except _TooLong as error:
        message = f"{opened.source.name} has a row or a part that is larger than any table's; save it as .csv."
        raise RefusedFile(FILE_TOO_LARGE, message) from error


class _TooLong(Exception):
    """More of a part than may be read at once."""


def _archive(opened: Opened) -> zipfile.ZipFile:
    """Opens the spreadsheet. Raises RefusedFile where it is none of this kind."""
    try:
        return zipfile.ZipFile(opened.seekable())
    except zipfile.BadZipFile as error:
        message = f"{opened.source.name} is no .xlsx, cut off, or locked by a password; save it as .xlsx again."
        raise RefusedFile(FILE_DAMAGED, message) from error


class _Bounded:
    """A part's bytes, of which only so many may be read until `begin` is called."""

    def __init__(self, part: IO[bytes], most: int) -> None:
        self._part, self._most, self._read = part, most, 0

    def begin(self) -> None:
        """Begins to count anew: what was read so far is done with."""
        self._read = 0

    def read(self, size: int = -1) -> bytes:
        """Returns the next bytes. Raises _TooLong."""
        chunk = self._part.read(size)
        self._read += len(chunk)
        if self._read > self._most:
            raise _TooLong
        return chunk


def _elements(archive: zipfile.ZipFile, part: str, tags: Sequence[str], most: int) -> Generator[Any, None, None]:
    """Yields a part's elements of these local names as they end; each outermost one is forgotten after its turn."""
    with archive.open(part) as opened:
        bounded = _Bounded(opened, most)
        parsed = etree.iterparse(
            bounded, tag=[f"{{*}}{tag}" for tag in tags], load_dtd=False, no_network=True, resolve_entities=False
        )
        for _, element in parsed:
            yield element
            if _local(element) == tags[0]:
                _forget(element)
                bounded.begin()


def _forget(element: Any) -> None:
    element.clear()
    while element.getprevious() is not None:
        del element.getparent()[0]


def _local(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _workbook(archive: zipfile.ZipFile) -> tuple[list[Sheet], Any]:
    """Returns the sheets in their order, and the day from which the workbook counts days."""
    targets = {
        entry.get("Id"): posixpath.normpath(posixpath.join("/xl", entry.get("Target", ""))).lstrip("/")
        for entry in _whole(archive, RELATIONS, "Relationship")
        if entry.get("Type", "").endswith("/worksheet")
    }
    sheets = [
        Sheet(entry.get("name", ""), targets[relation], entry.get("state", "visible") != "visible")
        for entry in _whole(archive, WORKBOOK, "sheet")
        if (relation := _relation(entry)) in targets
    ]
    properties = _whole(archive, WORKBOOK, "workbookPr")
    is_mac = any(entry.get("date1904") in ("1", "true") for entry in properties)
    return sheets, MAC_EPOCH if is_mac else WINDOWS_EPOCH


def _whole(archive: zipfile.ZipFile, part: str, tag: str) -> list[Any]:
    """Returns the elements of this local name of a small part."""
    with archive.open(part) as opened:
        bounded: Any = _Bounded(opened, MOST_ROW_BYTES)
        parser = etree.XMLParser(load_dtd=False, no_network=True, resolve_entities=False)
        return list(etree.parse(bounded, parser).iter(f"{{*}}{tag}"))


def _relation(element: Any) -> str:
    """Returns the id by which an element names a part, whether its namespace is of the strict or transitional form."""
    return next((str(value) for name, value in element.attrib.items() if name.endswith("/relationships}id")), "")


def _chosen(opened: Opened, archive: zipfile.ZipFile, sheets: Sequence[Sheet], name: str) -> Sheet:
    """Returns the sheet that is meant. Raises RefusedFile where there is none, or where it isn't clear which."""
    names = ", ".join(repr(sheet.name) for sheet in sheets)
    if name:
        fitting = [sheet for sheet in sheets if sheet.name == name]
        told = f"{opened.source.name} has no sheet {name!r}; it has {names}."
    else:
        visible = [sheet for sheet in sheets if not sheet.is_hidden]
        fitting = visible if len(visible) < 2 else [sheet for sheet in visible if _has_rows(archive, sheet)]
        names = ", ".join(repr(sheet.name) for sheet in fitting)
        told = f"{opened.source.name} has several sheets ({names}); name one in the mapping, under [file]: sheet."
        told = told if fitting else f"{opened.source.name} has no visible sheet with rows."
    if len(fitting) != 1:
        raise RefusedFile(FILE_SHAPE, told)
    return fitting[0]


def _has_rows(archive: zipfile.ZipFile, sheet: Sheet) -> bool:
    elements = _elements(archive, sheet.part, ("row", "v", "is"), MOST_ROW_BYTES)
    with contextlib.closing(elements):
        return any(_local(element) != "row" for element in elements)


def _strings(archive: zipfile.ZipFile, opened: Opened) -> list[str]:
    """Returns the texts that cells name by their index.

    Raises RefusedFile where there are more than memory should hold.
    """
    if STRINGS not in archive.namelist():
        return []
    if archive.getinfo(STRINGS).file_size > MOST_STRINGS_BYTES:
        raise RefusedFile(FILE_TOO_LARGE, f"{opened.source.name} has more than 32 MiB of texts; save it as .csv.")
    return [_text(element) for element in _elements(archive, STRINGS, ("si",), MOST_ROW_BYTES)]


def _text(element: Any) -> str:
    """Returns a text of one or several runs, without the readings (rPh) that are written above it."""
    parts = (entry for entry in element.iter("{*}t") if _local(entry.getparent()) != "rPh")
    return "".join(part.text or "" for part in parts)


def _kinds(archive: zipfile.ZipFile) -> list[str]:
    """Returns for each style of cells whether its numbers are days, percents, or plain."""
    if STYLES not in archive.namelist():
        return []
    codes = {
        int(entry.get("numFmtId", "0")): entry.get("formatCode", "") for entry in _whole(archive, STYLES, "numFmt")
    }
    formats = _whole(archive, STYLES, "cellXfs")
    return [_kind(int(style.get("numFmtId", "0")), codes) for style in (formats[0] if formats else ())]


def _kind(number: int, codes: Mapping[int, str]) -> str:
    code = codes.get(number, BUILTIN_FORMATS.get(number, ""))
    if number in EASTERN_DATES or (code and is_date_format(code)):
        return DATE
    return PERCENT if "%" in _QUOTED.sub("", code) else PLAIN


def _rows(archive: zipfile.ZipFile, sheet: Sheet, book: _Book) -> Iterator[SheetRow]:
    cells: dict[int, str] = {}
    told: list[str] = []
    number, column = 0, 0
    for element in _elements(archive, sheet.part, ("row", "c"), MOST_ROW_BYTES):
        if _local(element) == "c":
            column = _column(element.get("r"), column)
            text, problem = _cell(element, book)
            told += [f"{_place(element, column)} {problem}"] if problem and len(told) < 3 else []
            if text:
                cells[column] = text
            element.clear()
            continue
        number = int(element.get("r", number + 1))
        yield number, [cells.get(index, "") for index in range(1, max(cells, default=0) + 1)], " ".join(told)
        cells, told, column = {}, [], 0


def _column(reference: str | None, before: int) -> int:
    """Returns a cell's column from 1, by its reference (C7 is 3), else the one after that before. Raises ValueError."""
    match = _REFERENCE.fullmatch(reference or "")
    column = 0 if reference else before + 1
    for letter in match[1] if match else "":
        column = column * 26 + ord(letter) - 64
    if not 0 < column <= MOST_COLUMNS:
        raise ValueError(f"there is no cell {reference or column}"[:40])
    return column


def _place(element: Any, column: int) -> str:
    return f"Cell {element.get('r') or f'of column {column}'}"


def _cell(element: Any, book: _Book) -> tuple[str, str]:
    """Returns a cell's text, and what is wrong with it."""
    parts = {_local(child): child for child in element}
    value = (parts["v"].text or "") if "v" in parts else ""
    kind = element.get("t", "n")
    if not value and "f" in parts and kind != "str":
        return "", "has a formula without its value; open the file in a spreadsheet program and save it."
    if not value and "is" not in parts:
        return "", ""
    return READERS.get(kind, _of_unknown)(element, value, book)


def _of_text(_element: Any, value: str, book: _Book) -> tuple[str, str]:
    return cleaned(book.strings[_index(value)]), ""


def _index(text: str) -> int:
    """Reads an index from 0: "7" is 7. Raises ValueError where the text is none."""
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValueError(f"{text[:20]!r} is no index of a text")
    return int(text)


def _of_number(element: Any, value: str, book: _Book) -> tuple[str, str]:
    style = int(element.get("s", "0"))
    kind = book.kinds[style] if 0 <= style < len(book.kinds) else PLAIN
    return NUMBERS[kind](value.strip(), book), ""


def _day(text: str, book: _Book) -> str:
    """Returns a day or time as ISO 8601: 46083 is 2026-03-02."""
    text_of_day = from_excel(float(text), book.epoch).isoformat()
    return Moment(text_of_day.removesuffix("T00:00:00"))


def _percent(text: str, _book: _Book) -> str:
    """Returns a percentage as it is shown: 0.05 is 5%, which is neither 5 nor 0.05 unless a mapping says so."""
    number = spreadsheet_number(f"{text}E2" if "E" not in text.upper() else text)
    return f"{number}%"


def _of_formula_text(_element: Any, value: str, _book: _Book) -> tuple[str, str]:
    return cleaned(value), ""


def _of_inner_text(element: Any, _value: str, _book: _Book) -> tuple[str, str]:
    return cleaned(_text(element)), ""


def _of_flag(_element: Any, value: str, _book: _Book) -> tuple[str, str]:
    return ("TRUE" if value == "1" else "FALSE"), ""


def _of_day(_element: Any, value: str, _book: _Book) -> tuple[str, str]:
    return Moment(value.removesuffix("Z")), ""


def _of_error(_element: Any, value: str, _book: _Book) -> tuple[str, str]:
    return "", f"says {value}; correct its formula."


def _of_unknown(element: Any, _value: str, _book: _Book) -> tuple[str, str]:
    return "", f"is of the unknown kind {element.get('t')!r}."


NUMBERS: Mapping[str, Callable[[str, _Book], str]] = {
    DATE: _day,
    PERCENT: _percent,
    PLAIN: lambda text, _book: spreadsheet_number(text),
}
# By a cell's type (ECMA-376 18.18.11).
READERS: Mapping[str, Callable[[Any, str, _Book], tuple[str, str]]] = {
    "b": _of_flag,
    "d": _of_day,
    "e": _of_error,
    "inlineStr": _of_inner_text,
    "n": _of_number,
    "s": _of_text,
    "str": _of_formula_text,
}
