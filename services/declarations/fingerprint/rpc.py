"""Registrations, their documents and matches on the wire."""

import datetime
from collections.abc import Callable, Mapping
from typing import Any

from aval.declarations.v1 import fingerprint_pb2
from google.type import date_pb2

from chassis import money
from chassis import rpc as chassis_rpc
from chassis.money import Money
from services.declarations.fingerprint import canonical, terms
from services.declarations.fingerprint.document import Document, Kind
from services.declarations.fingerprint.matching import Score
from services.declarations.fingerprint.model import Candidate, Registration
from trade import names
from trade.calendars import day_in_china


def document(message: fingerprint_pb2.FinancedDocument, applicant: str) -> Document:
    """Returns the document in its canonical form; a date or an amount that can't be is left out."""
    kind = message.WhichOneof("document")
    return BUILDERS[kind](getattr(message, kind), applicant)


def _declaration(number: str, _applicant: str) -> Document:
    """Returns a declaration by its digits alone: separators and spaces don't count."""
    return Document(Kind.DECLARATION, (), "".join(filter(str.isdigit, canonical.number(number))))


def _invoice(message: fingerprint_pb2.InvoiceIdentity, _applicant: str) -> Document:
    seller, buyer = _party(message.seller), _party(message.buyer)
    return Document(Kind.INVOICE, seller, message.number, buyer, _date(message.date), amount(message.amount))


def _transport_document(message: fingerprint_pb2.TransportDocumentIdentity, _applicant: str) -> Document:
    carrier = names.identities(message.carrier)
    return Document(Kind.TRANSPORT_DOCUMENT, (), message.number, carrier, _date(message.date))


def _order(message: fingerprint_pb2.OrderIdentity, applicant: str) -> Document:
    issuer, seller = _party(message.issuer), (canonical.identity(applicant),)
    return Document(Kind.ORDER, issuer, message.number, seller, _date(message.date), amount(message.amount))


BUILDERS: Mapping[str, Callable[[Any, str], Document]] = {
    "declaration_number": _declaration,
    "invoice": _invoice,
    "transport_document": _transport_document,
    "order": _order,
}


def _party(message: fingerprint_pb2.DocumentParty) -> tuple[str, ...]:
    """Returns the party's identities by its code and by its name: others may give only one of them."""
    named = names.identities(message.name)
    return (canonical.identity(message.enterprise), *named) if message.enterprise else named


def _date(message: date_pb2.Date) -> datetime.date | None:
    try:
        return chassis_rpc.to_date(message)
    except ValueError:
        return None


def amount(message: Any) -> Money | None:
    """Returns a positive amount of a currency, None for anything else."""
    is_amount = message.minor_units > 0 and money.is_currency(message.currency_code)
    return money.from_proto(message) if is_amount else None


def content(message: fingerprint_pb2.Registration) -> bytes:
    """Returns what the caller says of a registration, and nothing else."""
    stated = fingerprint_pb2.Registration(
        applicant=message.applicant, amount=message.amount, documents=message.documents
    )
    return bytes(stated.SerializeToString(deterministic=True))


def to_proto(registration: Registration) -> fingerprint_pb2.Registration:
    """Returns the registration as its holder sees it."""
    message = fingerprint_pb2.Registration(
        name=registration.name,
        applicant=registration.applicant,
        amount=money.to_proto(registration.amount),
        holder=registration.holder,
        state=registration.state.value,
        kinds=registration.kinds,
        etag=str(registration.revision),
    )
    message.create_time.FromMicroseconds(registration.create_us)
    return message


def match(score: Score, other: Candidate, on: datetime.date, reader: str) -> fingerprint_pb2.DocumentMatch:
    """Returns a document of another registration as `reader` may know of it: named only if it is his own."""
    registered = day_in_china(other.create_us)
    return fingerprint_pb2.DocumentMatch(
        tier=score.tier.value,
        score=score.points,
        reasons=[_reason(code, on) for code in score.reasons],
        state=other.state.value,
        registered_month=date_pb2.Date(year=registered.year, month=registered.month),
        registration=other.registration if other.holder == reader else "",
    )


def _reason(code: str, on: datetime.date) -> fingerprint_pb2.MatchReason:
    row = terms.reason(code, on)
    return fingerprint_pb2.MatchReason(reason=code, english=row["english"], chinese=row["chinese"])
