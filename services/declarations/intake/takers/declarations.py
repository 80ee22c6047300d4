"""Takes rows and receipts in; each by itself accepted, a duplicate, or refused with all its problems."""

import enum
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from types import MappingProxyType

from aval.declarations.v1 import declarations_pb2
from aval.declarations.v1.personal_pb2 import PersonalData

from chassis import database, fields
from chassis.command import Transaction
from chassis.errors import Problem
from services.declarations.assets import declared as assets_declared
from services.declarations.customs.checks import check_row
from services.declarations.customs.receipts import STATUS_WITHOUT_RECEIPTS, receipt_row, status_after
from services.declarations.privacy.consent import store as consent_store
from services.declarations.privacy.personal import store as personal_store
from services.declarations.window import verdicts as window_verdicts
from services.declarations.window.declaration import model as declaration_model
from services.declarations.window.declaration import rpc as declaration_rpc
from services.declarations.window.declaration import store as declaration_store
from services.declarations.window.declaration.model import Content, Declaration
from services.declarations.window.eligibility import hindrances, permit_uses

Verdict = declarations_pb2.IntakeVerdict
# Locked together by all who take declarations in, alone by receipts of a declaration that isn't stored yet.
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
    """A document or row: its id, and its content or its problems."""

    document_id: str
    content: Content | None
    problems: Sequence[Problem]


@dataclass(frozen=True, slots=True)
class Candidates:
    """The candidates of one request, in order."""

    rows: Sequence[Candidate]

    @property
    def numbers(self) -> set[str]:
        """The numbers of those that are sound and have one."""
        return {row.content.id for row in self.rows if row.content} - {""}


def candidate(document_id: str, row: declarations_pb2.Declaration | None, problems: Sequence[Problem]) -> Candidate:
    """Returns a row after its checks."""
    content = None if row is None or problems else declaration_rpc.content_of(row)
    return Candidate(document_id, content, problems)


def rows(request: declarations_pb2.BatchCreateDeclarationsRequest) -> Candidates:
    """Returns declarations as rows, checked."""
    return Candidates([_row_candidate(index, row) for index, row in enumerate(request.declarations)])


def _row_candidate(index: int, row: declarations_pb2.Declaration) -> Candidate:
    raw = row.SerializeToString(deterministic=True)
    problems = fields.row_problems(row, raw) or check_row(row)
    return Candidate(str(index), None if problems else declaration_rpc.content_of(row, raw), problems)


class Fate(enum.Enum):
    """The fate of a row."""

    NEW = "it is declared"
    AMENDMENT = "it changes what was declared"
    KNOWN = "it says what is known"
    REFUSED = "it is wrong"


Sorted = tuple[Candidate, Fate, Sequence[Problem]]


@dataclass(frozen=True, slots=True)
class Batch:
    """The store's knowledge of the numbers of a batch, kept up as its rows are decided.

    `provisional`: by number the digest of content that is only a draft's: a declaration under the number replaces it.
    """

    digests: dict[str, bytes]
    waiting: Mapping[str, Sequence[declaration_store.Receipt]]
    institutions: Mapping[str, Sequence[str]]
    provisional: Mapping[str, bytes]

    def status(self, number: str) -> str:
        """Returns the status in which the receipts that came before a declaration leave it."""
        before = self.waiting.get(number)
        return status_after(receipt.notice for receipt in before) if before else STATUS_WITHOUT_RECEIPTS

    def may_change(self, content: Content) -> bool:
        """Tells whether other content may replace the standing one."""
        return bool(content.amend_us) or self.provisional.get(content.id) == self.digests.get(content.id)


def take(
    work: Sequence[tuple[Transaction, Candidates]], provisional: Mapping[str, bytes] = MappingProxyType({})
) -> list[list[declarations_pb2.IntakeVerdict]]:
    """Accepts new and sound rows of several requests as one step; returns the verdicts of each, in order."""
    connection = work[0][0].connection
    database.lock_shared(connection, ARRIVING)
    numbers = set().union(*(candidates.numbers for _, candidates in work))
    digests = declaration_store.digests(connection, numbers)
    owners = {row.content.enterprise for _, candidates in work for row in candidates.rows if row.content}
    institutions = consent_store.institutions(connection, owners, work[0][0].now_us)
    receipts = declaration_store.receipts_of(connection, numbers - digests.keys())
    batch = Batch(digests, receipts, institutions, provisional)
    return [_take(transaction, candidates.rows, batch) for transaction, candidates in work]


