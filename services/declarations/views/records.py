"""Reads records: the enterprise its own, an institution what it was let see, the window all, anyone published ones."""

from typing import Any

import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2, records_pb2

from chassis import money, paging, records
from chassis import rpc as chassis_rpc
from chassis.errors import InvalidFields, NotFound
from chassis.service import Reading
from services.declarations.assets.rebate import claims as rebate_claims
from services.declarations.privacy.consent import access
from services.declarations.privacy.consent import store as consent_store
from services.declarations.views import declarations as views_declarations
from services.declarations.window.bill import store as bill_store
from services.declarations.window.bill import views as bill_views
from services.declarations.window.declaration import store as declaration_store
from services.declarations.window.declaration.model import Declaration
from services.declarations.window.eligibility import hindrances, holds, manifests, permits
from services.declarations.window.records import kinds as records_kinds
from services.declarations.window.records import mirrors, titles
from services.declarations.window.records import rpc as records_rpc
from services.declarations.window.records import store as records_store
from services.declarations.window.records.kinds import KINDS
from services.declarations.window.records.model import Record
from services.declarations.window.records.store import record_versions
from trade import checks as trade_checks

PUBLIC = [name for name, kind in KINDS.items() if kind.is_public]


def get(reading: Reading, request: records_pb2.GetRecordRequest) -> records_pb2.Record:
    """Returns a record. Raises NotFound, also where the caller may not know of it."""
    identifier = request.name.removeprefix("records/")
    if request.HasField("as_of"):
        record = records_store.version_at(reading.connection, identifier, request.as_of.ToMicroseconds())
    else:
        record = records_store.newest(reading.connection, [identifier]).get(identifier)
    if record is None or not (record.kind in PUBLIC or access.sees_all(reading.caller, "")):
        access.look(reading, _owner(reading, record) if record else "", "GetRecord", request.name)
    if record is None:
        raise NotFound(resource=request.name)
    return _views(reading, [record])[0]


def _owner(reading: Reading, record: Record) -> str:
    """Returns the enterprise of a record: where the record names none, its declaration's exporter."""
    if record.enterprise or not record.declaration:
        return record.enterprise
    return declaration_store.enterprises(reading.connection, [record.declaration]).get(record.declaration, "")


def _views(reading: Reading, page: list[Record]) -> list[records_pb2.Record]:
    """Returns the records on the wire, bills with how far they are paid now."""
    bills = bill_store.load(reading.connection, [record.record for record in page if record.kind == "bill"])
    billed = [record for record in page if record.record in bills]
    shown = {
        record.name: record
        for record in bill_views.views(
            reading.connection, billed, bills, reading.business_date, reading.caller.language
        )
    }
    return [shown.get(record.name) or records_rpc.to_proto(record) for record in page]


def list_(reading: Reading, request: records_pb2.ListRecordsRequest) -> records_pb2.ListRecordsResponse:
    """Returns a page, the last written first."""
    at_us = request.as_of.ToMicroseconds() if request.HasField("as_of") else None
    declaration = views_declarations.seen(reading, request.declaration, "ListRecords") if request.declaration else None
    query = records_store.matching(records_store.counting(at_us), *_wanted(request))
    # Whoever may see the declaration may see all records on it, whoever gave them.
    query = query.where(_about(declaration)) if declaration else _own(reading, query)
    query = paging.newest_first(query, record_versions.c.id, request)
    page, token = paging.cut(request, records.many(reading.connection, query, Record), "id")
    owned = (
        (record.name, declaration.enterprise if declaration else record.enterprise)
        for record in page
        if record.kind not in PUBLIC
    )
    access.note_page(reading, "ListRecords", owned)
    return records_pb2.ListRecordsResponse(records=_views(reading, page), next_page_token=token)


def _wanted(request: records_pb2.ListRecordsRequest) -> list[Any]:
    """Returns the conditions that the request makes."""
    conditions = []
    if request.kind:
        conditions.append(record_versions.c.kind == request.kind)
    if request.enterprise:
        conditions.append(record_versions.c.enterprise == request.enterprise)
    if request.subject:
        conditions.append(record_versions.c.id.in_(records_store.on_subject(request.subject)))
    return conditions


def _own(reading: Reading, query: Any) -> Any:
    """Narrows a query to what the caller may see: its own, by consent, all for the window, and what is published."""
    if access.sees_all(reading.caller, ""):
        return query
    owners: Any = [reading.caller.tenant]
    if access.is_institution(reading.caller):
        owners = consent_store.consenting(reading.caller.tenant, reading.now_us)
    return query.where(sa.or_(record_versions.c.enterprise.in_(owners), record_versions.c.kind.in_(PUBLIC)))


def _about(declaration: Declaration) -> Any:
    """Returns the condition of records on a declaration: by its number, or by its transport document."""
    bill_number = _body(declaration).bill_number
    by_number = record_versions.c.declaration == declaration.id
    if not bill_number:
        return by_number
    return sa.or_(by_number, record_versions.c.id.in_(records_store.on_subject(records_kinds.document(bill_number))))


