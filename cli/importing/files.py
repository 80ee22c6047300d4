"""The files of an import: found in folders, opened lazily whether packed or not, cut into documents."""

import contextlib
import csv
import functools
import gzip
import hashlib
import io
import itertools
import json
import pathlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

from chassis.errors import Problem
from cli.importing.mapping import ColumnMapping
from services.declarations.formats import envelopes
from services.declarations.formats.json_lines import line_malformed

DOCUMENTS, LINES, TABLE = ".xml", (".jsonl", ".json"), ".csv"
KNOWN = (DOCUMENTS, *LINES, TABLE)
PACKED = ".gz"
# As the contract limits a document.
LARGEST_DOCUMENT = 3_145_728
# A cell may be as long as a document.
csv.field_size_limit(4 * 1024 * 1024)


class UnreadableFile(Exception):
    """The file can't be imported at all; the text says why."""


def kind(file: pathlib.Path) -> str:
    """The file's suffix without packing, in lower case."""
    name = file.name.lower().removesuffix(PACKED)
    return pathlib.PurePath(name).suffix


def found(paths: Iterable[pathlib.Path]) -> list[pathlib.Path]:
    """The files, and those of the folders that an import knows, in order of their names; each once."""
    files: dict[pathlib.Path, None] = {}
    for path in paths:
        inside = sorted(one for one in path.rglob("*") if one.is_file() and kind(one) in KNOWN)
        files |= dict.fromkeys(inside if path.is_dir() else [path])
    if unknown := [str(file) for file in files if kind(file) not in KNOWN]:
        raise UnreadableFile(f"{', '.join(unknown)}: no {', '.join(KNOWN)}, plain or {PACKED}")
    return list(files)


def is_document(file: pathlib.Path) -> bool:
    """Whether a file is sent as it lies there: XML, or JSON around a document in base64."""
    if kind(file) not in LINES:
        return kind(file) == DOCUMENTS
    beginning = b""
    # A damaged file is told when it is read.
    with Opened(file) as opened, contextlib.suppress(EOFError, OSError, zlib.error):
        beginning = opened.stream.read(LARGEST_DOCUMENT + 1)
    return len(beginning) <= LARGEST_DOCUMENT and envelopes.is_envelope(beginning)


def digest(file: pathlib.Path) -> str:
    """SHA-256 of the file as it lies there."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


class Opened(contextlib.AbstractContextManager["Opened"]):
    """A file being read: its bytes, unpacked, and how many of those on the disk were read so far."""

    def __init__(self, file: pathlib.Path) -> None:
        self._raw: IO[bytes] = file.open("rb")
        packed = file.name.lower().endswith(PACKED)
        self.stream: IO[Any] = gzip.GzipFile(fileobj=self._raw) if packed else self._raw  # type: ignore[assignment]

    @property
    def position(self) -> int:
        """Bytes of the file read so far."""
        return self._raw.tell() if not self._raw.closed else 0

    def text(self, encoding: str) -> IO[str]:
        """As text, once; a byte-order mark is no part of it."""
        marked = "utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding
        self.stream = io.TextIOWrapper(self.stream, marked, newline="")
        return self.stream

    def __exit__(self, *_: object) -> None:
        self.stream.close()
        self._raw.close()


def content(file: pathlib.Path) -> bytes:
    """A whole document."""
    with Opened(file) as opened:
        return bytes(opened.stream.read())


@dataclass(frozen=True, slots=True)
class Entry:
    """One document of a file: the line it begins on, and its rows, or why they can't be read.

    `records` are the rows as they stand in a table; `cut` makes a file of the document alone.
    """

    line: int
    rows: Sequence[dict[str, str]]
    problems: Sequence[Problem] = ()
    records: Sequence[Sequence[str]] = ()
    cut: Callable[[], bytes] = bytes


def entries(opened: Opened, suffix: str, mapping: ColumnMapping) -> Iterator[Entry]:
    """The documents of a mapped file, lazily. UnreadableFile if its bytes are no text or no CSV."""
    try:
        read = _table_entries if suffix == TABLE else _object_entries
        yield from read(opened.text(mapping.encoding), mapping)
    except UnicodeDecodeError as error:
        raise UnreadableFile(f"the file is no {mapping.encoding}: {error}") from error
    except csv.Error as error:
        raise UnreadableFile(f"the file is no CSV: {error}") from error


def header(file: pathlib.Path, mapping: ColumnMapping) -> list[str]:
    """The columns of a CSV file. UnreadableFile."""
    with Opened(file) as opened:
        try:
            return list(next(csv.reader(opened.text(mapping.encoding), delimiter=mapping.delimiter), []))
        except (UnicodeDecodeError, csv.Error) as error:
            raise UnreadableFile(f"{file} is no CSV in {mapping.encoding}: {error}") from error


def names(file: pathlib.Path, mapping: ColumnMapping) -> set[str]:
    """The names in the first object of a file of JSON Lines; none where it can't be read so."""
    with Opened(file) as opened:
        try:
            first = next((line for line in opened.text(mapping.encoding) if line.strip()), "")
            return {name for row in _flat_rows(json.loads(first), mapping.lines) for name in row}
        except (UnicodeDecodeError, ValueError):
            return set()


