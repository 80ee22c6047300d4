"""Intake: rows and receipts; each by itself accepted, known already, or refused with all its problems."""

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
        """The numbers of those that are sound and have one."""
        return {row.content.id for row in self.rows if row.content} - {""}


def candidate(document_id: str, row: declarations_pb2.Declaration | None, problems: Sequence[Problem]) -> Candidate:
    """A row after its checks."""
    content = None if row is None or problems else declaration_rpc.content_of(row)
    return Candidate(document_id, content, problems)


def rows(request: declarations_pb2.BatchCreateDeclarationsRequest) -> Candidates:
    """Declarations as rows, checked."""
    return Candidates([_row_candidate(index, row) for index, row in enumerate(request.declarations)])


def _row_candidate(index: int, row: declarations_pb2.Declaration) -> Candidate:
    raw = row.SerializeToString(deterministic=True)
    problems = fields.row_problems(row, raw) or check_row(row)
    return Candidate(str(index), None if problems else declaration_rpc.content_of(row, raw), problems)


class Fate(enum.Enum):
    """What becomes of a row."""

    NEW = "it is declared"
    AMENDMENT = "it changes what was declared"
    KNOWN = "it says what is known"
    REFUSED = "it is wrong"


Sorted = tuple[Candidate, Fate, Sequence[Problem]]


@dataclass(frozen=True, slots=True)
class Known:
    """What the store knows of the numbers of a batch, kept up as its rows are decided.

    `provisional`: by number the digest of content that is only a draft's: what comes under the number replaces it.
    """

    digests: dict[str, bytes]
    waiting: Mapping[str, Sequence[declaration_store.Receipt]]
    institutions: Mapping[str, Sequence[str]]
    provisional: Mapping[str, bytes]

    def status(self, number: str) -> str:
        """Where the receipts that came before a declaration leave it."""
        before = self.waiting.get(number)
        return status_after(receipt.notice for receipt in before) if before else STATUS_WITHOUT_RECEIPTS

    def may_change(self, content: Content) -> bool:
        """Whether other content than is known may replace it."""
        return bool(content.amend_us) or self.provisional.get(content.id) == self.digests.get(content.id)


def take(
    work: Sequence[tuple[Transaction, Candidates]], provisional: Mapping[str, bytes] = MappingProxyType({})
) -> list[list[declarations_pb2.IntakeVerdict]]:
    """Accepts what is new and sound of several requests as one step; the verdicts of each, in order."""
    connection = work[0][0].connection
    database.lock_shared(connection, ARRIVING)
    numbers = set().union(*(candidates.numbers for _, candidates in work))
    digests = declaration_store.digests(connection, numbers)
    owners = {row.content.enterprise for _, candidates in work for row in candidates.rows if row.content}
    institutions = consent_store.institutions(connection, owners, work[0][0].now_us)
    receipts = declaration_store.receipts_of(connection, numbers - digests.keys())
    known = Known(digests, receipts, institutions, provisional)
    return [_take(transaction, candidates.rows, known) for transaction, candidates in work]


def _take(
    transaction: Transaction, candidates: Sequence[Candidate], known: Known
) -> list[declarations_pb2.IntakeVerdict]:
    """Sorts the rows, then stores what is new, then what changes it; each stores its own persons, once."""
    rows = [_sorted(each_candidate, known) for each_candidate in candidates]
    _declare(transaction, list(_of_fate(rows, Fate.NEW).values()), known)
    unchanged = _amend(transaction, _of_fate(rows, Fate.AMENDMENT), known)
    language = transaction.caller.language
    return [_verdict(row, unchanged.get(place, ()), language) for place, row in enumerate(rows)]


def _sorted(each_candidate: Candidate, known: Known) -> Sorted:
    content = each_candidate.content
    if content is None:
        return each_candidate, Fate.REFUSED, each_candidate.problems
    before = known.digests.get(content.id)
    if before is None:
        known.digests[content.id] = content.digest
        return each_candidate, Fate.NEW, ()
    if before == content.digest:
        return each_candidate, Fate.KNOWN, ()
    return (
        (each_candidate, Fate.AMENDMENT, ())
        if known.may_change(content)
        else (each_candidate, Fate.REFUSED, [KNOWN_OTHERWISE])
    )


def _of_fate(rows: Iterable[Sorted], fate: Fate) -> dict[int, Content]:
    """By their places."""
    return {
        place: each_candidate.content
        for place, (each_candidate, found, _) in enumerate(rows)
        if found is fate and each_candidate.content
    }


