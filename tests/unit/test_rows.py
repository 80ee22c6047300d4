"""Rows of any kind: every one has a key as soon as it has a number, however broken it is, and comes back from JSON."""

import operator
from typing import Any

import pytest
from aval.declarations.v1 import declarations_pb2, records_pb2, retail_pb2

from services.declarations.intake.formats import json_lines, rows
from services.declarations.intake.refused.refused_rows import FIELDS
from services.declarations.window.records.kinds import KINDS

RETAIL_KINDS = [field.name for field in retail_pb2.RetailDocument.DESCRIPTOR.fields]
PLAIN_KINDS = sorted(rows.KINDS - {"record", rows.RETAIL})


def numbered(row: Any) -> None:
    """Puts something that is no number where a number belongs."""
    names = ("declaration_number", "key", "order_number", "waybill_number", "enterprise_number", "bill_number")
    for name in names:
        if name in row.DESCRIPTOR.fields_by_name:
            setattr(row, name, "张三\0'\"")


# By kind: when it was said, where it has no envelope.
TIMES = {"receipt": "notice_time", "report": "notice_time", "summary_result": "process_time"}


def test_every_kind_of_row_comes_in_a_request() -> None:
    assert FIELDS.keys() == rows.KINDS


@pytest.mark.parametrize("kind", PLAIN_KINDS)
def test_a_row_has_a_key_once_it_has_a_number(kind: str) -> None:
    row = getattr(declarations_pb2.Row(), kind)
    assert rows.key(kind, row) == ""
    numbered(row)
    assert rows.key(kind, row) != ""


@pytest.mark.parametrize("kind", RETAIL_KINDS)
def test_a_retail_document_has_a_key_once_it_has_a_number(kind: str) -> None:
    document = retail_pb2.RetailDocument()
    assert rows.key(rows.RETAIL, document) == ""
    getattr(document, kind).SetInParent()
    assert rows.key(rows.RETAIL, document) == ""
    numbered(getattr(document, kind))
    first = rows.key(rows.RETAIL, document)
    inner = getattr(document, kind)
    operator.attrgetter(TIMES.get(kind, "envelope.send_time"))(inner).FromSeconds(5)
    assert "" != first != rows.key(rows.RETAIL, document) != ""


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_has_a_key_by_what_it_is_about(kind: str) -> None:
    record = records_pb2.Record()
    assert rows.key("record", record) == ""
    getattr(record, kind).SetInParent()
    first = rows.key("record", record)
    record.notice_time.FromSeconds(5)
    assert "" != first != rows.key("record", record)


@pytest.mark.parametrize("kind", sorted(rows.KINDS))
def test_a_row_comes_back_from_its_json(kind: str) -> None:
    row = declarations_pb2.Row()
    chosen = getattr(row, kind)
    chosen.SetInParent()
    if kind == rows.RETAIL:
        chosen.order.order_number = "1"
    found, problems = json_lines.read(rows.to_json(row.SerializeToString()).decode())
    assert (found, problems) == (chosen.order if kind == rows.RETAIL else chosen, [])


def test_what_json_cannot_tell_is_left_out() -> None:
    row = declarations_pb2.Row()
    row.record.notice_time.seconds = 10**15
    row.record.permit.permit_number = "X\0Y"
    row.record.create_time.seconds = 5
    found, problems = json_lines.read(rows.to_json(row.SerializeToString()).decode())
    row.record.ClearField("notice_time")
    assert (found, problems) == (row.record, [])
    row.reference_record.extra["a"] = "1"
    assert json_lines.read(rows.to_json(row.SerializeToString()).decode())[0] == row.reference_record
