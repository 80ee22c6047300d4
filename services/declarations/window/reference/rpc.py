"""Reference records from the wire."""

import hashlib

from aval.declarations.v1 import reference_pb2

from chassis import ids, money, rpc
from services.declarations.window.reference.model import ReferenceRecord


def from_row(message: reference_pb2.ReferenceRecord, now_us: int) -> ReferenceRecord:
    """Returns the record of a checked row; its id follows from source and key."""
    body = reference_pb2.ReferenceRecord()
    body.CopyFrom(message)
    body.ClearField("name")
    content = body.SerializeToString(deterministic=True)
    weight = body.net_weight_kilograms if body.net_weight_kilograms.value else body.gross_weight_kilograms
    return ReferenceRecord(
        id=ids.derived("reference record", body.source, body.key),
        source=body.source,
        commodity_code=body.commodity_code,
        country=body.origin_country,
        record_date=rpc.to_date(body.record_date),
        value=money.from_proto(body.value),
        weight_kilograms=rpc.to_decimal(weight) if weight.value else None,
        body=content,
        digest=hashlib.sha256(content).digest(),
        create_us=now_us,
    )
