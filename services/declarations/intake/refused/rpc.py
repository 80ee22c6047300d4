"""Refused documents and rows on the wire, and as they are sealed."""

import hashlib
import operator
from collections.abc import Iterable, Iterator
from typing import Any

from aval.declarations.v1 import declarations_pb2, intake_pb2
from aval.type.v1 import problem_pb2

from chassis.blobs.model import name_of
from services.declarations.intake.formats import rows
from services.declarations.intake.refused.model import Attempt, RefusedDocument, Told

Verdict = declarations_pb2.IntakeVerdict
_OUTCOME = operator.attrgetter("outcome")


def to_proto(
    document: RefusedDocument, told: intake_pb2.RefusedDocument | None, stored: bytes = b""
) -> intake_pb2.RefusedDocument:
    """Returns what its sender sees; the content only where it was asked for, as it is stored.

    `told` is what was sealed of its last attempt.
    """
    message = intake_pb2.RefusedDocument(
        name=document.name,
        format=document.format,
        content=content(document, stored),
        blob=_blob(document, stored),
        state=document.state.value,
        attempts=document.attempts,
        etag=str(document.revision),
    )
    if told is not None:
        message.MergeFrom(told)
    message.first_refuse_time.FromMicroseconds(document.first_us)
    message.last_refuse_time.FromMicroseconds(document.last_us)
    return message


def _blob(document: RefusedDocument, stored: bytes) -> str:
    """Returns the name of the blob that has the same bytes; a row is stored in another form than it is told."""
    if not stored or document.format in rows.KINDS:
        return ""
    return name_of(hashlib.sha256(stored).hexdigest())


def content(document: RefusedDocument, stored: bytes) -> bytes:
    """Returns the content as it is told and taken: a row as JSON."""
    return rows.to_json(stored) if stored and document.format in rows.KINDS else stored


def has_refused(response: Any) -> bool:
    """Whether an answer of intake has problems in it, which quote what they are about."""
    return Verdict.REFUSED in map(_OUTCOME, response.verdicts)


def name_kept(verdicts: Iterable[declarations_pb2.IntakeVerdict], name: str) -> None:
    """Says on the refused ones where they are kept."""
    for verdict in verdicts:
        if verdict.outcome == Verdict.REFUSED:
            verdict.refused_document = name


def always(_response: Any) -> bool:
    """An answer that has a refused document in it."""
    return True


def to_seal(attempt: Attempt) -> bytes:
    """How an attempt was told: its problems quote what they are about, and a file may be named after a person."""
    problems = [problem_pb2.Problem(path=t.path, reason=t.reason, message=t.message) for t in attempt.problems]
    told = intake_pb2.RefusedDocument(document_id=attempt.document_id, problems=problems)
    return told.SerializeToString(deterministic=True)


def told(document_id: str, verdicts: Iterable[declarations_pb2.IntakeVerdict]) -> tuple[Told, ...]:
    """The problems of a document's refused parts; the path of a part begins with its place in the document."""
    return tuple(_told(document_id, verdicts))


def _told(document_id: str, verdicts: Iterable[declarations_pb2.IntakeVerdict]) -> Iterator[Told]:
    for verdict in verdicts:
        place = verdict.document_id.removeprefix(document_id)
        for problem in verdict.problems if verdict.outcome == Verdict.REFUSED else ():
            yield Told("/".join(filter(None, (place, problem.path))), problem.reason, problem.message)
