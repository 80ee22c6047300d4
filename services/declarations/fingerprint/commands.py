"""Registering documents, asking about them, and saying how the financing went on."""

import dataclasses
import datetime
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from aval.declarations.v1 import fingerprint_pb2

from chassis import database, money
from chassis.clock import MICROSECONDS, business_date
from chassis.command import Transaction
from chassis.errors import InvalidFields, NotFound, Problem
from chassis.states import check_etag, moved
from services.declarations import errors
from services.declarations.consent import store as consents
from services.declarations.declaration import store as declarations
from services.declarations.fingerprint import checks, rpc, store, terms
from services.declarations.fingerprint.answers import Inquiry, Match
from services.declarations.fingerprint.document import Document, Kind
from services.declarations.fingerprint.model import (
    ALERTED,
    LIMITS,
    TRANSITIONS,
    RegisteredDocument,
    Registration,
    State,
    Verb,
    document_id,
    window_end_us,
    window_start_us,
)
from services.declarations.fingerprint.tokens import Blinder

LOCK_SHARDS = 4096
AMOUNT_INVALID = Problem(
    "registration.amount",
    "AMOUNT_INVALID",
    "Give a positive amount in an ISO 4217 currency.",
    "请填写正数金额及 ISO 4217 币种。",
)


def register(
    transaction: Transaction, request: fingerprint_pb2.RegisterDocumentsRequest
) -> fingerprint_pb2.RegisterDocumentsResponse:
    """Keeps the tokens of a financing's documents and says what else is known of them; the same again asks again."""
    message = request.registration
    wrong = [] if rpc.amount(message.amount) else [AMOUNT_INVALID]
    documents = _checked(transaction, message.applicant, message.documents, "registration.documents", wrong)
    asked = _asked(transaction, request, documents)
    known = store.load(transaction.connection, asked.id)
    if known and (known.holder, known.digest) != (asked.holder, asked.digest):
        raise errors.RegistrationIdTaken(registration=asked.name)
    found = _answered(transaction, documents, asked.id)
    if known is None:
        _add(transaction, asked, documents)
        _alert(transaction, found)
    return fingerprint_pb2.RegisterDocumentsResponse(
        registration=rpc.to_proto(known or asked), documents=_told(transaction, found)
    )


def check(
    transaction: Transaction, request: fingerprint_pb2.CheckDocumentsRequest
) -> fingerprint_pb2.CheckDocumentsResponse:
    """Says what is known of documents."""
    documents = _checked(transaction, request.applicant, request.documents, "documents")
    found = _answered(transaction, documents)
    return fingerprint_pb2.CheckDocumentsResponse(documents=_told(transaction, found))


def contenders(request: fingerprint_pb2.RegisterDocumentsRequest) -> Iterator[str]:
    """What a registration locks: itself, and what any that may match it locks too.

    As shards, so that the database's view of locks tells nothing of whose documents are being registered.
    """
    yield f"registrations/{request.registration_id.lower()}"
    for message in request.registration.documents:
        for name in rpc.document(message, request.registration.applicant).contenders():
            yield f"documents/{database.lock_key(name) % LOCK_SHARDS}"


def _asked(
    transaction: Transaction, request: fingerprint_pb2.RegisterDocumentsRequest, documents: Iterable[Document]
) -> Registration:
    """The registration as the request wants it."""
    message = request.registration
    return Registration(
        id=request.registration_id.lower(),
        listed=transaction.ids.resource("registration"),
        holder=transaction.caller.tenant,
        applicant=message.applicant,
        amount=money.from_proto(message.amount),
        kinds=tuple(document.kind.value for document in documents),
        state=State.REGISTERED,
        digest=transaction.keys.token("registration", rpc.content(message)),
        create_us=transaction.now_us,
        revision=1,
    )


def _checked(
    transaction: Transaction,
    applicant: str,
    messages: Sequence[fingerprint_pb2.FinancedDocument],
    path: str,
    wrong: Sequence[Problem] = (),
) -> list[Document]:
    """The documents, of an applicant who let the caller see. ConsentMissing, InvalidFields."""
    connection, institution = transaction.connection, transaction.caller.tenant
    if not consents.stands(connection, applicant, institution, transaction.now_us):
        raise errors.ConsentMissing
    documents = [rpc.document(message, applicant) for message in messages]
    numbers = [document.number for document in documents if document.kind is Kind.DECLARATION]
    declarants = declarations.enterprises(connection, numbers) if numbers else {}
    presented = checks.presented(messages, documents, applicant, declarants)
    if problems := [*wrong, *checks.problems(presented, path)]:
        raise InvalidFields(problems)
    return documents


