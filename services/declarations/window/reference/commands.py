"""Takes reference records in: each by itself accepted, a duplicate, or refused with all its problems."""

from aval.declarations.v1 import declarations_pb2

from chassis.command import Transaction
from chassis.errors import Problem
from services.declarations.window import verdicts as window_verdicts
from services.declarations.window.reference import rpc, store
from services.declarations.window.reference.model import ReferenceRecord, check

Verdict = declarations_pb2.IntakeVerdict
KNOWN_OTHERWISE = Problem(
    "key",
    "RECORD_KNOWN_WITH_OTHER_CONTENT",
    "This source has a record of this key with other content; records don't change, so correct the key.",
    "该来源已有同一键值但内容不同的记录；记录不可变更，请更正键值。",
)


def create_batch(
    transaction: Transaction, request: declarations_pb2.BatchCreateReferenceRecordsRequest
) -> declarations_pb2.BatchCreateReferenceRecordsResponse:
    """Stores reference records as rows; returns a verdict for each."""
    today = transaction.business_date
    checked = [check(row, today) for row in request.reference_records]
    sound = {
        index: rpc.from_row(row, transaction.now_us)
        for index, (row, problems) in enumerate(zip(request.reference_records, checked, strict=True))
        if not problems
    }
    stored_digests = dict(
        store.digests(transaction.connection, {reference_record.id for reference_record in sound.values()})
    )
    verdicts, added = [], []
    for index, problems in enumerate(checked):
        record = sound.get(index)
        verdict = (
            window_verdicts.refused("", problems, transaction.caller.language)
            if record is None
            else _verdict(transaction, record, stored_digests.get(record.id))
        )
        if record is not None and verdict.outcome == Verdict.ACCEPTED:
            stored_digests[record.id] = record.digest
            added.append(record)
        verdict.document_id = str(index)
        verdicts.append(verdict)
    store.add(transaction.connection, added)
    return declarations_pb2.BatchCreateReferenceRecordsResponse(verdicts=verdicts)


def _verdict(
    transaction: Transaction, record: ReferenceRecord, stored_digest: bytes | None
) -> declarations_pb2.IntakeVerdict:
    if stored_digest is not None and stored_digest != record.digest:
        return window_verdicts.refused("", [KNOWN_OTHERWISE], transaction.caller.language)
    return (
        window_verdicts.accepted("", record.name)
        if stored_digest is None
        else window_verdicts.duplicate("", record.name)
    )
