"""Records on the wire."""

import hashlib
from collections.abc import Iterable
from typing import Any

from aval.declarations.v1 import records_pb2

from services.declarations.window.records import kinds
from services.declarations.window.records.model import Record

# Ours to set, never the sender's.
OUTPUT_ONLY = ("name", "writer", "create_time")
OUTPUT_ONLY_IN_BILLS = (
    "due_rule", "due_date_provisional", "state", "payment", "transfer", "findings", "late_fee", "claim_date",
)  # fmt: skip


def stored(row: records_pb2.Record) -> records_pb2.Record:
    """Returns the row without the fields that aren't the sender's; a registration names its enterprise."""
    body = records_pb2.Record()
    body.CopyFrom(row)
    for field in OUTPUT_ONLY:
        body.ClearField(field)
    if row.HasField("bill"):
        for field in OUTPUT_ONLY_IN_BILLS:
            body.bill.ClearField(field)
    if row.HasField("enterprise_registration"):
        body.enterprise = f"enterprises/{row.enterprise_registration.social_credit_code}"
    return body


def from_row(body: records_pb2.Record, version: str, enterprise: str, writer: str, now_us: int) -> Record:
    """Returns the version that a checked row makes."""
    content = body.SerializeToString(deterministic=True)
    return Record(
        id=version,
        record=kinds.identifier(body),
        kind=kinds.kind_of(body),
        enterprise=enterprise,
        declaration=body.declaration.removeprefix("declarations/"),
        body=content,
        digest=hashlib.sha256(content).digest(),
        writer=writer,
        notice_us=body.notice_time.ToMicroseconds(),
        create_us=now_us,
        is_newest=True,
    )


def to_proto(record: Record) -> records_pb2.Record:
    """Returns the wire form of a record."""
    message = record.message
    message.name, message.writer, message.enterprise = record.name, record.writer, record.enterprise
    message.create_time.FromMicroseconds(record.create_us)
    return message


def names(request: Any) -> Iterable[str]:
    """Returns the names of the records that a batch changes."""
    return names_of(request.records)


def names_of(rows: Iterable[records_pb2.Record]) -> Iterable[str]:
    """Returns the names of the records that rows are versions of."""
    return (f"records/{kinds.identifier(row)}" for row in rows if kinds.kind_of(row))