def _take(
    transaction: Transaction, candidates: Sequence[Candidate], batch: Batch
) -> list[declarations_pb2.IntakeVerdict]:
    """Sorts the rows, then stores new ones, then amendments; each stores its own persons, once."""
    rows = [_sorted(candidate, batch) for candidate in candidates]
    _declare(transaction, list(_of_fate(rows, Fate.NEW).values()), batch)
    unchanged = _amend(transaction, _of_fate(rows, Fate.AMENDMENT), batch)
    language = transaction.caller.language
    return [_verdict(row, unchanged.get(place, ()), language) for place, row in enumerate(rows)]


def _sorted(candidate: Candidate, batch: Batch) -> Sorted:
    content = candidate.content
    if content is None:
        return candidate, Fate.REFUSED, candidate.problems
    before = batch.digests.get(content.id)
    if before is None:
        batch.digests[content.id] = content.digest
        return candidate, Fate.NEW, ()
    if before == content.digest:
        return candidate, Fate.KNOWN, ()
    return (
        (candidate, Fate.AMENDMENT, ()) if batch.may_change(content) else (candidate, Fate.REFUSED, [KNOWN_OTHERWISE])
    )


def _of_fate(rows: Iterable[Sorted], fate: Fate) -> dict[int, Content]:
    """Returns the contents of the rows of a fate, by their places."""
    return {
        place: candidate.content for place, (candidate, own, _) in enumerate(rows) if own is fate and candidate.content
    }


def _verdict(row: Sorted, unchanged: Sequence[Problem], language: str) -> declarations_pb2.IntakeVerdict:
    candidate, fate, problems = row
    if candidate.content is None or fate is Fate.REFUSED or unchanged:
        return window_verdicts.refused(candidate.document_id, [*problems, *unchanged], language)
    verdict = window_verdicts.duplicate if fate is Fate.KNOWN else window_verdicts.accepted
    return verdict(candidate.document_id, f"declarations/{candidate.content.id}")


def _declare(transaction: Transaction, contents: Sequence[Content], batch: Batch) -> None:
    """Stores new declarations and their persons."""
    today = transaction.business_date
    rows = [declaration_store.row(content, batch.status(content.id), today, transaction.now_us) for content in contents]
    declaration_store.add(transaction, rows, batch.institutions)
    permit_uses.declared(transaction, [content for content in contents if content.controlled], batch.status)
    personal_store.put(
        transaction, {f"declarations/{content.id}": content.persons for content in contents if content.persons}
    )


def _amend(
    transaction: Transaction, amendments: Mapping[int, Content], batch: Batch
) -> Mapping[int, Sequence[Problem]]:
    """Amends in order of approval; returns by place the problems that keep an amendment from changing anything."""
    if not amendments:
        return {}
    stored = dict(declaration_store.load(transaction.connection, {content.id for content in amendments.values()}))
    refused: dict[int, Sequence[Problem]] = {}
    for place, content in sorted(amendments.items(), key=lambda amendment: amendment[1].amend_us):
        before = stored[content.id]
        if problems := _amendment_problems(before, content):
            refused[place] = problems
            continue
        stored[content.id] = _replace(transaction, before, content)
        batch.digests[content.id] = content.digest
    return refused


def _replace(transaction: Transaction, before: Declaration, content: Content) -> Declaration:
    """Saves the declaration with other content and its persons, and all that follows from that."""
    after = declaration_model.amended(before, content, transaction.now_us)
    permit_uses.amended(transaction, before, content)
    hindered = hindrances.of(transaction.connection, [after], transaction.business_date)
    stored = declaration_store.amend(transaction, before, after, hindered)
    assets_declared.declared_value_changed(transaction, [(before, stored)])
    # A declaration in place of a draft's content has all of its persons.
    if content.persons or not content.amend_us:
        personal_store.put(transaction, {before.name: content.persons or PersonalData()})
    return stored