def _answered(transaction: Transaction, documents: Sequence[Document], apart_from: str = "") -> list[list[Match]]:
    """The matches of each document, without those of one registration. TooManyDocuments."""
    today = business_date(transaction.now_us)
    _count(transaction, len(documents), today)
    inquiry = Inquiry.of(documents, Blinder(transaction.keys.token), today)
    most = terms.number("candidates_max", today)
    hits = store.hits(transaction.connection, inquiry.tokens, most, apart_from)
    return inquiry.matches(hits, store.candidates(transaction.connection, {hit.document for hit in hits}))


def _count(transaction: Transaction, documents: int, today: datetime.date) -> None:
    now_us = transaction.now_us
    windows = [
        store.Window(span, window_start_us(span, now_us), terms.number(term, today))
        for span, (term, _) in LIMITS.items()
    ]
    refusing = store.count(transaction.connection, transaction.caller.tenant, windows, documents)
    if refusing:
        retry_us = max(window_end_us(span, now_us) for span in refusing)
        retry_time = datetime.datetime.fromtimestamp(retry_us // MICROSECONDS, datetime.UTC)
        raise errors.TooManyDocuments(retry_time=retry_time.isoformat())


def _told(transaction: Transaction, found: Iterable[Sequence[Match]]) -> list[fingerprint_pb2.DocumentMatches]:
    """The best matches of each document, as the caller may know of them."""
    today, reader = business_date(transaction.now_us), transaction.caller.tenant
    most = terms.number("matches_max", today)
    return [
        fingerprint_pb2.DocumentMatches(
            matches=[rpc.match(match.score, match.other, today, reader) for match in matches[:most]]
        )
        for matches in found
    ]


def _add(transaction: Transaction, registration: Registration, documents: Sequence[Document]) -> None:
    blinder = Blinder(transaction.keys.token)
    blind, tokens = [], []
    for position, document in enumerate(documents):
        identifier = document_id(registration.id, position)
        comparing = blinder.comparing(document, identifier)
        blind.append(RegisteredDocument(identifier, registration.id, position, comparing))
        for token, meanings in blinder.finding(document).items():
            tokens += [(token, identifier, meaning.position) for meaning in meanings]
    store.add(transaction, registration, blind, tokens)


def _alert(transaction: Transaction, found: Iterable[Sequence[Match]]) -> None:
    """Tells the holders of those that a new registration matches; the caller knows his own."""
    today = business_date(transaction.now_us)
    for match in (match for matches in found for match in matches):
        other = match.other
        if other.holder == transaction.caller.tenant or other.state not in ALERTED:
            continue
        later = dataclasses.replace(other, state=State.REGISTERED, create_us=transaction.now_us)
        payload = fingerprint_pb2.RegistrationMatched(
            registration=other.registration,
            document_index=other.document.position,
            match=rpc.match(match.score, later, today, reader=""),
        )
        store.alert(transaction, other, payload)


def finance(transaction: Transaction, request: fingerprint_pb2.MarkFinancedRequest) -> fingerprint_pb2.Registration:
    """The institution has paid."""
    return _move(transaction, request, Verb.FINANCE, "registration.financed")


def repay(transaction: Transaction, request: fingerprint_pb2.MarkRepaidRequest) -> fingerprint_pb2.Registration:
    """What it paid has come back."""
    return _move(transaction, request, Verb.REPAY, "registration.repaid")


def cancel(
    transaction: Transaction, request: fingerprint_pb2.CancelRegistrationRequest
) -> fingerprint_pb2.Registration:
    """Nothing came of it, or the finance was undone."""
    return _move(transaction, request, Verb.CANCEL, "registration.cancelled")


def _move(transaction: Transaction, request: Any, verb: Verb, event: str) -> fingerprint_pb2.Registration:
    registration = store.load(transaction.connection, request.name.removeprefix("registrations/"))
    if registration is None or registration.holder != transaction.caller.tenant:
        raise NotFound(resource=request.name)
    check_etag(request.etag, registration)
    state = moved(TRANSITIONS, registration, verb)
    return rpc.to_proto(store.save(transaction, dataclasses.replace(registration, state=state), event))
