"""Rows of any kind as one message, as JSON, and as the numbers by which each tells what it is a version of."""

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
# What no row could be made of: only its sender knows how it is read.
UNREAD = ("CSV", "JSON")


def to_json(content: bytes) -> bytes:
    """A serialised Row as the JSON that is taken back: one line. A time that JSON can't tell is left out."""
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
    """What is wrong with a row by itself, of those kinds whose takers don't look for it."""
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
    """What makes a row that very version: numbers, without which there is none, and what else tells it apart."""

    numbers: _Texts
    others: _Texts


def _of(*paths: str) -> _Texts:
    """The values at these paths, always as a tuple; of an absent message its fields' defaults."""
    found = operator.attrgetter(*paths)
    return found if len(paths) > 1 else lambda row: (found(row),)


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
    """What a row is a version of, and which; empty where it has no number to tell by."""
    if kind == "record":
        found = records_kinds.kind_of(row)
        return repr((found, records_kinds.identifier(row), row.notice_time.ToNanoseconds())) if found else ""
    own, rule = kind, KEYS.get(kind)
    if kind == RETAIL:
        own = row.WhichOneof("document") or ""
        row = getattr(row, own) if own else row
        rule = _LIST_RECEIPT if own == "receipt" else KEYS.get(own)
    numbers = rule.numbers(row) if rule else ()
    return repr((kind, own, numbers, rule.others(row))) if rule and any(numbers) else ""
