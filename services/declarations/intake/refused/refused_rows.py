"""Rows of batches and streams: those that are refused are kept like documents, and mended rows close them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aval.declarations.v1 import declarations_pb2
from google.protobuf.message import Message

from chassis.command import Transaction
from chassis.service import Command
from services.declarations.intake.formats import rows
from services.declarations.intake.refused import keeping, rpc, store
from services.declarations.intake.refused.model import Attempt, Outcome, Told
from services.declarations.privacy import callers

Verdict = declarations_pb2.IntakeVerdict
# By the kind of row: the field of the request that has them.
FIELDS: Mapping[str, str] = {
    "declaration": "declarations",
    "receipt": "receipts",
    "record": "records",
    "reference_record": "reference_records",
    rows.RETAIL: "documents",
}
# A document that only its sender couldn't have answered is known by its content when it comes again.
DOCUMENT_KINDS = {"XML": "document"}
# Whose rows are kept: who can list them and send them again.
SUBJECT_BYTES = 16
OTHER_REASON = "OTHER"
_REASON = re.compile(r"[A-Z]+(_[A-Z0-9]+){0,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as it came, and what the command makes of it before its turn."""

    request: Any
    work: Any


def keeping_refused(command: Command, kind: str) -> Command:
    """The command, which then also keeps the rows of this kind that it refuses."""

    def run(transaction: Transaction, sent: Sent) -> Message:
        assert command.run is not None
        response = command.run(transaction, sent.work)
        _keep(transaction, kind, sent.request, response)
        return response

    def run_batch(work: Sequence[tuple[Transaction, Sent]]) -> Sequence[Any]:
        assert command.run_batch is not None
        responses = command.run_batch([(transaction, sent.work) for transaction, sent in work])
        for (transaction, sent), response in zip(work, responses, strict=True):
            _keep(transaction, kind, sent.request, response)
        return responses

    return replace(
        command,
        run=run if command.run else None,
        run_batch=run_batch if command.run_batch else None,
        prepare=lambda request: Sent(request, command.prepare(request)),
        is_personal=rpc.has_refused,
    )


def _keep(transaction: Transaction, kind: str, request: Any, response: Any) -> None:
    """Keeps what was refused of a request; what was accepted is looked at only if the sender says that it mends."""
    source = request.source
    if not callers.is_window(transaction.caller):
        return
    if not (source.unread or source.has_mended or rpc.has_refused(response)):
        return
    pairs = list(zip(getattr(request, FIELDS[kind]), response.verdicts, strict=True))
    accepted = _mending(transaction, kind, pairs) if source.has_mended else set()
    refused = list(_refused(transaction, kind, request, pairs))
    outcomes = [*(each_outcome for _, each_outcome in refused), *_unread(transaction, kind, request)]
    if not outcomes and not accepted:
        return
    kept = keeping.keep(transaction, outcomes, accepted)
    for verdict, outcome in refused:
        rpc.name_kept([verdict], kept.get(outcome.digest, ""))


def _mending(transaction: Transaction, kind: str, pairs: Sequence[tuple[Any, Any]]) -> set[str]:
    """The subjects of accepted rows, if any row at all waits to be mended."""
    if not store.has_waiting_rows(transaction.connection, transaction.caller.tenant):
        return set()
    found = (_subject(transaction, kind, row) for row, entry in pairs if entry.outcome == Verdict.ACCEPTED)
    return set(filter(None, found))


def _refused(
    transaction: Transaction, kind: str, request: Any, pairs: Sequence[tuple[Any, Any]]
) -> Iterator[tuple[Any, Outcome]]:
    positions = request.source.positions
    for index, (row, verdict) in enumerate(pairs):
        if verdict.outcome == Verdict.REFUSED:
            name = _name(request, positions[index] if index < len(positions) else index)
            attempt = Attempt(name, kind, _told(verdict.problems), transaction.now_us)
            token = _digest(transaction, kind, row.SerializeToString(deterministic=True))
            content = rows.Row(**{kind: row}).SerializeToString(deterministic=True)
            yield verdict, Outcome(token, _subject(transaction, kind, row), attempt, content)


def _unread(transaction: Transaction, kind: str, request: Any) -> Iterator[Outcome]:
    """Yields the parts of a file that the sender itself couldn't make rows of."""
    for entry in request.source.unread:
        problems = tuple(replace(told, reason=_reason(told.reason)) for told in _told(entry.problems))
        attempt = Attempt(_name(request, entry.position), entry.format, problems, transaction.now_us)
        read = getattr(entry.row, kind) if entry.row.HasField(kind) else None
        subject = "" if read is None else _subject(transaction, kind, read)
        kind_of_content = DOCUMENT_KINDS.get(entry.format, entry.format)
        yield Outcome(_digest(transaction, kind_of_content, entry.content), subject, attempt, entry.content)


def _reason(text: str) -> str:
    """A reason as its sender gives it: it is kept in clear, so it can be nothing but a constant."""
    return text if _REASON.fullmatch(text) else OTHER_REASON


def _name(request: Any, position: int) -> str:
    return f"{request.source.name or request.request_id}#{position}"


def _told(problems: Any) -> tuple[Told, ...]:
    return tuple(Told(problem.path, problem.reason, problem.message) for problem in problems)


def _digest(transaction: Transaction, kind: str, content: bytes) -> bytes:
    return transaction.keys.token(f"refused {kind}", content)


def _subject(transaction: Transaction, kind: str, row: Any) -> str:
    """A token, since a number may be anything in a row that is refused; empty where the row has none."""
    found = rows.key(kind, row)
    return transaction.keys.token("refused subject", found.encode())[:SUBJECT_BYTES].hex() if found else ""
