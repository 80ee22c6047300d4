"""Files of dated tables: CSV with lines of "# key: value" before the header and after the last row. Pure.

    # name: holidays
    # source: General Office of the State Council, notice of 2026
    code,kind,english,chinese,effective_from,effective_to
    2027-01-01,OFF,New Year,元旦,2027-01-01,2027-01-01
    # rows: 1

`version` may be given before, `rows` (their count) and `sha256` (of header and rows, each line ended by one line feed)
behind: a file of which a part is lost doesn't count.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from chassis.errors import Problem
from trade.dated_tables.model import digest_of
from trade.dated_tables.problems import problem

MARK = "#"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a file: the line on which it ends, counted from 1, and its cells."""

    line: int
    cells: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file as it was read: what its lines of keys say, header, rows, and the content that would be stored."""

    keys: Mapping[str, str] = field(default_factory=dict)
    header: Sequence[str] = ()
    rows: Sequence[Row] = ()
    content: bytes = b""
    problems: Sequence[Problem] = ()


def read(data: bytes) -> File:
    """Returns a file's parts; its problems say whether it is in UTF-8, and whole by its own count and digest."""
    try:
        lines = data.decode("utf-8-sig").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError as error:
        return File(problems=[problem("file", "TABLE_NOT_UTF8", byte=error.start)])
    before = list(takewhile(_is_key, lines))
    behind = list(takewhile(_is_key, reversed(lines[len(before) :])))
    body = lines[len(before) : len(lines) - len(behind)]
    content = "".join(f"{line}\n" for line in body).encode()
    header, *rows = [Row(number + len(before), cells) for number, cells in _cells(body)] or [Row(0, ())]
    keys = dict(_keys([*before, *behind]))
    whole = list(_losses(keys, rows, content))
    return File(keys=keys, header=header.cells, rows=rows, content=content, problems=whole)


def _is_key(line: str) -> bool:
    return line.startswith(MARK) or not line.strip()


def _keys(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yields keys and values: name and holidays of "# name: holidays"."""
    for line in lines:
        key, colon, value = line.lstrip(MARK).partition(":")
        if colon:
            yield key.strip(), value.strip()


def _cells(lines: Sequence[str]) -> Iterator[tuple[int, Sequence[str]]]:
    """Yields each row that has cells with the number of its last line."""
    reader = csv.reader(io.StringIO("\n".join(lines), newline=""))
    return ((reader.line_num, cells) for cells in reader if cells)


def _losses(keys: Mapping[str, str], rows: Sequence[Row], content: bytes) -> Iterator[Problem]:
    """Yields how the rows differ from the count and the digest that the file itself gives."""
    if keys.get("rows", str(len(rows))) != str(len(rows)):
        yield problem("file", "TABLE_INCOMPLETE", said=keys["rows"], rows=len(rows))
    digest = digest_of(content).hex()
    if keys.get("sha256", digest).lower() != digest:
        yield problem("file", "TABLE_DIGEST_DIFFERS", said=keys["sha256"], digest=digest)
