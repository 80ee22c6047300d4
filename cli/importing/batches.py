"""Batches: documents as they lie in files, and rows for a stream; always cut in the same places."""

import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from aval.declarations.v1 import declarations_pb2
from aval.type.v1 import problem_pb2
from google.protobuf.message import Message

from chassis import ids
from chassis.errors import Problem
from cli.importing import documents, files, objects
from cli.importing.entries import Entry
from cli.importing.files import LARGEST_DOCUMENT, Opened, RefusedFile, Source
from cli.importing.mapping import ColumnMapping
from cli.importing.report import Counts
from cli.importing.targets import BY_MESSAGE, TARGETS, Target
from services.declarations.intake.formats import json_lines
from services.declarations.intake.formats.rows import to_json

IMPORT = "ImportDocuments"
MOST_ROWS = 1000
MOST_DOCUMENTS = 500
# Well below what a message may have.
MOST_BYTES = 1_500_000
MOST_NAME = 240
MOST_SOURCE_NAME = 200
ROW_TOO_LARGE, ROW_TOO_LARGE_TOLD = "ROW_TOO_LARGE", "The row has more than 3 MiB; cut it."
EMPTY = ("", "DOCUMENT_EMPTY", "The document is empty; send it again.")


@dataclass(slots=True)
class Batch:
    """One request: the files it is of, by the keys they are noted under, and how many of their documents.

    `origins` names file and document of each row sent; `counts` has what was refused before sending, `unread` the
    same as it is kept; `position` is by how many bytes it goes on in the files. A batch without a request has
    nothing to send.
    """

    method: str
    keys: list[str]
    rows: list[Any] = field(default_factory=list)
    origins: list[tuple[str, str]] = field(default_factory=list)
    unread: list[declarations_pb2.UnreadRow] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)
    documents: int = 0
    size: int = 0
    position: int = 0
    request: Message | None = None
    column_of: Callable[[str], str] = str
    # The field of the request that has the rows, and how a row is written down as it is kept.
    rows_field: str = "documents"
    written: Callable[[Any], tuple[str, bytes]] = lambda document: ("XML", document.content)

    def part(self, start: int, end: int) -> Any:
        """Returns the request of some of the rows; the first part has what couldn't be read. None if there is none."""
        if self.request is None or (start, end) == (0, len(self.rows)):
            return self.request
        part: Any = type(self.request)()
        part.CopyFrom(self.request)
        part.request_id = ids.derived("part of an import", part.request_id, start, end)
        _keep_only(getattr(part, self.rows_field), start, end)
        if self.method != IMPORT:
            _keep_only(part.source.positions, start, end)
            _keep_only(part.source.unread, 0, 0 if start else len(part.source.unread))
        return part

    def kept(self, index: int, problem: problem_pb2.Problem) -> Message:
        """Returns the request that keeps a row without an answer among what is refused."""
        assert self.request is not None
        request_id: str = self.part(index, index + 1).request_id
        form, content = self.written(self.rows[index])
        unread = declarations_pb2.UnreadRow(content=content, format=form, problems=[problem])
        source = declarations_pb2.RowSource(name=self.origins[index][1][-MOST_SOURCE_NAME:], unread=[unread])
        return declarations_pb2.BatchCreateDeclarationsRequest(
            request_id=ids.derived("kept of an import", request_id), source=source
        )


def _keep_only(items: Any, start: int, end: int) -> None:
    """Leaves the items from start to end in a repeated field."""
    del items[end:]
    del items[:start]


RequestId = Callable[[str, int], str]
ProblemText = tuple[str, str, str]


