"""Takes documents in: each is accepted, a duplicate, or refused and kept until it is mended or given up."""

from collections.abc import Sequence
from dataclasses import dataclass

from aval.declarations.v1 import declarations_pb2, intake_pb2

from chassis.command import Transaction
from chassis.errors import NotFound
from chassis.states import check_etag
from services.declarations.intake.formats import parsing, rows
from services.declarations.intake.formats.parsing import Read
from services.declarations.intake.refused import keeping
from services.declarations.intake.refused import model as refused_model
from services.declarations.intake.refused import rpc as refused_rpc
from services.declarations.intake.refused import store as refused_store
from services.declarations.intake.refused.errors import MendedRowNeeded
from services.declarations.intake.refused.model import Attempt, Outcome, RefusedDocument
from services.declarations.intake.refused.terms import refused_kept_days
from services.declarations.intake.takers import table as takers_table

AT_ONCE = 500
DAY_US = 86_400_000_000
Verdicts = Sequence[declarations_pb2.IntakeVerdict]


@dataclass(frozen=True, slots=True)
class Documents:
    """The documents of a request, and what was read of them."""

    sent: Sequence[declarations_pb2.Document]
    read: Sequence[Read]


def read(request: declarations_pb2.ImportDocumentsRequest) -> Documents:
    """Reads the documents: the part of intake that needs no store."""
    return Documents(request.documents, [parsing.read(document) for document in request.documents])


def import_documents(transaction: Transaction, documents: Documents) -> declarations_pb2.ImportDocumentsResponse:
    """Takes documents of every format in; one that is refused never stops the others."""
    verdicts = takers_table.take(transaction, documents.sent, documents.read)
    _keep_refused(transaction, documents, verdicts)
    return declarations_pb2.ImportDocumentsResponse(
        verdicts=[verdict for of_document in verdicts for verdict in of_document]
    )


def _keep_refused(transaction: Transaction, documents: Documents, verdicts: Sequence[Verdicts]) -> None:
    """Keeps refused documents, once for each content, and marks those that are accepted now as mended."""
    outcomes = [
        _outcome(transaction, *document) for document in zip(documents.sent, documents.read, verdicts, strict=True)
    ]
    kept = keeping.keep(transaction, outcomes)
    for outcome, of_document in zip(outcomes, verdicts, strict=True):
        refused_rpc.name_kept(of_document, kept.get(outcome.digest, ""))


def _outcome(transaction: Transaction, document: declarations_pb2.Document, read: Read, verdicts: Verdicts) -> Outcome:
    problems = refused_rpc.told(document.document_id, verdicts)
    attempt = Attempt(document.document_id, read.format, problems, transaction.now_us)
    return Outcome(transaction.keys.token("refused document", document.content), "", attempt, document.content)


def resend(
    transaction: Transaction, request: declarations_pb2.ResendDocumentRequest
) -> declarations_pb2.ResendDocumentResponse:
    """Runs intake again over a refused document, as it was or with mended content."""
    document = _load(transaction, request.name, request.etag)
    # Only a REFUSED document can be accepted.
    refused_model.mended(document)
    sent = _sent(transaction, document, request.content)
    parts = parsing.read(sent)
    (verdicts,) = takers_table.take(transaction, [sent], [parts])
    outcome = _outcome(transaction, sent, parts, verdicts)
    after = (
        refused_model.refused_again(document, outcome.attempt)
        if outcome.attempt.problems
        else refused_model.mended(document)
    )
    refused_rpc.name_kept(verdicts, after.name)
    keeping.save(transaction, [after], {after.name: outcome})
    return declarations_pb2.ResendDocumentResponse(refused_document=_told(transaction, request.name), verdicts=verdicts)


def _sent(transaction: Transaction, document: RefusedDocument, mended: bytes) -> declarations_pb2.Document:
    """Returns the document that is sent again. Raises MendedRowNeeded."""
    if not mended and document.format in rows.UNREAD:
        raise MendedRowNeeded(document=document.name)
    details = refused_store.told(transaction, [document])[document.name]
    content = mended or refused_rpc.content(document, refused_store.content(transaction, document))
    return declarations_pb2.Document(document_id=details.document_id, content=content)


def discard(transaction: Transaction, request: intake_pb2.DiscardRefusedDocumentRequest) -> intake_pb2.RefusedDocument:
    """Discards a refused document: its sender gives it up."""
    document = _load(transaction, request.name, request.etag)
    keeping.save(transaction, [refused_model.discarded(document)], {})
    return _told(transaction, request.name)


def forget_old(transaction: Transaction) -> bool:
    """Forgets documents refused so long ago that nobody will mend them. Returns whether more may be left."""
    before_us = transaction.now_us - refused_kept_days(transaction.business_date) * DAY_US
    return refused_store.forget_before(transaction.connection, before_us, AT_ONCE) == AT_ONCE


def _told(transaction: Transaction, name: str) -> intake_pb2.RefusedDocument:
    document = _load(transaction, name)
    return refused_rpc.to_proto(document, refused_store.told(transaction, [document]).get(name))


def _load(transaction: Transaction, name: str, etag: str = "") -> RefusedDocument:
    """Returns a refused document of the sender. Raises NotFound and EtagMismatch."""
    document = refused_store.load(transaction.connection, transaction.caller.tenant, name)
    if document is None:
        raise NotFound(resource=name)
    check_etag(etag, document)
    return document
