"""Rows of batches and streams: those that are refused are kept like documents, and mended by what is accepted."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aval.declarations.v1 import declarations_pb2
from google.protobuf.message import Message

from chassis.command import Transaction
from chassis.service import Command
from services.declarations.formats import rows
from services.declarations.intake import keeping, rpc, store
from services.declarations.intake.model import Attempt, Outcome, Told

Verdict = declarations_pb2.IntakeVerdict
# By the kind of row: the field of the request that has them.
FIELDS: Mapping[str, str] = {
    "declaration": "declarations",
    "receipt": "receipts",
    "record": "records",
    "reference_record": "reference_records",
    rows.RETAIL: "documents",
}
# Whose rows are kept: who can list them and send them again.
KEPT_FOR = "WINDOW"


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
        _Keeper(kind).keep(transaction, sent.request, response)
        return response

    def run_batch(work: Sequence[tuple[Transaction, Sent]]) -> Sequence[Any]:
        assert command.run_batch is not None
        responses = command.run_batch([(transaction, sent.work) for transaction, sent in work])
        keeper = _Keeper(kind)
        for (transaction, sent), response in zip(work, responses, strict=True):
            keeper.keep(transaction, sent.request, response)
        return responses

    return replace(
        command,
        run=run if command.run else None,
        run_batch=run_batch if command.run_batch else None,
        prepare=lambda request: Sent(request, command.prepare(request)),
        is_personal=rpc.has_refused,
    )


class _Keeper:
    """Of one batch: whose rows wait to be mended is looked up once a sender."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._waiting: dict[str, bool] = {}

    def keep(self, transaction: Transaction, request: Any, response: Any) -> None:
        """Keeps what was refused of a request; what was accepted costs nothing while nothing waits."""
        sender = transaction.caller.tenant
        if KEPT_FOR not in transaction.caller.roles:
            return
        pairs = list(zip(getattr(request, FIELDS[self._kind]), response.verdicts, strict=True))
        accepted = self._accepted(transaction, pairs) if self._has_waiting(transaction, sender) else set()
        refused = list(_refused(transaction, self._kind, request, pairs))
        outcomes = [*(one for _, one in refused), *_unread(transaction, self._kind, request)]
        if not outcomes and not accepted:
            return
        kept = keeping.keep(transaction, outcomes, accepted)
        for verdict, one in refused:
            rpc.name_kept([verdict], kept.get(one.digest, ""))
        self._waiting.pop(sender)

    def _has_waiting(self, transaction: Transaction, sender: str) -> bool:
        if sender not in self._waiting:
            self._waiting[sender] = store.has_waiting_rows(transaction.connection, sender)
        return self._waiting[sender]

    def _accepted(self, transaction: Transaction, pairs: Sequence[tuple[Any, Any]]) -> set[str]:
        found = (_subject(transaction, self._kind, row) for row, one in pairs if one.outcome == Verdict.ACCEPTED)
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
    """What the sender itself couldn't make a row of."""
    for one in request.source.unread:
        attempt = Attempt(_name(request, one.position), one.format, _told(one.problems), transaction.now_us)
        read = getattr(one.row, kind) if one.row.HasField(kind) else None
        subject = "" if read is None else _subject(transaction, kind, read)
        yield Outcome(_digest(transaction, one.format, one.content), subject, attempt, one.content)


def _name(request: Any, position: int) -> str:
    return f"{request.source.name or request.request_id}#{position}"


def _told(problems: Any) -> tuple[Told, ...]:
    return tuple(Told(one.path, one.reason, one.message) for one in problems)


def _digest(transaction: Transaction, kind: str, content: bytes) -> bytes:
    return transaction.keys.token(f"refused {kind}", content)


def _subject(transaction: Transaction, kind: str, row: Any) -> str:
    """A token, since a number may be anything in a row that is refused; empty where the row has none."""
    found = rows.key(kind, row)
    return transaction.keys.token("refused subject", found.encode()).hex() if found else ""
