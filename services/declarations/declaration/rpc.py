"""Declarations on the wire: what the enterprise sees, and the less that institutions see."""

import hashlib
from collections.abc import Sequence

from aval.declarations.v1 import declarations_pb2

from chassis import money
from chassis.errors import Problem
from chassis.money import Money
from chassis.rpc import problem
from services.declarations.declaration.model import Declaration
from services.declarations.encumbrance.model import Value

# Ours to set, never the sender's.
OUTPUT_ONLY = ("name", "status", "eligibility", "value", "receipts", "etag", "create_time")
# Kept elsewhere: personal data is sealed.
KEPT_APART = ("persons",)


def from_row(message: declarations_pb2.Declaration, status: str, now_us: int) -> Declaration:
    """The record of a checked row."""
    body = declarations_pb2.Declaration()
    body.CopyFrom(message)
    for field in (*OUTPUT_ONLY, *KEPT_APART):
        body.ClearField(field)
    content = body.SerializeToString(deterministic=True)
    return Declaration(
        body.declaration_number,
        body.unified_number,
        body.enterprise,
        body.trade_mode,
        body.transport_mode,
        money.from_proto(body.declared_value),
        status,
        content,
        hashlib.sha256(content).digest(),
        now_us,
        1,
    )


def to_proto(declaration: Declaration, now_us: int, language: str = "en") -> declarations_pb2.Declaration:
    """What everyone sees who may see the declaration at all."""
    message = declarations_pb2.Declaration.FromString(declaration.body)
    message.name = declaration.name
    message.MergeFrom(declarations_pb2.Declaration(status=declaration.status))
    message.etag = str(declaration.revision)
    message.create_time.FromMicroseconds(declaration.create_us)
    verdict, reasons = declaration.verdict(now_us)
    message.eligibility.CopyFrom(_eligibility(verdict, reasons, language))
    return message


def _eligibility(verdict: str, reasons: Sequence[Problem], language: str) -> declarations_pb2.Eligibility:
    return declarations_pb2.Eligibility(verdict=verdict, reasons=[problem(reason, language) for reason in reasons])


def value_to_proto(value: Value) -> declarations_pb2.DeclaredValue:
    """The value by what stands on it."""
    parts = {name: money.to_proto(amount) for name, amount in value.parts().items()}
    return declarations_pb2.DeclaredValue(available=money.to_proto(value.free), **parts)


def available_to_proto(available: Money) -> declarations_pb2.DeclaredValue:
    """What an institution learns: the available amount and nothing else."""
    return declarations_pb2.DeclaredValue(available=money.to_proto(available))
