"""The documents of a file of rows: each row one, or all rows of one key.

A document is never made of a part of its rows. Where they stand apart, are too many, or may include one that can't
be read, the document is refused as a whole.
"""

import contextlib
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from chassis.errors import Problem
from cli.importing import objects, runs, tables
from cli.importing.entries import Entry, Pieces, Raw, Row
from cli.importing.files import LARGEST_DOCUMENT, LINES, Opened
from cli.importing.mapping import ColumnMapping
from cli.importing.runs import Key, Runs


def pieces(opened: Opened, mapping: ColumnMapping) -> Pieces:
    """Returns a mapped file as it stands: an entry a row, or an object. Raises RefusedFile."""
    return (objects.pieces if opened.source.kind in LINES else tables.pieces)(opened, mapping)


def entries(opened: Opened, mapping: ColumnMapping) -> Iterator[Entry]:
    """Returns the documents of a mapped file, lazily. Raises RefusedFile."""
    read = pieces(opened, mapping)
    # An object with a list of lines has all that is of its key.
    return _grouped(opened, read, mapping) if mapping.groups and not mapping.lines else read.entries


@dataclass(slots=True)
class _Group:
    """Rows of one key, as far as they were read."""

    key: Key
    line: int
    rows: list[Row] = field(default_factory=list)
    raws: list[Raw] = field(default_factory=list)
    size: int = 0
    count: int = 0
    # The line of a row that can't be read and may belong here.
    unread_line: int = 0

    def take(self, entry: Entry, most_rows: int) -> None:
        """Takes one more row; keeps rows only while the document can still be taken."""
        if entry.problems:
            self.unread_line = entry.line
            return
        self.line = self.line if self.count else entry.line
        self.count += 1
        self.size += sum(map(len, entry.raw))
        if self.count > most_rows or self.size > LARGEST_DOCUMENT:
            self.rows, self.raws = [], []
            return
        self.rows += entry.rows
        self.raws.append(entry.raw)


def _grouped(opened: Opened, read: Pieces, mapping: ColumnMapping) -> Iterator[Entry]:
    """Yields the documents. Reads the file twice: the first time to find the keys whose rows stand apart."""
    with Opened(opened.source) as again:
        groups = _groups(pieces(again, mapping), mapping)
        apart = Runs(
            (each_group.key, each_group.line, each_group.count > 0)
            for each_group in groups
            if isinstance(each_group, _Group)
        )
    with contextlib.closing(apart):
        for group in _groups(read, mapping):
            if isinstance(group, Entry):
                yield group
            elif (document := _document(group, read, mapping, apart)) is not None:
                yield document


def _groups(read: Pieces, mapping: ColumnMapping) -> Iterator[_Group | Entry]:
    """Yields rows of one key that follow each other, and between them those that can't be read, as they are.

    A row that can't be read and doesn't show its key may belong to the rows before it or after it.
    """
    group: _Group | None = None
    unread_line, most_rows = 0, mapping.most_rows
    for entry in read.entries:
        key = _key(entry, read.columns, mapping)
        if entry.problems or not key:
            yield entry if entry.problems else replace(entry, rows=[], problems=[_keyless(mapping)])
        if not key:
            unread_line = entry.line
            if group is not None:
                group.unread_line = unread_line
            continue
        if group is None or group.key != key:
            if group is not None:
                yield group
            group = _Group(key, entry.line, unread_line=unread_line)
        unread_line = 0
        group.take(entry, most_rows)
    if group is not None:
        yield group


def _key(entry: Entry, columns: Sequence[str], mapping: ColumnMapping) -> Key:
    """Returns the key of the row's document; empty where the row doesn't say it, or can't be read."""
    key = _key_on_the_left(entry, columns, mapping) if entry.problems else mapping.key_of(entry.rows[0])
    return key if any(key) else ()


def _key_on_the_left(entry: Entry, columns: Sequence[str], mapping: ColumnMapping) -> Key:
    """Returns the key of a row that can't be read.

    It is sure only in the first columns, since all that is wrong is right of it.
    """
    first = columns[: len(mapping.key)]
    if set(first) != set(mapping.key) or len(entry.raw) < len(first):
        return ()
    key = mapping.key_of(dict(zip(first, entry.raw, strict=False)))
    return () if any('"' in text for text in key) else key


def _document(group: _Group, read: Pieces, mapping: ColumnMapping, apart: Runs) -> Entry | None:
    """Returns the document of a group.

    Where its rows stand apart it is refused once, at the first of them; later ones give None.
    """
    lines, first = apart.lines(group.key)
    if not group.count or (lines and first != group.line):
        return None
    if lines or group.unread_line or len(group.rows) < group.count:
        return Entry(group.line, [], [_told(group, mapping, lines)])
    return Entry(group.line, group.rows, cut=functools.partial(read.joined, group.raws))


def _told(group: _Group, mapping: ColumnMapping, apart: Sequence[int]) -> Problem:
    """Returns why no document can be made of the rows."""
    name = f"{mapping.noun} {'/'.join(group.key)}"
    if apart:
        told = f"{name}: its rows stand apart ({_lines(apart)}); sort the file by {' and '.join(mapping.key)}."
        return _problem(mapping, "ROWS_APART", told)
    if group.count > mapping.most_rows:
        told = f"{name} has {group.count} rows, more than {mapping.most_rows}; cut it, or correct the key."
        return _problem(mapping, "ROWS_TOO_MANY", told)
    if group.size > LARGEST_DOCUMENT:
        return _problem(mapping, "ROWS_TOO_MANY", f"{name} has more than 3 MiB; cut it, or correct the key.")
    told = f"{name}: line {group.unread_line} can't be read and may be one of its rows; correct that line."
    return _problem(mapping, "ROWS_UNREAD", told)


def _lines(lines: Sequence[int]) -> str:
    """Returns line numbers in words: "lines 2 and 4", "lines 2, 4 and more"."""
    shown = [str(line) for line in lines[: runs.MOST_LINES]]
    last = "more" if len(lines) > runs.MOST_LINES else shown.pop()
    return f"lines {', '.join(shown)} and {last}"


def _keyless(mapping: ColumnMapping) -> Problem:
    told = f"The row says nothing in {' and '.join(mapping.key)}, so it belongs to no {mapping.noun}; fill it in."
    return _problem(mapping, "KEY_MISSING", told)


def _problem(mapping: ColumnMapping, reason: str, told: str) -> Problem:
    # The command speaks English only.
    return Problem("+".join(mapping.key), reason, told, told)
