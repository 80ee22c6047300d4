"""Takes records in: each row by itself accepted, a duplicate, or refused with all its problems."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aval.declarations.v1 import declarations_pb2, records_pb2

from chassis import fields
from chassis.command import Transaction
from chassis.errors import Problem
from chassis.identity import Caller
from services.declarations.assets import returns
from services.declarations.assets.rebate import claims as rebate_claims
from services.declarations.intake.merchants import commands as merchants_commands
from services.declarations.privacy import callers
from services.declarations.window import verdicts as window_verdicts
from services.declarations.window.bill import intake as bill_intake
from services.declarations.window.declaration import store as declaration_store
from services.declarations.window.eligibility import holds, permit_uses
from services.declarations.window.records import kinds as records_kinds
from services.declarations.window.records import rpc as records_rpc
from services.declarations.window.records import store as records_store
from services.declarations.window.records.kinds import KINDS
from services.declarations.window.records.model import Record

Verdict = declarations_pb2.IntakeVerdict
WRITER_NOT_ALLOWED = Problem(
    "",
    "WRITER_NOT_ALLOWED",
    "Another writes this kind of record; each has one writer.",
    "该类记录由其他方提供；每类记录只有一个提供方。",
)
RECORD_OF_ANOTHER_WRITER = Problem(
    "",
    "RECORD_OF_ANOTHER_WRITER",
    "Another wrote this record first and keeps it; ask it for the change.",
    "该记录由其他方首先提供并维护；请联系其变更。",
)
ENTERPRISE_NOT_YOURS = Problem(
    "enterprise", "ENTERPRISE_NOT_YOURS", "Write your own enterprise's records only.", "只能提供本企业的记录。"
)
DECLARATION_NOT_YOURS = Problem(
    "declaration",
    "DECLARATION_NOT_YOURS",
    "No declaration of your enterprise has this number; check it.",
    "贵企业没有该编号的报关单；请核对。",
)
ENTERPRISE_DIFFERS = Problem(
    "enterprise",
    "ENTERPRISE_DIFFERS",
    "The declaration is another enterprise's; correct one of them.",
    "该报关单属于其他企业；请更正其一。",
)
KNOWN_OTHERWISE = Problem(
    "notice_time",
    "RECORD_KNOWN_WITH_OTHER_CONTENT",
    "This record came with other content and the same notice time; send a change with a later one.",
    "同一通知时间的该记录已收到且内容不同；变更须使用更晚的通知时间。",
)


RECORD_IS_FINAL = Problem(
    "",
    "RECORD_IS_FINAL",
    "A record of this kind never changes once it is known; send what is new under a number of its own.",
    "该类记录一经接收不得变更；新的内容须使用新的编号。",
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row after its own checks: its body, or its problems."""

    document_id: str
    body: records_pb2.Record | None
    problems: Sequence[Problem]


@dataclass(slots=True)
class Batch:
    """The store's knowledge of a batch's records, kept up as its rows are decided."""

    newest: dict[str, Record]
    digests: dict[tuple[str, int], bytes]
    owners: Mapping[str, str]
    bills: bill_intake.StandingBills
    returns: returns.Known


@dataclass(slots=True)
class Taken:
    """The additions of a batch, in order: versions and their bodies."""

    versions: list[Record]
    bodies: list[records_pb2.Record]

    def add(self, record: Record, body: records_pb2.Record, before: Record | None) -> None:
        """Adds a version; an earlier one of the same batch no longer counts where this does."""
        if record.is_newest and before is not None:
            self.versions = [
                dataclasses.replace(added, is_newest=False) if added.id == before.id else added
                for added in self.versions
            ]
        self.versions.append(record)
        self.bodies.append(body)


def candidates(request: declarations_pb2.BatchCreateRecordsRequest) -> list[Candidate]:
    """Returns a request's rows, checked."""
    return [candidate(str(index), row) for index, row in enumerate(request.records)]


def candidate(document_id: str, row: records_pb2.Record) -> Candidate:
    """Returns a row after its own checks."""
    problems = fields.row_problems(row) or records_kinds.problems(row)
    return Candidate(document_id, None if problems else records_rpc.stored(row), problems)


def create_batch(
    transaction: Transaction, prepared: Sequence[Candidate]
) -> declarations_pb2.BatchCreateRecordsResponse:
    """Takes records as rows."""
    return declarations_pb2.BatchCreateRecordsResponse(verdicts=_take(transaction, prepared))


def take(
    transaction: Transaction, rows: Sequence[tuple[str, records_pb2.Record]]
) -> list[declarations_pb2.IntakeVerdict]:
    """Takes records that documents gave, by the documents' ids; returns one verdict each, in order."""
    return _take(transaction, [candidate(document_id, row) for document_id, row in rows])


def _take(transaction: Transaction, rows: Sequence[Candidate]) -> list[declarations_pb2.IntakeVerdict]:
    batch, taken = _load(transaction, rows), Taken([], [])
    verdicts = [_decide(transaction, batch, taken, row) for row in rows]
    if taken.versions:
        records_store.add(transaction, taken.versions, taken.bodies)
        _follow(transaction, batch, taken)
    return verdicts


