"""Summaries between the wire and the model."""

import hashlib
from collections.abc import Iterable, Sequence

from aval.declarations.v1 import retail_pb2

from chassis import money
from chassis.errors import Problem
from chassis.money import Money
from chassis.rpc import problem
from services.declarations.window.retail import identity as retail_identity
from services.declarations.window.retail.summary import model
from services.declarations.window.retail.summary.model import Part, RetailSummary
from services.declarations.window.retail.versions import Change

# The fields that differ each time that it is sent, and those that are ours to set, never the sender's.
NOT_OURS = (
    "envelope", "name", "enterprise", "value", "differences", "etag", "summary_number", "declaration_numbers",
    "reports",
)  # fmt: skip
# The fields of a part alone, and those with rows of their own.
_OF_PARTS = ("list_numbers", "part_number", "part_count")


def part_of(message: retail_pb2.RetailSummary, now_us: int) -> Part:
    """Returns a row as a part of its summary. Of a summary by time the lists are passed over, as customs does."""
    body = retail_pb2.RetailSummary()
    body.CopyFrom(message)
    for field in NOT_OURS:
        body.ClearField(field)
    if body.HasField("start_time"):
        body.ClearField("list_numbers")
    if body.part_count <= 1:
        body.ClearField("part_number")
        body.ClearField("part_count")
    digest = hashlib.sha256(body.SerializeToString(deterministic=True)).digest()
    envelope, change = message.envelope, Change(retail_pb2.Change.Name(message.envelope.change))
    body.envelope.format = envelope.format
    return Part(
        summary=retail_identity.summary_id(message.merchant_code, message.enterprise_number),
        number=model.TAKEN_BACK if change == Change.DELETE else max(message.part_number, 1),
        count=max(message.part_count, 1),
        send_us=envelope.send_time.ToMicroseconds() if envelope.HasField("send_time") else now_us,
        change=change,
        digest=digest,
        body=body.SerializeToString(deterministic=True),
    )


def lists_of(parts: Iterable[Part]) -> list[str]:
    """Returns the lists that parts name, in order."""
    return list(dict.fromkeys(number for part in parts for number in said(part).list_numbers))


def said(part: Part) -> retail_pb2.RetailSummary:
    """Returns the row of a part as it came."""
    return retail_pb2.RetailSummary.FromString(part.body)


def from_part(part: Part, enterprise: str, currency: str, now_us: int) -> RetailSummary:
    """Returns the record of a summary by its newest part, without any list; `currency` where the part says none."""
    message = said(part)
    for field in _OF_PARTS:
        message.ClearField(field)
    return RetailSummary(
        id=part.summary,
        merchant_code=message.merchant_code,
        enterprise_number=message.enterprise_number,
        enterprise=enterprise,
        declaration=message.declaration_number,
        value=Money(message.total.currency_code or currency, 0),
        send_us=part.send_us,
        change=part.change,
        body=message.SerializeToString(deterministic=True),
        digest=part.digest,
        create_us=now_us,
        revision=1,
    )


def is_by_time(parts: Sequence[Part]) -> bool:
    """Tells whether customs picks the lists of a summary itself, by the newest of its parts."""
    return bool(parts) and said(model.newest(parts)).HasField("start_time")


def to_proto(
    summary: RetailSummary, list_numbers: Iterable[str], differences: Sequence[Problem], language: str
) -> retail_pb2.RetailSummary:
    """Returns the summary as everyone sees it who may see it at all."""
    message = retail_pb2.RetailSummary.FromString(summary.body)
    message.name, message.enterprise, message.etag = summary.name, summary.enterprise, str(summary.revision)
    message.list_numbers.extend(list_numbers)
    if summary.value.currency:
        message.value.CopyFrom(money.to_proto(summary.value))
    message.differences.extend(problem(difference, language) for difference in differences)
    return message


def declared_total(summary: RetailSummary) -> int | None:
    """Returns the total that it declares, in minor units; None where it declares none."""
    body = retail_pb2.RetailSummary.FromString(summary.body)
    return int(body.total.minor_units) if body.HasField("total") else None