def _table_entries(text: IO[str], mapping: ColumnMapping) -> Iterator[Entry]:
    reader = csv.reader(text, delimiter=mapping.delimiter)
    columns = next(reader, [])
    grouped = itertools.groupby(_records(reader, columns), lambda one: _group(one, mapping))
    for together in map(list, (some for _, some in grouped)):
        records = [record for one in together for record in one.records]
        rows = [row for one in together for row in one.rows]
        cut = functools.partial(_cut, mapping, [columns, *records])
        yield Entry(together[0].line, rows, together[0].problems, records, cut)


def _cut(mapping: ColumnMapping, records: Sequence[Sequence[str]]) -> bytes:
    """A CSV file of these records, as the mapping reads it."""
    text = io.StringIO()
    csv.writer(text, delimiter=mapping.delimiter, lineterminator="\n").writerows(records)
    return text.getvalue().encode(mapping.encoding)


def _records(reader: Any, columns: Sequence[str]) -> Iterator[Entry]:
    """One entry a record; those that don't have the header's columns are no rows."""
    line = reader.line_num + 1
    for record in reader:
        if record:
            yield _record(line, record, columns)
        line = reader.line_num + 1


def _record(line: int, record: Sequence[str], columns: Sequence[str]) -> Entry:
    if len(record) != len(columns):
        return Entry(line, [], [_other_width(len(record), len(columns))], [record])
    return Entry(line, [dict(zip(columns, (cell.strip() for cell in record), strict=True))], records=[record])


def _group(entry: Entry, mapping: ColumnMapping) -> object:
    """Equal for records of one document that follow each other."""
    return mapping.key_of(entry.rows[0]) if entry.rows and mapping.groups else entry.line


def _other_width(found: int, expected: int) -> Problem:
    text = (
        f"The row has {found} columns, the header {expected}; correct the row, or quote what has the delimiter in it."
    )
    return Problem("", "ROW_MALFORMED", text, text)


def _object_entries(text: IO[str], mapping: ColumnMapping) -> Iterator[Entry]:
    names = sorted(mapping.columns)
    for number, line in enumerate(text, 1):
        if not line.strip():
            continue
        cut = functools.partial(line.encode, mapping.encoding)
        try:
            rows = [{**dict.fromkeys(names, ""), **row} for row in _flat_rows(json.loads(line), mapping.lines)]
            yield Entry(number, rows, cut=cut)
        except ValueError as error:
            yield Entry(number, [], [line_malformed(str(error))], cut=cut)


def _flat_rows(data: Any, lines: str) -> list[dict[str, str]]:
    """An object as rows of texts by dotted names: one, or one for each element of the list at `lines`."""
    if not isinstance(data, dict):
        raise ValueError("it is no object")
    inner = data
    for name in lines.split(".")[:-1] if lines else ():
        inner = inner.get(name, {}) if isinstance(inner, dict) else {}
    elements = inner.pop(lines.rpartition(".")[2], None) if lines and isinstance(inner, dict) else None
    head = dict(_flat(data))
    if not lines:
        return [head]
    if not isinstance(elements, list) or not elements:
        raise ValueError(f"it has no list {lines!r}")
    return [{**head, **dict(_flat(element, f"{lines}."))} for element in elements]


def _flat(data: Any, above: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(data, dict):
        for name, value in data.items():
            yield from _flat(value, f"{above}{name}.")
    elif data is not None and not isinstance(data, list):
        yield above.removesuffix("."), data.strip() if isinstance(data, str) else json.dumps(data)
