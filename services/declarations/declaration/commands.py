"""Intake: rows and receipts; each by itself accepted, known already, or refused with all its problems."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from aval.declarations.v1 import declarations_pb2

from chassis import fields
from chassis.command import Transaction
from chassis.errors import Problem
from chassis.rpc import problem
from services.declarations.checks import check
from services.declarations.declaration import model, rpc, store
from services.declarations.declaration.model import Declaration
from services.declarations.personal import store as personal
from services.declarations.personal.intake import persons_of
from services.declarations.receipts import receipt_row, status_after

Verdict = declarations_pb2.IntakeVerdict
KNOWN_OTHERWISE = Problem(
    "declaration_number",
    "DECLARATION_KNOWN_WITH_OTHER_CONTENT",
    "This number was declared with other content; a change of a declaration comes as an amendment.",
    "该报关单号已申报且内容不同；修改须以改单方式提交。",
)
UNKNOWN_CODE = Problem(
    "channel_code",
    "CHANNEL_CODE_UNKNOWN",
    "No such channel code is known at the notice time; check the code with the window.",
    "通知时间内无此通道代码；请向单一窗口核对代码。",
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One document or row: its id, and the declaration or what is wrong with it."""

    document_id: str
    row: declarations_pb2.Declaration | None
    problems: Sequence[Problem]


def create_batch(
    transaction: Transaction, request: declarations_pb2.BatchCreateDeclarationsRequest
) -> declarations_pb2.BatchCreateDeclarationsResponse:
    """Declarations as rows."""
    candidates = [
        Candidate(str(index), row, fields.problems(row) or check(row)) for index, row in enumerate(request.declarations)
    ]
    return declarations_pb2.BatchCreateDeclarationsResponse(verdicts=_take(transaction, candidates))


def _take(transaction: Transaction, candidates: Sequence[Candidate]) -> list[declarations_pb2.IntakeVerdict]:
    """Accepts what is new and sound; the verdicts in order."""
    sound = [one.row for one in candidates if one.row is not None and not one.problems]
    numbers = {row.declaration_number for row in sound}
    known = dict(store.digests(transaction.connection, numbers))
    waiting = store.receipts_of(transaction.connection, numbers - known.keys())
    language = transaction.caller.language
    accepted: list[Declaration] = []
    rows: list[tuple[str, declarations_pb2.Declaration]] = []
    verdicts = []
    for candidate in candidates:
        if candidate.row is None or candidate.problems:
            verdicts.append(_refused(candidate.document_id, candidate.problems, language))
            continue
        fresh = _record(candidate.row, waiting, transaction.now_us)
        verdicts.append(_verdict(candidate.document_id, fresh, known.get(fresh.id), language))
        if fresh.id not in known:
            known[fresh.id] = fresh.digest
            accepted.append(fresh)
            rows.append((fresh.name, candidate.row))
    store.add(transaction, accepted)
    personal.put(transaction, persons_of(rows))
    return verdicts


def _record(
    row: declarations_pb2.Declaration, waiting: Mapping[str, Iterable[tuple[str, int, str]]], now_us: int
) -> Declaration:
    """The record, as the receipts that were there before it leave it."""
    status = status_after((code, notice_us) for code, notice_us, _ in waiting.get(row.declaration_number, ()))
    return rpc.from_row(row, status, now_us)


def _verdict(
    document_id: str, fresh: Declaration, known: bytes | None, language: str
) -> declarations_pb2.IntakeVerdict:
    if known is None:
        return Verdict(document_id=document_id, outcome=Verdict.ACCEPTED, resource=fresh.name)
    if known == fresh.digest:
        return Verdict(document_id=document_id, outcome=Verdict.DUPLICATE, resource=fresh.name)
    return _refused(document_id, [KNOWN_OTHERWISE], language)


def _refused(document_id: str, problems: Iterable[Problem], language: str) -> declarations_pb2.IntakeVerdict:
    told = [problem(one, language) for one in problems]
    return Verdict(document_id=document_id, outcome=Verdict.REFUSED, problems=told)


def create_receipts(
    transaction: Transaction, request: declarations_pb2.BatchCreateReceiptsRequest
) -> declarations_pb2.BatchCreateReceiptsResponse:
    """Receipts in any order and as often as they come."""
    numbers = {receipt.declaration_number for receipt in request.receipts}
    before = store.receipts_of(transaction.connection, numbers)
    known: set[store.Key] = {(n, notice_us, code) for n, rows in before.items() for code, notice_us, _ in rows}
    fresh: dict[store.Key, str] = {}
    verdicts = []
    for index, receipt in enumerate(request.receipts):
        problems = receipt_problems(receipt)
        key = (receipt.declaration_number, receipt.notice_time.ToMicroseconds(), receipt.channel_code)
        if problems:
            verdicts.append(_refused(str(index), problems, transaction.caller.language))
            continue
        verdicts.append(_receipt_verdict(str(index), receipt, key in known or key in fresh))
        if key not in known:
            fresh.setdefault(key, receipt.note)
    store.add_receipts(transaction.connection, fresh)
    _move(transaction, fresh)
    return declarations_pb2.BatchCreateReceiptsResponse(verdicts=verdicts)


def receipt_problems(receipt: declarations_pb2.Receipt) -> list[Problem]:
    """Every problem of a receipt by itself."""
    found = fields.problems(receipt)
    if not found and receipt_row(receipt.channel_code, receipt.notice_time.ToMicroseconds()) is None:
        return [UNKNOWN_CODE]
    return found


def _receipt_verdict(
    document_id: str, receipt: declarations_pb2.Receipt, is_known: bool
) -> declarations_pb2.IntakeVerdict:
    outcome = Verdict.DUPLICATE if is_known else Verdict.ACCEPTED
    name = f"declarations/{receipt.declaration_number}"
    return Verdict(document_id=document_id, outcome=outcome, resource=name)


def _move(transaction: Transaction, fresh: Iterable[store.Key]) -> None:
    """Moves the declarations of new receipts to where all their receipts leave them."""
    numbers = {number for number, _, _ in fresh}
    receipts = store.receipts_of(transaction.connection, numbers)
    moved = []
    for number, declaration in store.load(transaction.connection, numbers).items():
        after = model.with_receipts(declaration, ((code, us) for code, us, _ in receipts[number]))
        if after.status != declaration.status:
            moved.append(after)
    store.save_status(transaction, moved)