def _amendment_problems(before: Declaration, content: Content) -> list[Problem]:
    if (before.enterprise, before.value.currency) != (content.enterprise, content.value_currency):
        return [OTHER_ENTERPRISE]
    return [AMENDED_LATER] if content.amend_us and content.amend_us <= before.amend_us else []


def create_receipts(
    transaction: Transaction, request: declarations_pb2.BatchCreateReceiptsRequest
) -> declarations_pb2.BatchCreateReceiptsResponse:
    """Takes receipts in any order and as often as they come."""
    numbers = {receipt.declaration_number for receipt in request.receipts}
    before = declaration_store.receipts_of(transaction.connection, numbers)
    stored: set[declaration_store.Key] = {
        (n, row.notice_us, row.channel_code) for n, rows in before.items() for row in rows
    }
    notes: dict[declaration_store.Key, str] = {}
    verdicts = []
    for index, receipt in enumerate(request.receipts):
        if problems := receipt_problems(receipt):
            verdicts.append(window_verdicts.refused(str(index), problems, transaction.caller.language))
            continue
        key = (receipt.declaration_number, receipt.notice_time.ToMicroseconds(), receipt.channel_code)
        verdicts.append(_receipt_verdict(str(index), receipt, key in stored or key in notes))
        if key not in stored:
            notes.setdefault(key, receipt.note)
    standings = _standings(before, notes)
    declaration_store.add_receipts(transaction, notes, standings)
    _move(transaction, standings)
    return declarations_pb2.BatchCreateReceiptsResponse(verdicts=verdicts)


def receipt_problems(receipt: declarations_pb2.Receipt) -> list[Problem]:
    """Lists every problem of a receipt by itself."""
    problems = fields.row_problems(receipt)
    if not problems and receipt_row(receipt.channel_code, receipt.notice_time.ToMicroseconds()) is None:
        return [UNKNOWN_CODE]
    return problems


def _receipt_verdict(
    document_id: str, receipt: declarations_pb2.Receipt, is_known: bool
) -> declarations_pb2.IntakeVerdict:
    verdict = window_verdicts.duplicate if is_known else window_verdicts.accepted
    return verdict(document_id, f"declarations/{receipt.declaration_number}")


def _standings(
    before: Mapping[str, Sequence[declaration_store.Receipt]], added: Iterable[declaration_store.Key]
) -> Mapping[str, declaration_store.Standing]:
    """Returns the status of the declarations of new receipts after all their receipts."""
    notices: dict[str, list[tuple[str, int]]] = {}
    for number, notice_us, code in added:
        of_declaration = notices.setdefault(number, [receipt.notice for receipt in before.get(number, ())])
        of_declaration.append((code, notice_us))
    return {
        number: declaration_store.Standing(status_after(of_declaration), len(of_declaration))
        for number, of_declaration in notices.items()
    }


def _arrived(transaction: Transaction, numbers: AbstractSet[str]) -> dict[str, Declaration]:
    """Returns the declarations of receipts; waits for one that another process is just taking in."""
    stored = declaration_store.load(transaction.connection, numbers)
    if stored.keys() == numbers:
        return stored
    database.lock(transaction.connection, [ARRIVING])
    return stored | declaration_store.load(transaction.connection, numbers - stored.keys())


def _move(transaction: Transaction, standings: Mapping[str, declaration_store.Standing]) -> None:
    """Moves the declarations of new receipts to the status that all their receipts give."""
    moved, changed = [], []
    for number, declaration in _arrived(transaction, standings.keys()).items():
        after = replace(declaration, status=standings[number].status)
        if after.status != declaration.status:
            moved.append(after)
            changed.append((declaration, after))
    permit_uses.moved(transaction, changed)
    declaration_store.save_status(
        transaction, moved, hindrances.of(transaction.connection, moved, transaction.business_date)
    )
    assets_declared.status_changed(transaction, changed)
