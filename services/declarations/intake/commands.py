"""Intake of documents: each accepted, known already, or refused and kept until it is mended or given up."""

from collections.abc import Sequence
from dataclasses import dataclass

from aval.declarations.v1 import declarations_pb2, intake_pb2

from chassis.command import Transaction
from chassis.errors import NotFound
from chassis.states import check_etag
from services.declarations.intake import model, parsing, rpc, store, taking
from services.declarations.intake.model import Attempt, RefusedDocument, State
from services.declarations.intake.parsing import Read

Verdicts = Sequence[declarations_pb2.IntakeVerdict]


@dataclass(frozen=True, slots=True)
class Documents:
    """The documents of one request, and what is in them."""

    sent: Sequence[declarations_pb2.Document]
    read: Sequence[Read]


def read(request: declarations_pb2.ImportDocumentsRequest) -> Documents:
    """Reads the documents: what needs no store."""
    return Documents(request.documents, [parsing.read(document) for document in request.documents])


def import_documents(transaction: Transaction, documents: Documents) -> declarations_pb2.ImportDocumentsResponse:
    """Documents of every format; one that is refused never stops the others."""
    verdicts = taking.take(transaction, documents.sent, documents.read)
    _keep_refused(transaction, documents, verdicts)
    return declarations_pb2.ImportDocumentsResponse(verdicts=[one for some in verdicts for one in some])


def _keep_refused(transaction: Transaction, documents: Documents, verdicts: Sequence[Verdicts]) -> None:
    """Remembers what was refused, once for each content, and what is accepted now that was refused before."""
    digests = [transaction.keys.token("refused document", document.content) for document in documents.sent]
    stored = store.by_digest(transaction.connection, transaction.caller.tenant, digests)
    kept: dict[bytes, RefusedDocument] = dict(stored)
    contents: dict[bytes, bytes] = {}
    for digest, document, one, some in zip(digests, documents.sent, documents.read, verdicts, strict=True):
        attempt = _attempt(transaction, document, one, some)
        after = _after(transaction, kept.get(digest), digest, attempt)
        if after is not None:
            kept[digest] = after
            contents[digest] = document.content
    changed = [document for digest, document in kept.items() if document is not stored.get(digest)]
    _save(transaction, changed, {kept[digest].name: content for digest, content in contents.items()})


def _attempt(transaction: Transaction, document: declarations_pb2.Document, read: Read, verdicts: Verdicts) -> Attempt:
    problems = rpc.told(document.document_id, verdicts)
    return Attempt(document.document_id, read.format, problems, transaction.now_us)


def _after(
    transaction: Transaction, before: RefusedDocument | None, digest: bytes, attempt: Attempt
) -> RefusedDocument | None:
    """The refused document as this attempt leaves it; None where there is none or nothing changes."""
    if attempt.problems:
        return model.refused_again(before or _unseen(transaction, digest), attempt)
    return model.mended(before) if before and before.state == State.REFUSED else None


def _unseen(transaction: Transaction, digest: bytes) -> RefusedDocument:
    """Before its first attempt."""
    identifier, sender = transaction.ids.resource("refused"), transaction.caller.tenant
    return RefusedDocument(identifier, sender, digest, "", "", (), State.REFUSED, 0, transaction.now_us, 0, 0)


def _save(transaction: Transaction, changed: Sequence[RefusedDocument], contents: dict[str, bytes]) -> None:
    """Rows and contents; what isn't REFUSED any more loses its content."""
    waiting = {document.name for document in changed if document.state == State.REFUSED}
    store.add(transaction, [document for document in changed if _is_new(document)])
    store.save(transaction, [document for document in changed if not _is_new(document)])
    store.keep_contents(transaction, {name: content for name, content in contents.items() if name in waiting})
    store.forget_contents(transaction, {document.name for document in changed} - waiting)


def _is_new(document: RefusedDocument) -> bool:
    return document.revision == 0


def resend(
    transaction: Transaction, request: declarations_pb2.ResendDocumentRequest
) -> declarations_pb2.ResendDocumentResponse:
    """Runs intake again over a refused document, as it was or with mended content."""
    document = _load(transaction, request.name, request.etag)
    # Only what is REFUSED can be accepted.
    model.mended(document)
    content = request.content or store.content(transaction, document)
    sent = declarations_pb2.Document(document_id=document.document_id, content=content)
    parts = parsing.read(sent)
    (verdicts,) = taking.take(transaction, [sent], [parts])
    attempt = _attempt(transaction, sent, parts, verdicts)
    after = model.refused_again(document, attempt) if attempt.problems else model.mended(document)
    _save(transaction, [after], {after.name: content})
    fresh = _load(transaction, request.name)
    return declarations_pb2.ResendDocumentResponse(refused_document=rpc.to_proto(fresh), verdicts=verdicts)


def discard(transaction: Transaction, request: intake_pb2.DiscardRefusedDocumentRequest) -> intake_pb2.RefusedDocument:
    """Its sender gives it up."""
    document = _load(transaction, request.name, request.etag)
    _save(transaction, [model.discarded(document)], {})
    return rpc.to_proto(_load(transaction, request.name))


def _load(transaction: Transaction, name: str, etag: str = "") -> RefusedDocument:
    """The sender's own. NotFound, EtagMismatch."""
    document = store.load(transaction.connection, transaction.caller.tenant, name)
    if document is None:
        raise NotFound(resource=name)
    check_etag(etag, document)
    return document
