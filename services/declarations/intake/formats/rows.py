"""Rows of any kind as one message, as JSON, and as the numbers that tell of which version each row is."""

import json
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aval.declarations.v1 import declarations_pb2, retail_pb2
from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from chassis import fields, storable
from chassis.errors import Problem
from services.declarations.customs import checks as customs_checks
from services.declarations.window.records import kinds as records_kinds
from services.declarations.window.retail.checks import check as retail_problems

Row = declarations_pb2.Row
KINDS = frozenset(field.name for field in Row.DESCRIPTOR.fields)
RETAIL = "retail_document"
# The formats without any row: only their sender knows how they are read.
UNREAD = ("CSV", "JSON")


def to_json(content: bytes) -> bytes:
    """Writes a serialised Row as the JSON that is taken back: one line. Leaves out a time that JSON can't tell."""
    row = Row.FromString(content)
    _leave_out_untold(row)
    data = json_format.MessageToDict(row, preserving_proto_field_name=True)
    return json.dumps(data, ensure_ascii=False).encode()


def _leave_out_untold(message: Message) -> None:
    for field, value in message.ListFields():
        inner = field.message_type
        if inner is None or inner.GetOptions().map_entry:
            continue
        if isinstance(value, Timestamp) and any(storable.problems(value)):
            message.ClearField(field.name)
            continue
        for entry in value if field.is_repeated else [value]:
            _leave_out_untold(entry)


def problems(row: Message) -> Sequence[Problem]:
    """Lists the problems of a row by itself, of those kinds whose takers don't look for them."""
    return fields.row_problems(row) or CHECKS.get(type(row), lambda _row: ())(row)


CHECKS: Mapping[type[Message], Callable[[Any], Sequence[Problem]]] = {
    declarations_pb2.Declaration: customs_checks.check_row,
    **{
        type(getattr(retail_pb2.RetailDocument(), field.name)): retail_problems
        for field in retail_pb2.RetailDocument.DESCRIPTOR.fields
    },
}


_Texts = Callable[[Any], tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Key:
    """The key of a row's version: its numbers, without which there is none, and the other fields that tell it apart."""

    numbers: _Texts
    others: _Texts


def _of(*paths: str) -> _Texts:
    """Returns a getter of the values at these paths, always a tuple; an absent message gives its fields' defaults."""
    getter = operator.attrgetter(*paths)
    return getter if len(paths) > 1 else lambda row: (getter(row),)


def _at(path: str) -> tuple[str, str]:
    return f"{path}.seconds", f"{path}.nanos"


_SENT = _at("envelope.send_time")
_LIST_NUMBERS = _of("list_number", "pre_number", "enterprise_number")
# By kind; of retail documents by theirs. Of two rows of one key and other content only one is ever accepted.
KEYS: Mapping[str, Key] = {
    "declaration": Key(_of("declaration_number"), _of(*_at("amend_time"))),
    "receipt": Key(_of("declaration_number", "unified_number"), _of("channel_code", *_at("notice_time"))),
    "reference_record": Key(_of("key"), _of("source")),
    "order": Key(_of("order_number"), _of("direction", "platform_code", *_SENT)),
    "waybill": Key(_of("waybill_number"), _of("carrier_code", *_SENT)),
    "payment": Key(_of("transaction_number", "order_number"), _of("payment_company_code", "platform_code", *_SENT)),
    "list": Key(_of("enterprise_number"), _of("direction", "merchant_code", *_SENT)),
    "cancellation": Key(_LIST_NUMBERS, _of("is_return", *_SENT)),
    "departure": Key(_of("bill_number"), _of("voyage_number", *_SENT)),
    "summary": Key(_of("enterprise_number"), _of("merchant_code", "part_number", *_SENT)),
    "summary_result": Key(
        _of("unified_number", "declaration_number"), _of("summary_number", "part_number", *_at("process_time"))
    ),
    "report": Key(
        _of("order_number", "transaction_number", "list_number", "enterprise_number", "answered_message"),
        _of("format", "status_code", *_at("notice_time")),
    ),
}
_LIST_RECEIPT = Key(_LIST_NUMBERS, _of("status_code", *_at("notice_time")))


def key(kind: str, row: Any) -> str:
    """Returns the key of the version that a row is; empty where it has no number."""
    if kind == "record":
        record_kind = records_kinds.kind_of(row)
        return (
            repr((record_kind, records_kinds.identifier(row), row.notice_time.ToNanoseconds())) if record_kind else ""
        )
    own, rule = kind, KEYS.get(kind)
    if kind == RETAIL:
        own = row.WhichOneof("document") or ""
        row = getattr(row, own) if own else row
        rule = _LIST_RECEIPT if own == "receipt" else KEYS.get(own)
    numbers = rule.numbers(row) if rule else ()
    return repr((kind, own, numbers, rule.others(row))) if rule and any(numbers) else ""
