"""Reference records from the wire."""

import hashlib

from aval.declarations.v1 import reference_pb2

from chassis import ids, money, rpc
from services.declarations.window.reference.model import ReferenceRecord


def from_row(message: reference_pb2.ReferenceRecord, now_us: int) -> ReferenceRecord:
    """The record of a checked row; its id follows from source and key."""
    body = reference_pb2.ReferenceRecord()
    body.CopyFrom(message)
    body.ClearField("name")
    content = body.SerializeToString(deterministic=True)
    weight = body.net_weight_kilograms if body.net_weight_kilograms.value else body.gross_weight_kilograms
    return ReferenceRecord(
        ids.derived("reference record", body.source, body.key),
        body.source,
        body.commodity_code,
        body.origin_country,
        rpc.to_date(body.record_date),
        money.from_proto(body.value),
        rpc.to_decimal(weight) if weight.value else None,
        content,
        hashlib.sha256(content).digest(),
        now_us,
    )
