"""Hands rows to the rooms that own them: by the type of the row, as few steps as there are types."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aval.declarations.v1 import declarations_pb2, records_pb2, reference_pb2, retail_pb2
from google.protobuf.message import Message

from chassis import database
from chassis.command import Transaction
from services.declarations.intake.formats.parsing import Read
from services.declarations.intake.takers import declarations as takers_declarations
from services.declarations.intake.takers import drafts as takers_drafts
from services.declarations.intake.takers import receipts as takers_receipts
from services.declarations.intake.takers import records as takers_records
from services.declarations.intake.takers import retail as takers_retail
from services.declarations.window import verdicts as window_verdicts
from services.declarations.window.records import rpc as records_rpc
from services.declarations.window.reference import commands as reference_commands

Verdict = declarations_pb2.IntakeVerdict
Rows = Sequence[tuple[str, Any]]
Take = Callable[[Transaction, Rows], Sequence[declarations_pb2.IntakeVerdict]]


def _declarations(transaction: Transaction, rows: Rows) -> Sequence[declarations_pb2.IntakeVerdict]:
    candidates = [takers_declarations.candidate(document_id, row, ()) for document_id, row in rows]
    (verdicts,) = takers_drafts.take([(transaction, takers_declarations.Candidates(candidates))])
    return verdicts


def _receipts(transaction: Transaction, rows: Rows) -> Sequence[declarations_pb2.IntakeVerdict]:
    request = declarations_pb2.BatchCreateReceiptsRequest(receipts=[row for _, row in rows])
    return _renamed(takers_receipts.create_receipts(transaction, request).verdicts, rows)


def _reference_records(transaction: Transaction, rows: Rows) -> Sequence[declarations_pb2.IntakeVerdict]:
    request = declarations_pb2.BatchCreateReferenceRecordsRequest(reference_records=[row for _, row in rows])
    return _renamed(reference_commands.create_batch(transaction, request).verdicts, rows)


def _renamed(verdicts: Any, rows: Rows) -> Sequence[declarations_pb2.IntakeVerdict]:
    """Gives verdicts the documents' ids in place of the rows' indexes."""
    for (document_id, _), verdict in zip(rows, verdicts, strict=True):
        verdict.document_id = document_id
    return verdicts  # type: ignore[no-any-return]


_RETAIL_KINDS: Mapping[type[Message], str] = {
    type(getattr(retail_pb2.RetailDocument(), kind)): kind for kind in takers_retail.TAKERS
}
# In the order in which they are taken: rows that others refer to come first.
TAKERS: Mapping[type[Message], Take] = {
    declarations_pb2.Declaration: _declarations,
    declarations_pb2.ImportResponse: takers_drafts.respond,
    declarations_pb2.Receipt: _receipts,
    **{row: takers_retail.TAKERS[kind] for row, kind in _RETAIL_KINDS.items()},
    records_pb2.Record: takers_records.take,
    reference_pb2.ReferenceRecord: _reference_records,
}


@dataclass(slots=True)
class Part:
    """A document of a message, and its verdict."""

    document_id: str
    row: Message | None
    verdict: declarations_pb2.IntakeVerdict


def take(
    transaction: Transaction, documents: Sequence[declarations_pb2.Document], read: Sequence[Read]
) -> list[list[declarations_pb2.IntakeVerdict]]:
    """Takes the parts of all documents; returns the verdicts of each document's parts, in order."""
    parts = [
        _parts(document, document_read, transaction.caller.language)
        for document, document_read in zip(documents, read, strict=True)
    ]
    sound = [part for of_document in parts for part in of_document if part.row is not None]
    _lock(transaction, sound)
    for kind, taker in TAKERS.items():
        _take(transaction, taker, [part for part in sound if isinstance(part.row, kind)])
    return [[part.verdict for part in of_document] for of_document in parts]


def _lock(transaction: Transaction, parts: Sequence[Part]) -> None:
    """Locks the names that the documents may change, known only now; two batches that wait for each other run again."""
    kinds = ((_RETAIL_KINDS.get(type(part.row), ""), part.row) for part in parts if part.row)
    rows = [part.row for part in parts if isinstance(part.row, records_pb2.Record)]
    database.lock(transaction.connection, sorted({*takers_retail.names_of(kinds), *records_rpc.names_of(rows)}))


def _parts(document: declarations_pb2.Document, read: Read, language: str) -> list[Part]:
    """Returns the document's parts; those that can't be read are refused already."""
    parts = []
    for parsed in read.parts:
        document_id = f"{document.document_id}#{parsed.document_id}" if parsed.document_id else document.document_id
        verdict = window_verdicts.refused(document_id, parsed.problems, language)
        parts.append(Part(document_id, None if parsed.problems else parsed.row, verdict))
    return parts


def _take(transaction: Transaction, taker: Take, parts: Sequence[Part]) -> None:
    if not parts:
        return
    verdicts = taker(transaction, [(part.document_id, part.row) for part in parts])
    for part, verdict in zip(parts, verdicts, strict=True):
        part.verdict = verdict
