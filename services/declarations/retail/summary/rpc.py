"""Summaries between the wire and the model."""

import hashlib
from collections.abc import Iterable, Sequence

from aval.declarations.v1 import retail_pb2

from chassis import money
from chassis.errors import Problem
from chassis.money import Money
from chassis.rpc import problem
from services.declarations.retail.summary import model
from services.declarations.retail.summary.model import RetailSummary
from services.declarations.retail.versions import Change

# What differs each time that it is sent, and what is ours to set, never the sender's.
NOT_OURS = ("envelope", "name", "enterprise", "value", "differences", "etag")


def from_row(message: retail_pb2.RetailSummary, enterprise: str, currency: str, now_us: int) -> RetailSummary:
    """The record of a row, as it is without any list; `currency` where the row doesn't say it."""
    body = retail_pb2.RetailSummary()
    body.CopyFrom(message)
    for field in NOT_OURS:
        body.ClearField(field)
    digest = hashlib.sha256(body.SerializeToString(deterministic=True)).digest()
    # The list numbers are rows of their own.
    body.ClearField("list_numbers")
    envelope = message.envelope
    body.envelope.format = envelope.format
    return RetailSummary(
        id=model.summary_id(message.merchant_code, message.enterprise_number),
        merchant_code=message.merchant_code,
        enterprise_number=message.enterprise_number,
        enterprise=enterprise,
        declaration=message.declaration_number,
        value=Money(message.total.currency_code or currency, 0),
        send_us=envelope.send_time.ToMicroseconds() if envelope.HasField("send_time") else now_us,
        change=Change(retail_pb2.Change.Name(envelope.change)),
        body=body.SerializeToString(deterministic=True),
        digest=digest,
        create_us=now_us,
        revision=1,
    )


def to_proto(
    summary: RetailSummary, list_numbers: Iterable[str], differences: Sequence[Problem], language: str
) -> retail_pb2.RetailSummary:
    """What everyone sees who may see the summary at all."""
    message = retail_pb2.RetailSummary.FromString(summary.body)
    message.name, message.enterprise, message.etag = summary.name, summary.enterprise, str(summary.revision)
    message.list_numbers.extend(list_numbers)
    if summary.value.currency:
        message.value.CopyFrom(money.to_proto(summary.value))
    message.differences.extend(problem(one, language) for one in differences)
    return message


def declared_total(summary: RetailSummary) -> int | None:
    """The total that it declares, in minor units; None: it declares none."""
    body = retail_pb2.RetailSummary.FromString(summary.body)
    return int(body.total.minor_units) if body.HasField("total") else None
