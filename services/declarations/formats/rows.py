"""Rows of any kind as one message, as JSON, and as the numbers by which each tells what it is a version of."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aval.declarations.v1 import declarations_pb2, retail_pb2
from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from chassis import fields
from chassis.errors import Problem
from services.declarations import checks
from services.declarations.records import kinds
from services.declarations.retail.checks import check as retail_problems

Row = declarations_pb2.Row
KINDS = frozenset(field.name for field in Row.DESCRIPTOR.fields)
RETAIL = "retail_document"
# What no row could be made of: only its sender knows how it is read.
UNREAD = ("CSV", "JSON")


def to_json(content: bytes) -> bytes:
    """A serialised Row as the JSON that is taken back: one line."""
    data = json_format.MessageToDict(Row.FromString(content), preserving_proto_field_name=True)
    return json.dumps(data, ensure_ascii=False).encode()


def problems(row: Message) -> Sequence[Problem]:
    """What is wrong with a row by itself, of those kinds whose takers don't look for it."""
    return fields.row_problems(row) or CHECKS.get(type(row), lambda _row: ())(row)


CHECKS: Mapping[type[Message], Callable[[Any], Sequence[Problem]]] = {
    declarations_pb2.Declaration: checks.check,
    **{
        type(getattr(retail_pb2.RetailDocument(), field.name)): retail_problems
        for field in retail_pb2.RetailDocument.DESCRIPTOR.fields
    },
}


@dataclass(frozen=True, slots=True)
class Key:
    """What makes a row that very version: numbers, without which there is none, and what else tells it apart."""

    numbers: Sequence[str]
    others: Sequence[str]


_SENT = "envelope.send_time"
_LIST_NUMBERS = ("list_number", "pre_number", "enterprise_number")
# By kind; of retail documents by theirs. Of two rows of one key and other content only one is ever accepted.
KEYS: Mapping[str, Key] = {
    "declaration": Key(("declaration_number",), ("amend_time",)),
    "receipt": Key(("declaration_number", "unified_number"), ("channel_code", "notice_time")),
    "reference_record": Key(("key",), ("source",)),
    "order": Key(("order_number",), ("direction", "platform_code", _SENT)),
    "waybill": Key(("waybill_number",), ("carrier_code", _SENT)),
    "payment": Key(("transaction_number", "order_number"), ("payment_company_code", "platform_code", _SENT)),
    "list": Key(("enterprise_number",), ("direction", "merchant_code", _SENT)),
    "cancellation": Key(_LIST_NUMBERS, ("is_return", _SENT)),
    "departure": Key(("bill_number",), ("voyage_number", _SENT)),
    "summary": Key(("enterprise_number",), ("merchant_code", _SENT)),
}
_LIST_RECEIPT = Key(_LIST_NUMBERS, ("status_code", "notice_time"))


def key(kind: str, row: Any) -> str:
    """What a row is a version of, and which; empty where it has no number to tell by."""
    if kind == "record":
        found = kinds.kind_of(row)
        return json.dumps([found, kinds.identifier(row), _text(row, "notice_time")]) if found else ""
    own = kind
    if kind == RETAIL:
        own = row.WhichOneof("document") or ""
        row = getattr(row, own) if own else row
    rule = _LIST_RECEIPT if kind == RETAIL and own == "receipt" else KEYS.get(own)
    numbers = [_text(row, path) for path in rule.numbers] if rule else []
    if rule is None or not any(numbers):
        return ""
    return json.dumps([kind, own, *numbers, *(_text(row, path) for path in rule.others)])


def _text(row: Any, path: str) -> str:
    for name in path.split("."):
        row = getattr(row, name)
    return str(row.ToNanoseconds() if isinstance(row, Timestamp) else row)
