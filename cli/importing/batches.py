"""What is sent at once: documents as they lie in files, and rows for a stream; always cut in the same places."""

import hashlib
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from aval.declarations.v1 import declarations_pb2
from aval.type.v1 import problem_pb2
from google.protobuf.message import Message

from chassis.errors import Problem
from cli.importing import files
from cli.importing.files import Entry, Opened
from cli.importing.mapping import ColumnMapping
from cli.importing.report import Counts
from cli.importing.targets import BY_MESSAGE, TARGETS, Target
from services.declarations.formats import json_lines

IMPORT = "ImportDocuments"
MOST_ROWS = 1000
MOST_DOCUMENTS = 500
# Well below what a message may have.
MOST_BYTES = 1_500_000
MOST_NAME = 240
MOST_SOURCE_NAME = 200
EMPTY = ("", "DOCUMENT_EMPTY", "The document is empty; send it again.")
TOO_LARGE = ("", "DOCUMENT_TOO_LARGE", f"The document has more than {files.LARGEST_DOCUMENT} bytes; cut the message.")


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


RequestId = Callable[[str, int], str]


def of_documents(sources: Sequence[tuple[pathlib.Path, str]], request_id: RequestId) -> Iterator[Batch]:
    """XML documents, as many at once as fit; `sources` are files with their keys."""
    batch = Batch(IMPORT, [])
    for file, key in sources:
        content = files.content(file)
        if batch.documents >= MOST_DOCUMENTS or (batch.documents and batch.size + len(content) > MOST_BYTES):
            yield _document_request(batch, request_id)
            batch = Batch(IMPORT, [])
        batch.keys.append(key)
        batch.documents += 1
        batch.position += file.stat().st_size
        _add_document(batch, file, content)
    if batch.documents:
        yield _document_request(batch, request_id)


def _add_document(batch: Batch, file: pathlib.Path, content: bytes) -> None:
    if not 0 < len(content) <= files.LARGEST_DOCUMENT:
        batch.counts.refuse(str(file), file.name, [TOO_LARGE if content else EMPTY])
        return
    document_id = _document_id(batch, file)
    batch.size += len(content)
    batch.rows.append(declarations_pb2.Document(document_id=document_id, content=content))
    batch.origins.append((str(file), document_id))


def _document_id(batch: Batch, file: pathlib.Path) -> str:
    """The file's name, unless the batch has another of that name; # parts it from what is in the document."""
    name = file.name.replace("#", "_")[-MOST_NAME:]
    return f"{len(batch.rows)}/{name}" if any(known == name for _, known in batch.origins) else name


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

    file: pathlib.Path
    key: str
    target: Target
    entries: Callable[[Opened], Iterable[Entry]]
    make: Make
    column_of: Callable[[str], str] = str

    @property
    def format(self) -> str:
        """What a document of the file is in, cut out of it."""
        return "CSV" if files.kind(self.file) == files.TABLE else "JSON"


def mapped(file: pathlib.Path, key: str, mapping: ColumnMapping) -> Rows:
    """A file whose columns a mapping names."""

    def make(entry: Entry) -> Made:
        return (None, entry.problems) if entry.problems else mapping.apply(entry.rows)

    def entries(opened: Opened) -> Iterable[Entry]:
        return files.entries(opened, files.kind(file), mapping)

    return Rows(file, key, mapping.target, entries, make, mapping.column_of)


def plain_lines(file: pathlib.Path, key: str) -> Rows:
    """A file of JSON Lines that needs no mapping: of rows of one kind, as its first line is."""
    row = _first_row(file)
    target = TARGETS["receipt"] if row is None else BY_MESSAGE.get(type(row), TARGETS["receipt"])

    def make(entry: Entry) -> Made:
        row, problems = json_lines.read(_line(entry))
        if row is None or isinstance(row, target.message):
            return row, problems
        return None, [json_lines.line_malformed("rows of another kind go in files of their own")]

    return Rows(file, key, target, _plain_lines, make)


def is_plain(file: pathlib.Path) -> bool:
    """Whether a file of JSON Lines needs no mapping, as its first line is."""
    try:
        return _first_row(file) is not None
    except files.UnreadableFile:
        return False


def _first_row(file: pathlib.Path) -> Message | None:
    """UnreadableFile if it is no UTF-8."""
    with Opened(file) as opened:
        first = next(iter(_plain_lines(opened)), None)
    return json_lines.read(_line(first))[0] if first else None


def _line(entry: Entry) -> str:
    return entry.rows[0][""]


def _plain_lines(opened: Opened) -> Iterator[Entry]:
    try:
        for number, line in enumerate(opened.text("utf-8"), 1):
            if line.strip():
                yield Entry(number, [{"": line}], cut=line.encode)
    except UnicodeDecodeError as error:
        raise files.UnreadableFile(f"the file is no UTF-8: {error}") from error


def of_rows(rows: Rows, after_documents: int, after_batches: int, request_id: RequestId) -> Iterator[Batch]:
    """The batches of a file after those that were acknowledged."""
    with Opened(rows.file) as opened:
        number, position = after_batches, 0
        batch = _new(rows)
        for entry in islice(rows.entries(opened), after_documents, None):
            _add_row(batch, rows, entry)
            if batch.documents >= MOST_ROWS or batch.size >= MOST_BYTES:
                yield _row_request(batch, rows, number, opened.position - position, request_id)
                number, position, batch = number + 1, opened.position, _new(rows)
        if batch.documents:
            yield _row_request(batch, rows, number, opened.position - position, request_id)


def _new(rows: Rows) -> Batch:
    return Batch(rows.target.method, [rows.key], column_of=rows.column_of)


def _add_row(batch: Batch, rows: Rows, entry: Entry) -> None:
    batch.documents += 1
    row, problems = rows.make(entry)
    if row is None or problems:
        told = [(problem.path, problem.reason, problem.english) for problem in problems]
        batch.counts.refuse(str(rows.file), str(entry.line), told)
        _add_unread(batch, rows, entry, row, problems)
        return
    batch.size += row.ByteSize()
    batch.rows.append(row)
    batch.origins.append((str(rows.file), str(entry.line)))


def _add_unread(batch: Batch, rows: Rows, entry: Entry, row: Message | None, problems: Sequence[Problem]) -> None:
    """What couldn't be made a row goes along, to be kept with what is refused; what is too large is only reported."""
    content = entry.cut()
    if not content or batch.size + len(content) > files.LARGEST_DOCUMENT:
        return
    told = [problem_pb2.Problem(path=one.path, reason=one.reason, message=one.english) for one in problems]
    read = None if row is None else rows.target.row_of(row)
    batch.size += len(content)
    batch.unread.append(
        declarations_pb2.UnreadRow(position=entry.line, content=content, format=rows.format, problems=told, row=read)
    )


def _row_request(batch: Batch, rows: Rows, number: int, position: int, request_id: RequestId) -> Batch:
    batch.position = position
    if batch.rows or batch.unread:
        positions = [int(line) for _, line in batch.origins]
        source = declarations_pb2.RowSource(
            name=rows.file.name[-MOST_SOURCE_NAME:], positions=positions, unread=batch.unread, has_mended=True
        )
        batch.request = rows.target.request_of(request_id(rows.key, number), batch.rows, source)
    return batch