def _body(declaration: Declaration) -> declarations_pb2.Declaration:
    return declarations_pb2.Declaration.FromString(declaration.body)


def verify_permits(reading: Reading, request: records_pb2.VerifyPermitsRequest) -> records_pb2.VerifyPermitsResponse:
    """Returns whether the permits that a declaration's goods need are in force on a day."""
    declaration = views_declarations.seen(reading, request.declaration, "VerifyPermits")
    body = _body(declaration)
    day = permits.day_of(body, reading.business_date)
    if request.HasField("date"):
        if problems := list(trade_checks.day("date", request.date)):
            raise InvalidFields(problems)
        day = chassis_rpc.to_date(request.date)
    requests = {declaration.id: permits.Asked(body, day)}
    permit_verdict = hindrances.permit_verdicts(reading.connection, requests).get(declaration.id)
    if permit_verdict is None:
        return records_pb2.VerifyPermitsResponse(verdict="NOT_NEEDED", date=chassis_rpc.date(day))
    verdict = "INVALID" if permit_verdict.problems else "VALID"
    return records_pb2.VerifyPermitsResponse(
        verdict=verdict,
        reasons=_told(reading, permit_verdict.problems),
        date=chassis_rpc.date(day),
        permits=permit_verdict.relied_on,
    )


def _told(reading: Reading, problems: Any) -> list[Any]:
    return [chassis_rpc.problem(problem, reading.caller.language) for problem in problems]


def evidence(reading: Reading, request: records_pb2.GetEvidenceRequest) -> records_pb2.Evidence:
    """Returns what others than the declarant say of a declaration."""
    declaration = views_declarations.seen(reading, request.declaration, "GetEvidence")
    body = _body(declaration)
    message = records_pb2.Evidence(
        declaration=declaration.name,
        holds=_told(
            reading, holds.standing_on(reading.connection, {declaration.id: declaration}).get(declaration.id, ())
        ),
        mirrors=_mirrors(reading, body),
    )
    _add_manifest(reading, body, message)
    _add_title(reading, body, message)
    _add_rebate(reading, declaration, message)
    return message


def _of_document(reading: Reading, kind: str, body: declarations_pb2.Declaration) -> list[Record]:
    subject = records_kinds.document(body.bill_number)
    if not body.bill_number:
        return []
    return records_store.with_subjects(reading.connection, kind, [subject]).get(subject, [])


def _add_manifest(reading: Reading, body: declarations_pb2.Declaration, message: records_pb2.Evidence) -> None:
    for record in _of_document(reading, "manifest", body):
        message.manifest = record.name
        findings = manifests.findings(body, record.message, reading.business_date)
        message.manifest_findings.extend(_told(reading, findings))


def _add_title(reading: Reading, body: declarations_pb2.Declaration, message: records_pb2.Evidence) -> None:
    title = titles.title_of(record.message for record in _of_document(reading, "title_control", body))
    if title is None:
        return
    message.title.MergeFrom(
        records_pb2.Title(
            platform=title.platform,
            bill_number=title.bill_number,
            state=title.state.value,
            holder=title.holder,
            disregarded=_told(reading, title.disregarded),
        )
    )


def _add_rebate(reading: Reading, declaration: Declaration, message: records_pb2.Evidence) -> None:
    expected = rebate_claims.expected_rebate(reading.connection, [declaration.id]).get(declaration.id)
    if expected is not None:
        message.expected_rebate.CopyFrom(money.to_proto(expected))
    message.rebate = rebate_claims.asset_of(reading.connection, declaration.enterprise, declaration.name)


def _mirrors(reading: Reading, body: declarations_pb2.Declaration) -> list[records_pb2.MirrorVerdict]:
    """Returns import declarations that match or name the declaration, the best first.

    They match by transport document or invoice.
    """
    invoice = records_kinds.invoice(body.invoice_number) if body.invoice_number else ""
    subjects = [records_kinds.document(body.bill_number)] if body.bill_number else []
    by_subject = records_store.with_subjects(
        reading.connection, "mirror_declaration", [*subjects, *filter(None, [invoice])]
    )
    by_number = records_store.about(
        reading.connection, "mirror_declaration", record_versions.c.declaration, [body.declaration_number]
    )
    sure = {record.record: record for subject in subjects for record in by_subject.get(subject, ())}
    sure |= {record.record: record for record in by_number}
    verdicts = [_mirror(reading, body, record) for record in sure.values()]
    alike = [_mirror(reading, body, record) for record in by_subject.get(invoice, ()) if record.record not in sure]
    # Another exporter's invoice may have the same number: its import is nobody's business here.
    verdicts += [mirror for mirror in alike if mirror.verdict != records_pb2.MirrorVerdict.UNMATCHED]
    return sorted(verdicts, key=lambda mirror: (-mirror.score, mirror.mirror))


def _mirror(reading: Reading, body: declarations_pb2.Declaration, record: Record) -> records_pb2.MirrorVerdict:
    match = mirrors.match(body, record.message.mirror_declaration, reading.business_date)
    return records_pb2.MirrorVerdict(
        mirror=record.name, verdict=match.verdict, score=match.score, reasons=_told(reading, match.reasons)
    )
