"""Summaries between the wire and the model."""

import hashlib
from collections.abc import Iterable, Sequence

from aval.declarations.v1 import retail_pb2

from chassis import money
from chassis.errors import Problem
from chassis.money import Money
from chassis.rpc import problem
from services.declarations.retail.list.rpc import enterprise_of, send_us
from services.declarations.retail.summary import model
from services.declarations.retail.summary.model import RetailSummary

# Ours to set, never the sender's; the list numbers are rows of their own.
NOT_KEPT = ("name", "enterprise", "value", "differences", "etag", "list_numbers")


def from_row(message: retail_pb2.RetailSummary, currency: str, now_us: int) -> RetailSummary:
    """The record of a row, as it is without any list; `currency` where the row doesn't say it."""
    body = retail_pb2.RetailSummary()
    body.CopyFrom(message)
    body.ClearField("envelope")
    digest = hashlib.sha256(body.SerializeToString(deterministic=True)).digest()
    body.envelope.CopyFrom(message.envelope)
    for field in NOT_KEPT:
        body.ClearField(field)
    return RetailSummary(
        id=model.summary_id(message.merchant_code, message.enterprise_number),
        merchant_code=message.merchant_code,
        enterprise_number=message.enterprise_number,
        enterprise=enterprise_of(message.merchant_code),
        value=Money(message.total.currency_code or currency, 0),
        is_deleted=message.envelope.change == retail_pb2.DELETE,
        send_us=send_us(message.envelope, now_us),
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
