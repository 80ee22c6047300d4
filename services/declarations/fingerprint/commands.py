"""Registers documents, answers questions about them, and records how their financing went on."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from aval.declarations.v1 import fingerprint_pb2
from google.protobuf.message import Message

from chassis import database
from chassis.command import Transaction
from chassis.errors import DomainError, NotFound, Problem
from chassis.identity import Caller
from chassis.money import Money
from chassis.states import check_etag, moved
from services.declarations.fingerprint import rpc, store, terms
from services.declarations.fingerprint.answers import Answer
from services.declarations.fingerprint.asking import DocumentRequest, answer
from services.declarations.fingerprint.document import Document
from services.declarations.fingerprint.model import ALERTED, TRANSITIONS, Registration, State, Verb

LOCK_SHARDS = 4096
# The purpose of the token that is a registration's digest.
DIGEST = "registration"
AMOUNT_INVALID = Problem(
    "registration.amount",
    "AMOUNT_INVALID",
    "Give a positive amount in an ISO 4217 currency.",
    "请填写正数金额及 ISO 4217 币种。",
)


RegisterWork = tuple[Transaction, fingerprint_pb2.RegisterDocumentsRequest]
CheckWork = tuple[Transaction, fingerprint_pb2.CheckDocumentsRequest]


def contenders(request: fingerprint_pb2.RegisterDocumentsRequest) -> Iterator[str]:
    """Yields the names that a registration locks: itself, and those that any that may match it locks too.

    They are shards, so that the database's view of locks tells nothing of whose documents are being registered.
    """
    yield f"registrations/{request.registration_id.lower()}"
    for message in request.registration.documents:
        for name in rpc.document(message, request.registration.applicant).contenders():
            yield f"documents/{database.lock_key(name) % LOCK_SHARDS}"


def register_batch(work: Sequence[RegisterWork]) -> Sequence[Message | DomainError]:
    """Keeps the tokens of financings' documents. Returns what else is known of them; the same again asks again."""
    identifiers = {request.registration_id.lower() for _, request in work}
    # Registrations from before ids had owners go on under their very ids.
    standing_by_id = store.load(work[0][0].connection, identifiers)
    answers = answer([_registering(transaction, request, standing_by_id) for transaction, request in work])
    transactions_with_answers = list(zip((transaction for transaction, _ in work), answers, strict=True))
    store.add(
        work[0][0].connection,
        [outcome for outcome in answers if isinstance(outcome, Answer) and outcome.candidates],
    )
    return [
        _registered(transaction, outcome) if isinstance(outcome, Answer) else outcome
        for transaction, outcome in transactions_with_answers
    ]


def check_batch(work: Sequence[CheckWork]) -> Sequence[Message | DomainError]:
    """Returns what is known of documents."""
    answers = answer([_checking(transaction, request) for transaction, request in work])
    return [
        fingerprint_pb2.CheckDocumentsResponse(documents=_told(transaction, outcome))
        if isinstance(outcome, Answer)
        else outcome
        for (transaction, _), outcome in zip(work, answers, strict=True)
    ]


def _checking(transaction: Transaction, request: fingerprint_pb2.CheckDocumentsRequest) -> DocumentRequest:
    documents = [rpc.document(message, request.applicant) for message in request.documents]
    return DocumentRequest(transaction, "CheckDocuments", request.applicant, request.documents, documents, "documents")


def _registering(
    transaction: Transaction,
    request: fingerprint_pb2.RegisterDocumentsRequest,
    standing_by_id: Mapping[str, Registration],
) -> DocumentRequest:
    message = request.registration
    documents = [rpc.document(financed_document, message.applicant) for financed_document in message.documents]
    amount = rpc.amount(message.amount)
    identifier = _kept_id(transaction.caller, request.registration_id.lower(), standing_by_id)
    return DocumentRequest(
        transaction,
        "RegisterDocuments",
        message.applicant,
        message.documents,
        documents,
        path="registration.documents",
        registration=_registration(transaction, identifier, request, documents, amount) if amount else None,
        wrong=[] if amount else [AMOUNT_INVALID],
        digests=transaction.keys.tokens(DIGEST, rpc.content(message)),
    )


def _kept_id(caller: Caller, identifier: str, standing_by_id: Mapping[str, Registration]) -> str:
    """Returns the id under which a registration is kept, or is to be."""
    is_own = identifier in standing_by_id and standing_by_id[identifier].holder == caller.tenant
    return identifier if is_own else caller.kept_id(identifier)


def _registration(
    transaction: Transaction,
    identifier: str,
    request: fingerprint_pb2.RegisterDocumentsRequest,
    documents: Iterable[Document],
    amount: Money,
) -> Registration:
    """Returns the registration as the request wants it."""
    return Registration(
        id=identifier,
        listed=transaction.ids.resource("registration"),
        holder=transaction.caller.tenant,
        applicant=request.registration.applicant,
        amount=amount,
        kinds=tuple(document.kind.value for document in documents),
        state=State.REGISTERED,
        digest=transaction.keys.token(DIGEST, rpc.content(request.registration)),
        create_us=transaction.now_us,
        revision=1,
    )


def _registered(transaction: Transaction, answer: Answer) -> fingerprint_pb2.RegisterDocumentsResponse:
    """Tells of a new registration, and alerts the holders of those that it matches. Returns the response."""
    assert answer.registration is not None
    if answer.candidates:
        store.tell(transaction, answer.registration, "registration.registered")
        _alert(transaction, answer)
    return fingerprint_pb2.RegisterDocumentsResponse(
        registration=rpc.to_proto(answer.registration), documents=_told(transaction, answer)
    )


def _told(transaction: Transaction, answer: Answer) -> list[fingerprint_pb2.DocumentMatches]:
    """Returns the best matches of each document, as the caller may know of them."""
    today, reader = transaction.business_date, transaction.caller.tenant
    most = terms.number("matches_max", today)
    return [
        fingerprint_pb2.DocumentMatches(
            matches=[rpc.match(match.score, match.other, today, reader) for match in matches[:most]]
        )
        for matches in answer.matches
    ]


def _alert(transaction: Transaction, answer: Answer) -> None:
    """Tells the holders of registrations that a new one matches; the caller knows his own."""
    today = transaction.business_date
    for match in (match for matches in answer.matches for match in matches):
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
    """Records that the institution has paid. Returns the registration."""
    return _move(transaction, request, Verb.FINANCE, "registration.financed")


def repay(transaction: Transaction, request: fingerprint_pb2.MarkRepaidRequest) -> fingerprint_pb2.Registration:
    """Records that what it paid has come back. Returns the registration."""
    return _move(transaction, request, Verb.REPAY, "registration.repaid")


def cancel(
    transaction: Transaction, request: fingerprint_pb2.CancelRegistrationRequest
) -> fingerprint_pb2.Registration:
    """Records that no finance came, or that it was undone. Returns the registration."""
    return _move(transaction, request, Verb.CANCEL, "registration.cancelled")


def _move(transaction: Transaction, request: Any, verb: Verb, event: str) -> fingerprint_pb2.Registration:
    identifier = request.name.removeprefix("registrations/")
    registration = store.named(transaction.connection, transaction.caller, identifier)
    if registration is None or registration.holder != transaction.caller.tenant:
        raise NotFound(resource=request.name)
    check_etag(request.etag, registration)
    state = moved(TRANSITIONS, registration, verb)
    return rpc.to_proto(store.save(transaction, dataclasses.replace(registration, state=state), event))
