"""Declarations on the wire: what the enterprise sees, and the less that institutions see."""

import datetime
import hashlib
import operator
from collections.abc import Iterable, Sequence

from aval.declarations.v1 import declarations_pb2, retail_pb2
from aval.declarations.v1.personal_pb2 import PersonalData

from chassis import money
from chassis.errors import Problem
from chassis.money import Money
from chassis.rpc import problem
from services.declarations.register.asset import Hindrance
from services.declarations.register.value.model import Value
from services.declarations.window.declaration.model import Content, Declaration
from services.declarations.window.eligibility import permits
from trade.checks import date_or_none
from trade.names import searchable

# Ours to set, never the sender's.
OUTPUT_ONLY = ("name", "status", "eligibility", "value", "receipts", "etag", "create_time", "version")
# Kept elsewhere: personal data is sealed, what finds and orders a draft's messages stays with the draft.
KEPT_APART = ("persons", "client_number", "sign_time", "direction")
_NOT_CONTENT = (*OUTPUT_ONLY, *KEPT_APART)
_MESSAGES = ("eligibility", "value", "create_time", "sign_time")
_REPEATED_AND_PLAIN = operator.attrgetter(*(name for name in _NOT_CONTENT if name not in _MESSAGES))


def content_of(message: declarations_pb2.Declaration, raw: bytes | None = None) -> Content:
    """What a checked row says, persons apart; what isn't the sender's to say is left out.

    `raw`: the row, serialised deterministically, where that is at hand.
    """
    content = _content_alone(message)
    body = raw if raw and content is message else content.SerializeToString(deterministic=True)
    value = message.declared_value
    return Content(
        message.declaration_number,
        message.enterprise,
        message.trade_mode,
        message.transport_mode,
        message.destination_country,
        main_commodity(message.lines),
        date_or_none(message.export_date) if message.HasField("export_date") else None,
        value.currency_code,
        value.minor_units,
        body,
        hashlib.sha256(body).digest(),
        message.amend_time.ToMicroseconds() if message.HasField("amend_time") else 0,
        PersonalData(persons=message.persons) if message.persons else None,
        message.unified_number,
        searchable("\n".join(_searched(message))),
        permits.controlled(message),
        message.client_number,
        message.sign_time.ToMicroseconds() if message.HasField("sign_time") else 0,
        retail_pb2.Direction.Name(message.direction) if message.direction else "",
    )


def _content_alone(message: declarations_pb2.Declaration) -> declarations_pb2.Declaration:
    """The row itself where it has nothing else in it, else a copy: the request's digest is made of it as it came."""
    if not any(map(message.HasField, _MESSAGES)) and not any(_REPEATED_AND_PLAIN(message)):
        return message
    content = declarations_pb2.Declaration()
    content.CopyFrom(message)
    for field in _NOT_CONTENT:
        content.ClearField(field)
    return content


_searched = operator.attrgetter("contract_number", "invoice_number", "bill_number", "buyer_name")


_total = operator.attrgetter("total.minor_units")


def main_commodity(lines: Iterable[declarations_pb2.DeclarationLine | retail_pb2.RetailLine]) -> str:
    """The commodity code of the line with the largest total, the first of several; its HS chapter comes first."""
    largest = max(lines, key=_total, default=None)
    return largest.commodity_code if largest else ""


def to_proto(
    declaration: Declaration, on: datetime.date, language: str = "en", hindrances: Sequence[Hindrance] = ()
) -> declarations_pb2.Declaration:
    """What everyone sees who may see the declaration at all."""
    message = declarations_pb2.Declaration.FromString(declaration.body)
    message.name = declaration.name
    message.MergeFrom(declarations_pb2.Declaration(status=declaration.status))
    message.etag, message.version = str(declaration.revision), declaration.version
    message.create_time.FromMicroseconds(declaration.create_us)
    verdict, reasons = declaration.verdict(on, hindrances)
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
