"""Asks the register and registers, for many callers at once: each learns what all before it registered."""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from aval.declarations.v1 import fingerprint_pb2

from chassis.clock import MICROSECONDS
from chassis.command import Transaction
from chassis.errors import DomainError, InvalidFields, Problem
from services.declarations.fingerprint import checks, errors, store, terms
from services.declarations.fingerprint.answers import Answer, Hit, Inquiry, Shelf
from services.declarations.fingerprint.document import Document, Kind
from services.declarations.fingerprint.model import (
    LIMITS,
    Candidate,
    RegisteredDocument,
    Registration,
    Span,
    document_id,
    window_end_us,
    window_start_us,
)
from services.declarations.fingerprint.tokens import Blinder
from services.declarations.privacy import errors as privacy_errors
from services.declarations.privacy.consent import access
from services.declarations.privacy.consent.access import PendingDisclosure
from services.declarations.privacy.consent.model import Consent, Purpose
from services.declarations.window.declaration import store as declaration_store

# The resource of a disclosure that made no registration (AIP-159).
ANY_REGISTRATION = "registrations/-"
Windows = tuple[store.Window, ...]


@dataclass(frozen=True, slots=True, eq=False)
class DocumentRequest:
    """Documents that a caller asks about, as they came (in the field `path`) and as they are compared.

    `registration` is the one they make, where they are to be registered, and `digests` its content's, by every suite in
    which tokens stand; `wrong` are the problems beside the documents'.
    """

    transaction: Transaction
    method: str
    applicant: str
    messages: Sequence[fingerprint_pb2.FinancedDocument]
    documents: Sequence[Document]
    path: str
    registration: Registration | None = None
    wrong: Sequence[Problem] = ()
    digests: Sequence[bytes] = ()

    @property
    def institution(self) -> str:
        """Returns the institution that asks."""
        return self.transaction.caller.tenant

    @property
    def purpose(self) -> Purpose:
        """Returns the purpose for which it asks."""
        return Purpose.INSURANCE if self.institution.startswith("insurers/") else Purpose.FINANCING

    def seen(self, consent: Consent) -> PendingDisclosure:
        """Returns the disclosure that the answer is: no document is named."""
        resource = self.registration.name if self.registration else ANY_REGISTRATION
        return PendingDisclosure(self.applicant, consent, self.method, [resource], self.purpose)

    @property
    def today(self) -> datetime.date:
        """Returns the business day."""
        return self.transaction.business_date

    @property
    def blinders(self) -> tuple[Blinder, ...]:
        """Returns the makers of tokens: the first makes tokens to keep, all make tokens to look for."""
        return tuple(map(Blinder, self.transaction.keys.token_makers()))

    @property
    def windows(self) -> Windows:
        """Returns the windows in which the answers count."""
        now_us, today = self.transaction.now_us, self.today
        return tuple(
            store.Window(span, window_start_us(span, now_us), terms.number(term, today))
            for span, (term, _) in LIMITS.items()
        )


Refusals = dict[DocumentRequest, DomainError]


def answer(requests: Sequence[DocumentRequest]) -> list[Answer | DomainError]:
    """Answers in arrival order, each on what those before it register.

    A refusal is ConsentMissing, InvalidFields, RegistrationIdTaken or TooManyDocuments.
    """
    connection = requests[0].transaction.connection
    standing_registrations = store.load(
        connection, [request.registration.id for request in requests if request.registration]
    )
    consents = _consents(requests)
    refusals = _refusals(requests, consents, standing_registrations)
    refusals |= _count([request for request in requests if request not in refusals])
    answered = [request for request in requests if request not in refusals]
    inquiries = {request: Inquiry.of(request.documents, request.blinders, request.today) for request in answered}
    shelf = _shelf(requests[0], inquiries.values())
    answers = {request: _answer(request, inquiries[request], shelf, standing_registrations) for request in answered}
    access.note([(request.transaction, [request.seen(consents[request])]) for request in answered])
    return [refusals.get(request) or answers[request] for request in requests]


def _consents(requests: Sequence[DocumentRequest]) -> dict[DocumentRequest, Consent]:
    """Returns the applicant's consent for each request that has one, looked up once for each institution."""
    enterprises = {request.applicant for request in requests}
    callers = {(request.institution, request.purpose): request.transaction for request in requests}
    granted = {key: access.granted(transaction, enterprises, key[1]) for key, transaction in callers.items()}
    consents_by_request = (
        (request, granted[request.institution, request.purpose].get(request.applicant)) for request in requests
    )
    return {request: consent for request, consent in consents_by_request if consent}