def of_documents(sources: Sequence[tuple[Source, str]], request_id: RequestId) -> Iterator[Batch]:
    """Yields batches of XML documents, as many at once as fit; `sources` are files with their keys."""
    batch = Batch(IMPORT, [])
    for source, key in sources:
        content, problem_texts = _read(source)
        if batch.documents >= MOST_DOCUMENTS or (batch.documents and batch.size + len(content) > MOST_BYTES):
            yield _document_request(batch, request_id)
            batch = Batch(IMPORT, [])
        batch.keys.append(key)
        batch.documents += 1
        batch.position += source.size
        if problem_texts:
            batch.counts.refuse(str(source), source.name, problem_texts)
        else:
            _add_document(batch, source, content)
    if batch.documents:
        yield _document_request(batch, request_id)


def _read(source: Source) -> tuple[bytes, Sequence[ProblemText]]:
    """Returns a document's content, or why it can't be sent."""
    try:
        content = files.content(source)
    except RefusedFile as error:
        return b"", [("", error.rule, str(error))]
    return content, [] if content else [EMPTY]


def _add_document(batch: Batch, source: Source, content: bytes) -> None:
    document_id = _document_id(batch, source)
    batch.size += len(content)
    batch.rows.append(declarations_pb2.Document(document_id=document_id, content=content))
    batch.origins.append((str(source), document_id))


def _document_id(batch: Batch, source: Source) -> str:
    """Returns the file's name, unless the batch has another of that name; # parts it from what is in the document."""
    name = source.name.replace("#", "_")[-MOST_NAME:]
    return f"{len(batch.rows)}/{name}" if any(origin == name for _, origin in batch.origins) else name


def _document_request(batch: Batch, request_id: RequestId) -> Batch:
    key = hashlib.sha256("\n".join(batch.keys).encode()).hexdigest()
    if batch.rows:
        batch.request = declarations_pb2.ImportDocumentsRequest(request_id=request_id(key, 0), documents=batch.rows)
    return batch


Made = tuple[Message | None, Sequence[Problem]]
Make = Callable[[Entry], Made]


@dataclass(frozen=True, slots=True)
class Rows:
    """A file of rows: how its entries are read, what is made of each, and where it goes."""

    source: Source
    key: str
    target: Target
    entries: Callable[[Opened], Iterable[Entry]]
    make: Make
    column_of: Callable[[str], str] = str

    @property
    def format(self) -> str:
        """Returns the format of a document that is cut out of the file."""
        return "JSON" if self.source.kind in files.LINES else "CSV"


def mapped(source: Source, key: str, mapping: ColumnMapping) -> Rows:
    """Returns the rows of a file whose columns a mapping names."""

    def make(entry: Entry) -> Made:
        return mapping.apply(entry.rows)

    def entries(opened: Opened) -> Iterable[Entry]:
        return documents.entries(opened, mapping)

    return Rows(source, key, mapping.target, entries, make, mapping.column_of)


def plain_lines(source: Source, key: str) -> Rows:
    """Returns the rows of a file of JSON Lines that needs no mapping: all of one kind, as its first line is.

    Raises RefusedFile.
    """
    row = _first_row(source)
    target = TARGETS["receipt"] if row is None else BY_MESSAGE.get(type(row), TARGETS["receipt"])

    def make(entry: Entry) -> Made:
        row, problems = json_lines.read(_line(entry))
        if row is None or isinstance(row, target.message):
            return row, problems
        return None, [json_lines.line_malformed("rows of another kind go in files of their own")]

    return Rows(source, key, target, _plain_lines, make)


def is_plain(source: Source) -> bool:
    """Whether a file of JSON Lines needs no mapping, as its first line is."""
    try:
        return _first_row(source) is not None
    except RefusedFile:
        return False


def _first_row(source: Source) -> Message | None:
    """Reads the first line as a row; None where there is none. Raises RefusedFile."""
    with Opened(source) as opened, files.named(source):
        first = next(iter(_plain_lines(opened)), None)
    return json_lines.read(_line(first))[0] if first else None


def _line(entry: Entry) -> str:
    return entry.rows[0][""]


def _plain_lines(opened: Opened) -> Iterator[Entry]:
    for number, line in objects.lines(opened):
        yield Entry(number, [{"": line}], cut=functools.partial(line.encode, "utf-8", "replace"))


