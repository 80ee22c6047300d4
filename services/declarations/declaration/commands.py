"""Intake: rows and receipts; each by itself accepted, known already, or refused with all its problems."""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from aval.declarations.v1 import declarations_pb2
from aval.declarations.v1.personal_pb2 import PersonalData

from chassis import bulk, database, fields
from chassis.clock import business_date
from chassis.command import Transaction
from chassis.errors import Problem
from chassis.rpc import problem
from services.declarations.checks import check
from services.declarations.consent import store as consents
from services.declarations.declaration import model, rpc, store
from services.declarations.declaration.model import Content, Declaration
from services.declarations.personal import store as personal
from services.declarations.receipts import STATUS_WITHOUT_RECEIPTS, receipt_row, status_after
from services.declarations.records import hindrances, permit_uses
from services.declarations.value import commands as values

Verdict = declarations_pb2.IntakeVerdict
# Held together by all who take declarations in, alone by receipts of a declaration that isn't known yet.
ARRIVING = "declarations/-"
KNOWN_OTHERWISE = Problem(
    "declaration_number",
    "DECLARATION_KNOWN_WITH_OTHER_CONTENT",
    "This number was declared with other content; a change comes as an amendment, with its amend_time.",
    "该报关单号已申报且内容不同；修改须以改单方式提交，并注明改单时间（amend_time）。",
)
AMENDED_LATER = Problem(
    "amend_time",
    "AMENDMENT_SUPERSEDED",
    "A later amendment of this declaration is known already; this one changes nothing.",
    "已收到该报关单更晚的修改；本次修改不再生效。",
)
OTHER_ENTERPRISE = Problem(
    "enterprise",
    "AMENDMENT_OF_ANOTHER_ENTERPRISE",
    "An amendment can't change the exporter or the currency; delete the declaration and declare anew.",
    "修改不能变更发货人或币制；请删单后重新申报。",
)
UNKNOWN_CODE = Problem(
    "channel_code",
    "CHANNEL_CODE_UNKNOWN",
    "No such channel code is known at the notice time; check the code with the window.",
    "通知时间内无此通道代码；请向单一窗口核对代码。",
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One document or row: its id, and what it says or what is wrong with it."""

    document_id: str
    content: Content | None
    problems: Sequence[Problem]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Those of one request, in order."""

    rows: Sequence[Candidate]

    @property
    def numbers(self) -> set[str]:
        """The numbers of those that are sound."""
        return {one.content.id for one in self.rows if one.content}


def candidate(document_id: str, row: declarations_pb2.Declaration | None, problems: Sequence[Problem]) -> Candidate:
    """A row after its checks."""
    content = None if row is None or problems else rpc.content_of(row)
    return Candidate(document_id, content, problems)


def rows(request: declarations_pb2.BatchCreateDeclarationsRequest) -> Candidates:
    """Declarations as rows, checked."""
    return Candidates([_row_candidate(index, row) for index, row in enumerate(request.declarations)])


def _row_candidate(index: int, row: declarations_pb2.Declaration) -> Candidate:
    raw = row.SerializeToString(deterministic=True)
    problems = fields.row_problems(row, raw) or check(row)
    return Candidate(str(index), None if problems else rpc.content_of(row, raw), problems)


def create_batch(
    work: Sequence[tuple[Transaction, Candidates]],
) -> list[declarations_pb2.BatchCreateDeclarationsResponse]:
    """Declarations as rows."""
    return [declarations_pb2.BatchCreateDeclarationsResponse(verdicts=verdicts) for verdicts in take(work)]


@dataclass(frozen=True, slots=True)
class Known:
    """What the store knows of the numbers of a batch, kept up as its rows are decided."""

    digests: dict[str, bytes]
    waiting: Mapping[str, Sequence[store.Receipt]]
    institutions: Mapping[str, Sequence[str]]

    def status(self, number: str) -> str:
        """Where the receipts that came before a declaration leave it."""
        before = self.waiting.get(number)
        return status_after(one.notice for one in before) if before else STATUS_WITHOUT_RECEIPTS


def take(work: Sequence[tuple[Transaction, Candidates]]) -> list[list[declarations_pb2.IntakeVerdict]]:
    """Accepts what is new and sound of several requests as one step; the verdicts of each, in order."""
    connection = work[0][0].connection
    database.lock_shared(connection, ARRIVING)
    numbers = set().union(*(candidates.numbers for _, candidates in work))
    digests = store.digests(connection, numbers)
    owners = {one.content.enterprise for _, candidates in work for one in candidates.rows if one.content}
    institutions = consents.institutions(connection, owners, work[0][0].now_us)
    known = Known(digests, store.receipts_of(connection, numbers - digests.keys()), institutions)
    return [_take(transaction, candidates.rows, known) for transaction, candidates in work]


def _take(
    transaction: Transaction, candidates: Sequence[Candidate], known: Known
) -> list[declarations_pb2.IntakeVerdict]:
    today, language = business_date(transaction.now_us), transaction.caller.language
    accepted: list[bulk.Row] = []
    amendments: list[tuple[int, Content]] = []
    persons: dict[str, PersonalData] = {}
    controlled: list[Content] = []
    verdicts = []
    for index, one in enumerate(candidates):
        content = one.content
        if content is None:
            verdicts.append(refused(one.document_id, one.problems, language))
            continue
        before = known.digests.get(content.id)
        if before is None:
            accepted.append(_row(content, known, today, transaction.now_us))
            known.digests[content.id] = content.digest
            if content.persons:
                persons[f"declarations/{content.id}"] = content.persons
            if content.controlled:
                controlled.append(content)
        elif before != content.digest and content.amend_us:
            amendments.append((index, content))
        verdicts.append(_verdict(one.document_id, content, before, language))
    store.add(transaction, accepted, known.institutions)
    permit_uses.declared(transaction, controlled, known.status)
    unchanged = dict(_amend(transaction, amendments, known))
    for index, problems in unchanged.items():
        verdicts[index] = refused(candidates[index].document_id, problems, language)
    for index, content in amendments:
        if content.persons and index not in unchanged:
            persons[f"declarations/{content.id}"] = content.persons
    personal.put(transaction, persons)
    return verdicts


def _row(content: Content, known: Known, today: datetime.date, now_us: int) -> bulk.Row:
    return store.row(content, known.status(content.id), today, now_us)


def _verdict(document_id: str, content: Content, before: bytes | None, language: str) -> declarations_pb2.IntakeVerdict:
    """Of a sound row; an amendment counts as accepted until it is found to be none."""
    if before is not None and before != content.digest and not content.amend_us:
        return refused(document_id, [KNOWN_OTHERWISE], language)
    outcome = Verdict.DUPLICATE if before == content.digest else Verdict.ACCEPTED
    return Verdict(document_id=document_id, outcome=outcome, resource=f"declarations/{content.id}")


def refused(document_id: str, problems: Iterable[Problem], language: str) -> declarations_pb2.IntakeVerdict:
    """The verdict on a document or row with problems."""
    told = [problem(one, language) for one in problems]
    return Verdict(document_id=document_id, outcome=Verdict.REFUSED, problems=told)


def _amend(
    transaction: Transaction, amendments: Sequence[tuple[int, Content]], known: Known
) -> list[tuple[int, list[Problem]]]:
    """Amends in order of approval; the places of those that change nothing, with their problems."""
    if not amendments:
        return []
    present = store.load(transaction.connection, {content.id for _, content in amendments})
    stored = dict(present)
    found = []
    for index, content in sorted(amendments, key=lambda pair: pair[1].amend_us):
        before = stored[content.id]
        if problems := _amendment_problems(before, content):
            found.append((index, problems))
            continue
        after = model.amended(before, content, transaction.now_us)
        permit_uses.amended(transaction, before, content)
        hindered = hindrances.of(transaction.connection, [after], transaction.now_us)
        stored[content.id] = store.amend(transaction, before, after, hindered)
        values.declared_value_changed(transaction, [(before, stored[content.id])])
        known.digests[content.id] = content.digest
        if content.persons:
            personal.put(transaction, {before.name: content.persons})
    return found


def _amendment_problems(before: Declaration, content: Content) -> list[Problem]:
    if (before.enterprise, before.value.currency) != (content.enterprise, content.value_currency):
        return [OTHER_ENTERPRISE]
    return [AMENDED_LATER] if content.amend_us <= before.amend_us else []


def create_receipts(
    transaction: Transaction, request: declarations_pb2.BatchCreateReceiptsRequest
) -> declarations_pb2.BatchCreateReceiptsResponse:
    """Receipts in any order and as often as they come."""
    numbers = {receipt.declaration_number for receipt in request.receipts}
    before = store.receipts_of(transaction.connection, numbers)
    known: set[store.Key] = {(n, one.notice_us, one.channel_code) for n, rows in before.items() for one in rows}
    fresh: dict[store.Key, str] = {}
    verdicts = []
    for index, receipt in enumerate(request.receipts):
        if problems := receipt_problems(receipt):
            verdicts.append(refused(str(index), problems, transaction.caller.language))
            continue
        key = (receipt.declaration_number, receipt.notice_time.ToMicroseconds(), receipt.channel_code)
        verdicts.append(_receipt_verdict(str(index), receipt, key in known or key in fresh))
        if key not in known:
            fresh.setdefault(key, receipt.note)
    standings = _standings(before, fresh)
    store.add_receipts(transaction, fresh, standings)
    _move(transaction, standings)
    return declarations_pb2.BatchCreateReceiptsResponse(verdicts=verdicts)


def receipt_problems(receipt: declarations_pb2.Receipt) -> list[Problem]:
    """Every problem of a receipt by itself."""
    found = fields.row_problems(receipt)
    if not found and receipt_row(receipt.channel_code, receipt.notice_time.ToMicroseconds()) is None:
        return [UNKNOWN_CODE]
    return found


def _receipt_verdict(
    document_id: str, receipt: declarations_pb2.Receipt, is_known: bool
) -> declarations_pb2.IntakeVerdict:
    outcome = Verdict.DUPLICATE if is_known else Verdict.ACCEPTED
    name = f"declarations/{receipt.declaration_number}"
    return Verdict(document_id=document_id, outcome=outcome, resource=name)


def _standings(
    before: Mapping[str, Sequence[store.Receipt]], fresh: Iterable[store.Key]
) -> Mapping[str, store.Standing]:
    """Where all receipts, known and new ones, leave the declarations of the new ones."""
    notices: dict[str, list[tuple[str, int]]] = {}
    for number, notice_us, code in fresh:
        known = notices.setdefault(number, [one.notice for one in before.get(number, ())])
        known.append((code, notice_us))
    return {number: store.Standing(status_after(known), len(known)) for number, known in notices.items()}


def _arrived(transaction: Transaction, numbers: AbstractSet[str]) -> dict[str, Declaration]:
    """The declarations of receipts; one that another process is just taking in wouldn't find them: it is waited for."""
    known = store.load(transaction.connection, numbers)
    if known.keys() == numbers:
        return known
    database.lock(transaction.connection, [ARRIVING])
    return known | store.load(transaction.connection, numbers - known.keys())


def _move(transaction: Transaction, standings: Mapping[str, store.Standing]) -> None:
    """Moves the declarations of new receipts to where all their receipts leave them."""
    moved, changed = [], []
    for number, declaration in _arrived(transaction, standings.keys()).items():
        after = replace(declaration, status=standings[number].status)
        if after.status != declaration.status:
            moved.append(after)
            changed.append((declaration, after))
    permit_uses.moved(transaction, changed)
    store.save_status(transaction, moved, hindrances.of(transaction.connection, moved, transaction.now_us))
    values.status_changed(transaction, changed)