def _verdict(row: Sorted, unchanged: Sequence[Problem], language: str) -> declarations_pb2.IntakeVerdict:
    each_candidate, fate, problems = row
    if each_candidate.content is None or fate is Fate.REFUSED or unchanged:
        return window_verdicts.refused(each_candidate.document_id, [*problems, *unchanged], language)
    told = window_verdicts.duplicate if fate is Fate.KNOWN else window_verdicts.accepted
    return told(each_candidate.document_id, f"declarations/{each_candidate.content.id}")


def _declare(transaction: Transaction, fresh: Sequence[Content], known: Known) -> None:
    """Stores new declarations and their persons."""
    today = transaction.business_date
    rows = [declaration_store.row(content, known.status(content.id), today, transaction.now_us) for content in fresh]
    declaration_store.add(transaction, rows, known.institutions)
    permit_uses.declared(transaction, [content for content in fresh if content.controlled], known.status)
    personal_store.put(
        transaction, {f"declarations/{content.id}": content.persons for content in fresh if content.persons}
    )


def _amend(
    transaction: Transaction, amendments: Mapping[int, Content], known: Known
) -> Mapping[int, Sequence[Problem]]:
    """Amends in order of approval; by its place what keeps an amendment from changing anything."""
    if not amendments:
        return {}
    stored = dict(declaration_store.load(transaction.connection, {content.id for content in amendments.values()}))
    found: dict[int, Sequence[Problem]] = {}
    for place, content in sorted(amendments.items(), key=lambda pair: pair[1].amend_us):
        before = stored[content.id]
        if problems := _amendment_problems(before, content):
            found[place] = problems
            continue
        stored[content.id] = _replace(transaction, before, content)
        known.digests[content.id] = content.digest
    return found


def _replace(transaction: Transaction, before: Declaration, content: Content) -> Declaration:
    """The declaration with other content and its persons, and what follows from that."""
    after = declaration_model.amended(before, content, transaction.now_us)
    permit_uses.amended(transaction, before, content)
    hindered = hindrances.of(transaction.connection, [after], transaction.business_date)
    stored = declaration_store.amend(transaction, before, after, hindered)
    assets_declared.declared_value_changed(transaction, [(before, stored)])
    # What replaces a draft's content has all that is known of its persons.
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
    """Receipts in any order and as often as they come."""
    numbers = {receipt.declaration_number for receipt in request.receipts}
    before = declaration_store.receipts_of(transaction.connection, numbers)
    known: set[declaration_store.Key] = {
        (n, row.notice_us, row.channel_code) for n, rows in before.items() for row in rows
    }
    fresh: dict[declaration_store.Key, str] = {}
    verdicts = []
    for index, receipt in enumerate(request.receipts):
        if problems := receipt_problems(receipt):
            verdicts.append(window_verdicts.refused(str(index), problems, transaction.caller.language))
            continue
        key = (receipt.declaration_number, receipt.notice_time.ToMicroseconds(), receipt.channel_code)
        verdicts.append(_receipt_verdict(str(index), receipt, key in known or key in fresh))
        if key not in known:
            fresh.setdefault(key, receipt.note)
    standings = _standings(before, fresh)
    declaration_store.add_receipts(transaction, fresh, standings)
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
    told = window_verdicts.duplicate if is_known else window_verdicts.accepted
    return told(document_id, f"declarations/{receipt.declaration_number}")


def _standings(
    before: Mapping[str, Sequence[declaration_store.Receipt]], fresh: Iterable[declaration_store.Key]
) -> Mapping[str, declaration_store.Standing]:
    """Where all receipts, known and new ones, leave the declarations of the new ones."""
    notices: dict[str, list[tuple[str, int]]] = {}
    for number, notice_us, code in fresh:
        known = notices.setdefault(number, [receipt.notice for receipt in before.get(number, ())])
        known.append((code, notice_us))
    return {number: declaration_store.Standing(status_after(known), len(known)) for number, known in notices.items()}


def _arrived(transaction: Transaction, numbers: AbstractSet[str]) -> dict[str, Declaration]:
    """The declarations of receipts; one that another process is just taking in wouldn't find them: it is waited for."""
    known = declaration_store.load(transaction.connection, numbers)
    if known.keys() == numbers:
        return known
    database.lock(transaction.connection, [ARRIVING])
    return known | declaration_store.load(transaction.connection, numbers - known.keys())


def _move(transaction: Transaction, standings: Mapping[str, declaration_store.Standing]) -> None:
    """Moves the declarations of new receipts to where all their receipts leave them."""
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
