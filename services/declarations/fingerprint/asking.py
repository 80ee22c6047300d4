"""Asking the register and registering, many callers at once: each learns what all before it registered."""

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
from services.declarations.privacy.consent.access import Seen
from services.declarations.privacy.consent.model import Consent, Purpose
from services.declarations.window.declaration import store as declaration_store

# The resource of a disclosure that made no registration (AIP-159).
ANY_REGISTRATION = "registrations/-"
Windows = tuple[store.Window, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """Documents that a caller asks about, as they came (in the field `path`) and as they are compared.

    `registration` is what they make, where they are to be registered, and `digests` its content's, by every suite in
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
        """Who asks."""
        return self.transaction.caller.tenant

    @property
    def purpose(self) -> Purpose:
        """What it asks for."""
        return Purpose.INSURANCE if self.institution.startswith("insurers/") else Purpose.FINANCING

    def seen(self, consent: Consent) -> Seen:
        """The answer, as it is written down: no document is named."""
        resource = self.registration.name if self.registration else ANY_REGISTRATION
        return Seen(self.applicant, consent, self.method, [resource], self.purpose)

    @property
    def today(self) -> datetime.date:
        """The business day."""
        return self.transaction.business_date

    @property
    def blinders(self) -> tuple[Blinder, ...]:
        """The makers of tokens: the first makes what is kept, all make what is looked for."""
        return tuple(map(Blinder, self.transaction.keys.token_makers()))

    @property
    def windows(self) -> Windows:
        """In which the answers count."""
        now_us, today = self.transaction.now_us, self.today
        return tuple(
            store.Window(span, window_start_us(span, now_us), terms.number(term, today))
            for span, (term, _) in LIMITS.items()
        )


Refusals = dict[Asked, DomainError]


def answer(asked: Sequence[Asked]) -> list[Answer | DomainError]:
    """Answers in arrival order, each on what those before it register. ConsentMissing, InvalidFields,
    RegistrationIdTaken, TooManyDocuments.
    """
    connection = asked[0].transaction.connection
    known = store.load(connection, [each_asked.registration.id for each_asked in asked if each_asked.registration])
    consents = _consents(asked)
    refusals = _refusals(asked, consents, known)
    refusals |= _count([each_asked for each_asked in asked if each_asked not in refusals])
    standing = [each_asked for each_asked in asked if each_asked not in refusals]
    inquiries = {
        each_asked: Inquiry.of(each_asked.documents, each_asked.blinders, each_asked.today) for each_asked in standing
    }
    shelf = _shelf(asked[0], inquiries.values())
    answers = {each_asked: _answer(each_asked, inquiries[each_asked], shelf, known) for each_asked in standing}
    access.note([(each_asked.transaction, [each_asked.seen(consents[each_asked])]) for each_asked in standing])
    return [refusals.get(each_asked) or answers[each_asked] for each_asked in asked]


def _consents(asked: Sequence[Asked]) -> dict[Asked, Consent]:
    """By which consent of the applicant each may ask; looked up once for each institution."""
    enterprises = {each_asked.applicant for each_asked in asked}
    callers = {(each_asked.institution, each_asked.purpose): each_asked.transaction for each_asked in asked}
    granted = {key: access.granted(transaction, enterprises, key[1]) for key, transaction in callers.items()}
    found = (
        (each_asked, granted[each_asked.institution, each_asked.purpose].get(each_asked.applicant))
        for each_asked in asked
    )
    return {each_asked: consent for each_asked, consent in found if consent}


def _refusals(asked: Sequence[Asked], consents: Mapping[Asked, Consent], known: Mapping[str, Registration]) -> Refusals:
    """Who isn't answered: without consent, with invalid documents, with another's registration."""
    connection = asked[0].transaction.connection
    numbers = {
        document.number
        for other_asked in asked
        for document in other_asked.documents
        if document.kind is Kind.DECLARATION
    }
    declarants = declaration_store.enterprises(connection, numbers) if numbers else {}
    expected, refusals = dict(known), Refusals()
    for each_asked in asked:
        try:
            if each_asked not in consents:
                raise privacy_errors.ConsentMissing
            _check_documents(each_asked, declarants)
            _check_registration(each_asked, expected)
        except DomainError as refusal:
            refusals[each_asked] = refusal
    return refusals


def _check_documents(asked: Asked, declarants: Mapping[str, str]) -> None:
    presented = checks.presented(asked.messages, asked.documents, asked.applicant, declarants)
    if problems := [*asked.wrong, *checks.problems(presented, asked.path)]:
        raise InvalidFields(problems)


def _check_registration(asked: Asked, expected: dict[str, Registration]) -> None:
    """Raises RegistrationIdTaken where the id already stands for other content."""
    if (fresh := asked.registration) is None:
        return
    standing = expected.setdefault(fresh.id, fresh)
    if standing.holder != fresh.holder or standing.digest not in asked.digests:
        raise errors.RegistrationIdTaken(registration=fresh.name)


def _count(asked: Sequence[Asked]) -> Refusals:
    """Counts the documents of each institution at once; where that is too many, one request after the other."""
    groups: dict[tuple[str, Windows], list[Asked]] = {}
    for group in asked:
        groups.setdefault((group.institution, group.windows), []).append(group)
    refusals = Refusals()
    # In one order, as every process locks the rows.
    for key in sorted(groups):
        if not _exceeded(groups[key]):
            continue
        for group in groups[key]:
            if spans := _exceeded([group]):
                retry_us = max(window_end_us(span, group.transaction.now_us) for span in spans)
                retry_time = datetime.datetime.fromtimestamp(retry_us // MICROSECONDS, datetime.UTC)
                refusals[group] = errors.TooManyDocuments(retry_time=retry_time.isoformat())
    return refusals


def _exceeded(asked: Sequence[Asked]) -> list[Span]:
    """The spans in which these are too many; then nothing of them is counted."""
    first, documents = asked[0], sum(len(each_asked.documents) for each_asked in asked)
    savepoint = first.transaction.connection.begin_nested()
    spans = store.count(first.transaction.connection, first.institution, first.windows, documents)
    savepoint.rollback() if spans else savepoint.commit()
    return spans


def _shelf(asked: Asked, inquiries: Iterable[Inquiry]) -> Shelf:
    """The registered documents that any of the inquiries may find."""
    connection, tokens = asked.transaction.connection, set[int]().union(*(inquiry.tokens for inquiry in inquiries))
    hits = store.hits(connection, tokens, terms.number("candidates_max", asked.today))
    return Shelf.of(hits, store.candidates(connection, {hit.document for hit in hits}))


def _answer(asked: Asked, inquiry: Inquiry, shelf: Shelf, known: dict[str, Registration]) -> Answer:
    fresh = asked.registration
    if fresh is None:
        return Answer(inquiry.matches(shelf, ""))
    matches = inquiry.matches(shelf, fresh.id)
    if fresh.id in known:
        return Answer(matches, known[fresh.id])
    known[fresh.id] = fresh
    hits, candidates = _blind(asked, fresh)
    shelf.add(hits, candidates)
    return Answer(matches, fresh, hits, candidates)


def _blind(asked: Asked, registration: Registration) -> tuple[list[Hit], list[Candidate]]:
    """Returns what is kept of a registration's documents."""
    hits, candidates, blinder = [], [], asked.blinders[0]
    for position, document in enumerate(document.kept() for document in asked.documents):
        identifier = document_id(registration.id, position)
        kept = RegisteredDocument(identifier, registration.id, position, blinder.comparing(document, identifier))
        candidates.append(Candidate(kept, registration.holder, registration.state, registration.create_us))
        for token, meanings in blinder.finding(document).items():
            hits += [Hit(token, identifier, meaning.position) for meaning in meanings]
    return hits, candidates