def _refusals(
    requests: Sequence[DocumentRequest],
    consents: Mapping[DocumentRequest, Consent],
    standing_registrations: Mapping[str, Registration],
) -> Refusals:
    """Returns the refused requests: without consent, with invalid documents, with another's registration."""
    connection = requests[0].transaction.connection
    numbers = {
        document.number for request in requests for document in request.documents if document.kind is Kind.DECLARATION
    }
    declarants = declaration_store.enterprises(connection, numbers) if numbers else {}
    expected, refusals = dict(standing_registrations), Refusals()
    for request in requests:
        try:
            if request not in consents:
                raise privacy_errors.ConsentMissing
            _check_documents(request, declarants)
            _check_registration(request, expected)
        except DomainError as refusal:
            refusals[request] = refusal
    return refusals


def _check_documents(request: DocumentRequest, declarants: Mapping[str, str]) -> None:
    presented = checks.presented(request.messages, request.documents, request.applicant, declarants)
    if problems := [*request.wrong, *checks.problems(presented, request.path)]:
        raise InvalidFields(problems)


def _check_registration(request: DocumentRequest, expected: dict[str, Registration]) -> None:
    """Raises RegistrationIdTaken where the id already stands for other content."""
    if (registration := request.registration) is None:
        return
    standing = expected.setdefault(registration.id, registration)
    if standing.holder != registration.holder or standing.digest not in request.digests:
        raise errors.RegistrationIdTaken(registration=registration.name)


def _count(requests: Sequence[DocumentRequest]) -> Refusals:
    """Counts the documents of each institution at once; where that is too many, one request after the other.

    Returns the refused requests.
    """
    groups: dict[tuple[str, Windows], list[DocumentRequest]] = {}
    for request in requests:
        groups.setdefault((request.institution, request.windows), []).append(request)
    refusals = Refusals()
    # In one order, as every process locks the rows.
    for key in sorted(groups):
        if not _exceeded(groups[key]):
            continue
        for request in groups[key]:
            if spans := _exceeded([request]):
                retry_us = max(window_end_us(span, request.transaction.now_us) for span in spans)
                retry_time = datetime.datetime.fromtimestamp(retry_us // MICROSECONDS, datetime.UTC)
                refusals[request] = errors.TooManyDocuments(retry_time=retry_time.isoformat())
    return refusals


def _exceeded(requests: Sequence[DocumentRequest]) -> list[Span]:
    """Counts the requests' documents. Returns the spans in which they are too many; then none of them is counted."""
    first, documents = requests[0], sum(len(request.documents) for request in requests)
    savepoint = first.transaction.connection.begin_nested()
    spans = store.count(first.transaction.connection, first.institution, first.windows, documents)
    savepoint.rollback() if spans else savepoint.commit()
    return spans


def _shelf(request: DocumentRequest, inquiries: Iterable[Inquiry]) -> Shelf:
    """Returns the registered documents that any of the inquiries may find."""
    connection, tokens = request.transaction.connection, set[int]().union(*(inquiry.tokens for inquiry in inquiries))
    hits = store.hits(connection, tokens, terms.number("candidates_max", request.today))
    return Shelf.of(hits, store.candidates(connection, {hit.document for hit in hits}))


def _answer(
    request: DocumentRequest, inquiry: Inquiry, shelf: Shelf, standing_registrations: dict[str, Registration]
) -> Answer:
    registration = request.registration
    if registration is None:
        return Answer(inquiry.matches(shelf, ""))
    matches = inquiry.matches(shelf, registration.id)
    if registration.id in standing_registrations:
        return Answer(matches, standing_registrations[registration.id])
    standing_registrations[registration.id] = registration
    hits, candidates = _blind(request, registration)
    shelf.add(hits, candidates)
    return Answer(matches, registration, hits, candidates)


def _blind(request: DocumentRequest, registration: Registration) -> tuple[list[Hit], list[Candidate]]:
    """Returns the tokens to keep of a registration's documents."""
    hits, candidates, blinder = [], [], request.blinders[0]
    for position, document in enumerate(document.kept() for document in request.documents):
        identifier = document_id(registration.id, position)
        kept = RegisteredDocument(identifier, registration.id, position, blinder.comparing(document, identifier))
        candidates.append(Candidate(kept, registration.holder, registration.state, registration.create_us))
        for token, meanings in blinder.finding(document).items():
            hits += [Hit(token, identifier, meaning.position) for meaning in meanings]
    return hits, candidates