def of_rows(rows: Rows, after_documents: int, after_batches: int, request_id: RequestId) -> Iterator[Batch]:
    """Yields the batches of a file after those that were acknowledged.

    A file that can't be read on is refused by its name.
    """
    with Opened(rows.source) as opened:
        number, position = after_batches, 0
        batch = _new(rows)
        for entry in islice(_entries(rows, opened), after_documents, None):
            row, problems = _made(rows, entry)
            if batch.documents >= MOST_ROWS or (batch.documents and batch.size + _size(row, entry) > MOST_BYTES):
                yield _row_request(batch, rows, number, opened.position - position, request_id)
                number, position, batch = number + 1, opened.position, _new(rows)
            _add_row(batch, rows, entry, row, problems)
        if batch.documents:
            yield _row_request(batch, rows, number, opened.position - position, request_id)


def _entries(rows: Rows, opened: Opened) -> Iterator[Entry]:
    """Yields the file's entries; after them, where it can't be read on, one that says why."""
    line = 0
    try:
        with files.named(rows.source):
            for entry in rows.entries(opened):
                line = entry.line
                yield entry
    except RefusedFile as error:
        yield Entry(line + 1, [], [Problem("", error.rule, str(error), str(error))])


def _made(rows: Rows, entry: Entry) -> Made:
    """Returns the entry's row, or why there is none; also where the row is larger than a document may be."""
    row, problems = (None, entry.problems) if entry.problems else rows.make(entry)
    if row is not None and row.ByteSize() > LARGEST_DOCUMENT:
        return None, [Problem("", ROW_TOO_LARGE, ROW_TOO_LARGE_TOLD, ROW_TOO_LARGE_TOLD)]
    return row, problems


def _size(row: Message | None, entry: Entry) -> int:
    return row.ByteSize() if row is not None else sum(map(len, entry.raw))


def _new(rows: Rows) -> Batch:
    def written(row: Message) -> tuple[str, bytes]:
        return "JSON", to_json(rows.target.row_of(row).SerializeToString())

    field = rows.target.field
    return Batch(rows.target.method, [rows.key], column_of=rows.column_of, rows_field=field, written=written)


def _add_row(batch: Batch, rows: Rows, entry: Entry, row: Message | None, problems: Sequence[Problem]) -> None:
    batch.documents += 1
    if row is None or problems:
        problem_texts = [(problem.path, problem.reason, problem.english) for problem in problems]
        batch.counts.refuse(str(rows.source), str(entry.line), problem_texts)
        _add_unread(batch, rows, entry, row, problems)
        return
    batch.size += row.ByteSize()
    batch.rows.append(row)
    batch.origins.append((str(rows.source), str(entry.line)))


def _add_unread(batch: Batch, rows: Rows, entry: Entry, row: Message | None, problems: Sequence[Problem]) -> None:
    """Adds what couldn't be made a row, to be kept with what is refused; what is too large is only reported."""
    content = entry.cut()
    if not content or batch.size + len(content) > LARGEST_DOCUMENT:
        return
    messages = [
        problem_pb2.Problem(path=problem.path, reason=problem.reason, message=problem.english) for problem in problems
    ]
    read = None if row is None else rows.target.row_of(row)
    batch.size += len(content)
    batch.unread.append(
        declarations_pb2.UnreadRow(
            position=entry.line, content=content, format=rows.format, problems=messages, row=read
        )
    )


def _row_request(batch: Batch, rows: Rows, number: int, position: int, request_id: RequestId) -> Batch:
    batch.position = position
    if batch.rows or batch.unread:
        positions = [int(line) for _, line in batch.origins]
        source = declarations_pb2.RowSource(
            name=rows.source.name[-MOST_SOURCE_NAME:], positions=positions, unread=batch.unread, has_mended=True
        )
        batch.request = rows.target.request_of(request_id(rows.key, number), batch.rows, source)
    return batch