def _load(transaction: Transaction, rows: Sequence[Candidate]) -> Batch:
    connection = transaction.connection
    bodies = [row.body for row in rows if row.body is not None]
    versions = {(records_kinds.identifier(body), body.notice_time.ToMicroseconds()) for body in bodies}
    identifiers = {record for record, _ in versions}
    numbers = {body.declaration.removeprefix("declarations/") for body in bodies if body.declaration}
    return Batch(
        records_store.newest(connection, identifiers),
        records_store.digests(connection, versions),
        declaration_store.enterprises(connection, numbers) if numbers else {},
        bill_intake.load(connection, [records_kinds.identifier(body) for body in bodies if body.HasField("bill")]),
        returns.load(connection, bodies),
    )


def _decide(
    transaction: Transaction, batch: Batch, taken: Taken, candidate: Candidate
) -> declarations_pb2.IntakeVerdict:
    if candidate.body is None:
        return _refused(transaction, candidate, candidate.problems)
    owner = batch.owners.get(candidate.body.declaration.removeprefix("declarations/"), "")
    enterprise = candidate.body.enterprise or owner
    caller = transaction.caller
    version = records_rpc.from_row(
        candidate.body, transaction.ids.resource("record"), enterprise, caller.tenant, transaction.now_us
    )
    before = batch.newest.get(version.record)
    digest = batch.digests.get((version.record, version.notice_us))
    if problems := _of_writer(caller, version, owner) or _of_history(version, before, digest):
        return _refused(transaction, candidate, problems)
    counts = before is None or version.notice_us > before.notice_us
    if counts and (
        problems := [
            *batch.bills.problems(candidate.body, version),
            *returns.problems(batch.returns, candidate.body),
        ]
    ):
        return _refused(transaction, candidate, problems)
    if digest is None:
        _accept(batch, taken, dataclasses.replace(version, is_newest=counts), candidate.body)
    outcome = Verdict.DUPLICATE if digest else Verdict.ACCEPTED
    return Verdict(document_id=candidate.document_id, outcome=outcome, resource=version.name)


def _refused(
    transaction: Transaction, candidate: Candidate, problems: Sequence[Problem]
) -> declarations_pb2.IntakeVerdict:
    return window_verdicts.refused(candidate.document_id, problems, transaction.caller.language)


def _of_writer(caller: Caller, version: Record, owner: str) -> list[Problem]:
    """Returns the problems of a caller that may not write the record, or not about that enterprise."""
    if KINDS[version.kind].writer not in caller.roles:
        return [WRITER_NOT_ALLOWED]
    if callers.is_window(caller):
        return [ENTERPRISE_DIFFERS] if owner and version.enterprise != owner else []
    tests = (
        (version.enterprise == caller.tenant, ENTERPRISE_NOT_YOURS),
        (not version.declaration or owner == caller.tenant, DECLARATION_NOT_YOURS),
    )
    return [problem for is_right, problem in tests if not is_right]


def _of_history(version: Record, before: Record | None, digest: bytes | None) -> list[Problem]:
    if before is not None and before.writer != version.writer:
        return [RECORD_OF_ANOTHER_WRITER]
    if KINDS[version.kind].is_final and before is not None and before.digest != version.digest:
        return [RECORD_IS_FINAL]
    return [KNOWN_OTHERWISE] if digest not in (None, version.digest) else []


def _accept(batch: Batch, taken: Taken, version: Record, body: records_pb2.Record) -> None:
    taken.add(version, body, batch.newest.get(version.record))
    batch.digests[version.record, version.notice_us] = version.digest
    if version.is_newest:
        batch.newest[version.record] = version


Effect = Callable[[Transaction, Batch, Sequence[tuple[Record, Any]]], None]


def _follow(transaction: Transaction, batch: Batch, taken: Taken) -> None:
    """Applies the further effects of versions that count."""
    counting = [(record, body) for record, body in zip(taken.versions, taken.bodies, strict=True) if record.is_newest]
    for kind, effect in EFFECTS.items():
        changed = [(record, records_kinds.content_of(body)) for record, body in counting if record.kind == kind]
        if changed:
            effect(transaction, batch, changed)


EFFECTS: Mapping[str, Effect] = {
    "bill": lambda transaction, batch, changed: bill_intake.follow(transaction, batch.bills, changed),
    "enterprise_registration": lambda transaction, _batch, changed: merchants_commands.expect(transaction, changed),
    "permit": lambda transaction, _batch, changed: permit_uses.follow(transaction, changed),
    "rebate_status": lambda transaction, _batch, changed: rebate_claims.follow(transaction, changed),
    "goods_return": lambda transaction, batch, changed: returns.follow(transaction, batch.returns, changed),
    "hold": lambda transaction, _batch, changed: holds.tell(transaction, changed),
}
