"""`aval refused`: what intake refused, as a person mends it."""

import pathlib
import uuid
from collections.abc import Sequence
from itertools import islice
from typing import Any

from aval.declarations.v1 import declarations_pb2, intake_pb2
from google.protobuf.message import Message

from cli import importing, local
from cli.importing import files
from cli.importing.files import Opened, Source, UnreadableFile
from cli.layout import Layout
from services.declarations.intake.formats import rows

SERVICE = "declarations"
COLLECTION = "refusedDocuments/"
PAGE = 500
# Enough to see that a file has more than the one row that is wanted.
MOST_ENTRIES = 2
State = intake_pb2.RefusedDocument.State


def request_of(state: str, reason: str, form: str) -> intake_pb2.ListRefusedDocumentsRequest:
    """Returns the request that lists refused documents by state, reason and form."""
    return intake_pb2.ListRefusedDocumentsRequest(state=state, reason=reason, format=form)


async def listed(layout: Layout, request: intake_pb2.ListRefusedDocumentsRequest, most: int) -> list[dict[str, Any]]:
    """Returns the newest refused documents; those that came at once stand in the order of their file.

    Raises DomainError.
    """
    documents: list[dict[str, Any]] = []
    async with local.declarations(layout) as client:
        while len(documents) < most and (request.page_token or not documents):
            request.page_size = min(PAGE, most - len(documents))
            page = await client.call(SERVICE, "ListRefusedDocuments", request, local.WINDOW)
            documents += map(_told, page.refused_documents)
            request.page_token = page.next_page_token
            if not page.next_page_token:
                break
    documents.sort(key=_position)
    return sorted(documents, key=lambda entry: str(entry["last_refuse_time"]), reverse=True)


def _position(entry: dict[str, Any]) -> tuple[str, int]:
    name, _, position = entry["document"].rpartition("#")
    return name, int(position) if position.isdigit() else 0


async def load(layout: Layout, name: str) -> tuple[dict[str, Any], bytes]:
    """Returns a refused document and its content. Raises DomainError."""
    document = await _call(layout, "GetRefusedDocument", intake_pb2.GetRefusedDocumentRequest(name=_name(name)))
    return _told(document), document.content


async def resend(layout: Layout, name: str, content: bytes) -> dict[str, Any]:
    """Sends a document again. Returns it as it stands afterwards. Raises DomainError."""
    request = declarations_pb2.ResendDocumentRequest(request_id=str(uuid.uuid4()), name=_name(name), content=content)
    return _told((await _call(layout, "ResendDocument", request)).refused_document)


async def discard(layout: Layout, names: Sequence[str]) -> list[dict[str, Any]]:
    """Gives documents up. Returns them as they stand afterwards. Raises DomainError."""
    requests = [intake_pb2.DiscardRefusedDocumentRequest(request_id=str(uuid.uuid4()), name=_name(n)) for n in names]
    return [_told(await _call(layout, "DiscardRefusedDocument", request)) for request in requests]


async def _call(layout: Layout, method: str, request: Message) -> Any:
    async with local.declarations(layout) as client:
        return await client.call(SERVICE, method, request, local.WINDOW)


def _name(name: str) -> str:
    return name if name.startswith(COLLECTION) else COLLECTION + name


def mended(file: pathlib.Path, mappings: Sequence[pathlib.Path]) -> bytes:
    """Returns a file's content: a document as it is, a row as the JSON that the service takes.

    Raises InvalidMapping; UnreadableFile, also where it isn't exactly one row, or where that can't be read yet.
    """
    source = Source(file)
    if not files.is_table(source) and not (source.kind in files.LINES and mappings):
        return files.content(source)
    rows_of_file = importing.rows_of(source, importing.loaded_mappings(mappings))
    with Opened(source) as opened:
        entries = list(islice(rows_of_file.entries(opened), MOST_ENTRIES))
    if len(entries) != 1:
        raise UnreadableFile(
            f"{file} has {'no row' if not entries else 'several rows'}; leave the one that was refused"
        )
    row, problems = (None, entries[0].problems) if entries[0].problems else rows_of_file.make(entries[0])
    if row is None or problems:
        raise UnreadableFile("\n".join(f"{problem.path}: {problem.reason}: {problem.english}" for problem in problems))
    return rows.to_json(rows_of_file.target.row_of(row).SerializeToString())


def _told(document: intake_pb2.RefusedDocument) -> dict[str, Any]:
    return {
        "name": document.name,
        "document": document.document_id,
        "format": document.format,
        "state": State.Name(document.state),
        "attempts": document.attempts,
        "last_refuse_time": document.last_refuse_time.ToJsonString(),
        "problems": [
            {"path": problem.path, "rule": problem.reason, "message": problem.message} for problem in document.problems
        ],
    }


def lines(entry: dict[str, Any]) -> list[str]:
    """Returns a refused document's lines for a person: where it came from, and what is wrong while it waits."""
    head = f"{entry['name']}  {entry['document']}  {entry['format'] or '?'}  {entry['state']}  {entry['attempts']}×"
    told = [f"    {': '.join(filter(None, told.values()))}" for told in entry["problems"]]
    return [head, *(told if entry["state"] == "REFUSED" else [])]
