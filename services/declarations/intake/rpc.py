"""Refused documents on the wire."""

from collections.abc import Iterable, Iterator

from aval.declarations.v1 import declarations_pb2, intake_pb2
from aval.type.v1 import problem_pb2

from services.declarations.intake.model import RefusedDocument, Told

Verdict = declarations_pb2.IntakeVerdict


def to_proto(document: RefusedDocument, content: bytes = b"") -> intake_pb2.RefusedDocument:
    """What its sender sees; the content only where it was asked for."""
    message = intake_pb2.RefusedDocument(
        name=document.name,
        document_id=document.document_id,
        format=document.format,
        content=content,
        problems=[problem_pb2.Problem(path=t.path, reason=t.reason, message=t.message) for t in document.problems],
        state=document.state.value,
        attempts=document.attempts,
        etag=str(document.revision),
    )
    message.first_refuse_time.FromMicroseconds(document.first_us)
    message.last_refuse_time.FromMicroseconds(document.last_us)
    return message


def told(document_id: str, verdicts: Iterable[declarations_pb2.IntakeVerdict]) -> tuple[Told, ...]:
    """The problems of a document's refused parts; the path of a part begins with its place in the document."""
    return tuple(_told(document_id, verdicts))


def _told(document_id: str, verdicts: Iterable[declarations_pb2.IntakeVerdict]) -> Iterator[Told]:
    for verdict in verdicts:
        place = verdict.document_id.removeprefix(document_id)
        for problem in verdict.problems if verdict.outcome == Verdict.REFUSED else ():
            yield Told("/".join(filter(None, (place, problem.path))), problem.reason, problem.message)
