"""Targets: the messages that rows of a mapped file become, and the stream that takes them."""

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aval.declarations.v1 import declarations_pb2, records_pb2, reference_pb2, retail_pb2
from aval.type.v1 import money_pb2
from buf.validate import validate_pb2
from google.protobuf.message import Message

from chassis import fields
from chassis.errors import Problem
from services.declarations.customs import checks as customs_checks
from services.declarations.intake.takers.declarations import receipt_problems
from services.declarations.window.records import kinds as records_kinds
from services.declarations.window.reference import model as reference_model
from services.declarations.window.retail import checks as retail_checks

LINES = "lines"
# How the contracts write that a field names an enterprise.
ENTERPRISE_PATTERN = "enterprises/[0-9A-Z]{18}"


def rules_of(field: Any) -> Any:
    """Returns the contract's rules of a field."""
    return field.GetOptions().Extensions[validate_pb2.field]


def names_enterprise(field: Any) -> bool:
    """Whether the field has enterprises/{social credit code}, and nothing else."""
    pattern = str(rules_of(field).string.pattern)
    return pattern.strip("^$").removesuffix("?").strip("()") == ENTERPRISE_PATTERN


@dataclass(frozen=True, slots=True)
class Target:
    """A kind of row: its message, the stream and its request, the field there, and what completes and checks it.

    `key` is the field that the mapping's key columns fill, if any; `wrap` makes of a row what the request takes.
    """

    message: type[Message]
    method: str
    request: type[Message]
    field: str
    check: Callable[[Any], Sequence[Problem]]
    finish: Callable[[Any], None] = lambda _row: None
    key: str = ""
    wrap: Callable[[Any], Message] = lambda row: row
    # What the service puts before the paths of the row's fields.
    prefix: str = ""

    @property
    def most_lines(self) -> int:
        """Returns how many lines the message may have; 1 where it has none."""
        lines = self.message.DESCRIPTOR.fields_by_name.get(LINES)
        return int(rules_of(lines).repeated.max_items) if lines else 1

    def request_of(
        self, request_id: str, rows: Sequence[Message], source: declarations_pb2.RowSource | None = None
    ) -> Message:
        """One message of the stream."""
        return self.request(**{"request_id": request_id, self.field: map(self.wrap, rows), "source": source})

    def row_of(self, row: Message) -> declarations_pb2.Row:
        """Returns the row as a Row of any kind."""
        wrapped = self.wrap(row)
        fields = declarations_pb2.Row.DESCRIPTOR.fields
        (kind,) = [field.name for field in fields if field.message_type is wrapped.DESCRIPTOR]
        any_row = declarations_pb2.Row()
        getattr(any_row, kind).CopyFrom(wrapped)
        return any_row


def _finish_declaration(row: declarations_pb2.Declaration) -> None:
    """Numbers the lines and sums them up, where the mapping doesn't."""
    for number, line in enumerate(row.lines, 1):
        line.line_number = line.line_number or number
    if row.lines and not row.HasField("declared_value"):
        row.declared_value.currency_code = row.lines[0].total.currency_code
        row.declared_value.minor_units = sum(line.total.minor_units for line in row.lines)


def _check_declaration(row: declarations_pb2.Declaration) -> Sequence[Problem]:
    return [*fields.row_problems(row), *customs_checks.check_row(row)]


def _check_record(row: records_pb2.Record) -> Sequence[Problem]:
    return fields.row_problems(row) or records_kinds.problems(row)


def _check_reference(row: reference_pb2.ReferenceRecord) -> Sequence[Problem]:
    # Whether a day is still to come says the service, which knows the business date.
    return reference_model.check(row, datetime.date.max)


def _sum(lines: Iterable[retail_pb2.RetailLine], value: money_pb2.Money) -> None:
    for number, line in enumerate(lines, 1):
        line.line_number = line.line_number or number
        value.currency_code = value.currency_code or line.total.currency_code
        value.minor_units += line.total.minor_units


def _finish_order(row: retail_pb2.RetailOrder) -> None:
    """Numbers the lines, and sums them up where the mapping doesn't."""
    _sum(row.lines, money_pb2.Money() if row.HasField("goods_value") else row.goods_value)


def _finish_list(row: retail_pb2.RetailList) -> None:
    """Numbers the lines, and sums them up where the mapping doesn't."""
    _sum(row.lines, money_pb2.Money() if row.HasField("value") else row.value)


def _check_retail(row: Message) -> Sequence[Problem]:
    return fields.row_problems(row) or retail_checks.check(row)


def _retail(kind: str, finish: Callable[[Any], None] = lambda _row: None) -> Target:
    """Returns a kind of retail document: a field of RetailDocument."""
    return Target(
        type(getattr(retail_pb2.RetailDocument(), kind)),
        "StreamRetailDocuments",
        declarations_pb2.BatchCreateRetailDocumentsRequest,
        "documents",
        _check_retail,
        finish,
        wrap=lambda row: retail_pb2.RetailDocument(**{kind: row}),
        prefix=f"{kind}.",
    )


TARGETS: Mapping[str, Target] = {
    "declaration": Target(
        declarations_pb2.Declaration,
        "StreamDeclarations",
        declarations_pb2.BatchCreateDeclarationsRequest,
        "declarations",
        _check_declaration,
        _finish_declaration,
    ),
    "receipt": Target(
        declarations_pb2.Receipt,
        "StreamReceipts",
        declarations_pb2.BatchCreateReceiptsRequest,
        "receipts",
        receipt_problems,
    ),
    "record": Target(
        records_pb2.Record,
        "StreamRecords",
        declarations_pb2.BatchCreateRecordsRequest,
        "records",
        _check_record,
    ),
    "reference_record": Target(
        reference_pb2.ReferenceRecord,
        "StreamReferenceRecords",
        declarations_pb2.BatchCreateReferenceRecordsRequest,
        "reference_records",
        _check_reference,
        key="key",
    ),
    "retail_order": _retail("order", _finish_order),
    "retail_waybill": _retail("waybill"),
    "retail_payment": _retail("payment"),
    "retail_list": _retail("list", _finish_list),
    "retail_receipt": _retail("receipt"),
    "retail_cancellation": _retail("cancellation"),
}

# What a line that needs no mapping is taken as.
BY_MESSAGE: Mapping[type[Message], Target] = {target.message: target for target in TARGETS.values()}
