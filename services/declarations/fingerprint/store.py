"""The document register's rows, set-based: a request of fifty documents is a few statements. The room's only SQL."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from google.protobuf.message import Message

from chassis import bulk, records
from chassis.command import PendingEvent, Transaction
from chassis.identity import Caller
from chassis.records import TEXT
from services.declarations.fingerprint import rpc
from services.declarations.fingerprint.answers import Answer, Hit
from services.declarations.fingerprint.model import Candidate, RegisteredDocument, Registration, Span, State
from services.declarations.fingerprint.tokens import Comparing
from services.declarations.schema import metadata

# fingerprint: the documents behind financings, blind.
registrations = records.table(
    "registrations",
    Registration,
    metadata,
    sa.Index("registrations_holder", "holder", "listed"),
    sa.Index("registrations_applicant", "applicant", "listed"),
)

# Tokens to compare with, in hexadecimal, salted with the id; several parties are parted by spaces.
registered_documents = sa.Table(
    "registered_documents",
    metadata,
    sa.Column("id", TEXT, primary_key=True),
    sa.Column("registration", TEXT, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("parties", TEXT, nullable=False),
    sa.Column("amount", TEXT, nullable=False),
    sa.Column("amount_step", TEXT, nullable=False),
    sa.Column("day", TEXT, nullable=False),
)

# Finding tokens. `position`: the character of the number that was left out, -1 for none.
document_tokens = sa.Table(
    "document_tokens",
    metadata,
    sa.Column("token", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("document", TEXT, primary_key=True),
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

# How many documents an institution got answers about in the present window of a span.
answered_documents = sa.Table(
    "answered_documents",
    metadata,
    sa.Column("institution", TEXT, primary_key=True),
    sa.Column("span", TEXT, primary_key=True),
    sa.Column("start_us", sa.BigInteger, nullable=False),
    sa.Column("documents", sa.BigInteger, nullable=False),
    sa.Column("documents_max", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)


# One row for each institution and span: a new window takes the place of the old one. A clock that was read
# before another's counts in the newer window.
COUNT = sa.text(
    """
    INSERT INTO answered_documents (institution, span, start_us, documents, documents_max)
    SELECT :institution, :span, :start_us, :documents, :documents_max WHERE :documents <= :documents_max
    ON CONFLICT (institution, span) DO UPDATE SET
        documents = excluded.documents
            + CASE WHEN answered_documents.start_us >= excluded.start_us THEN answered_documents.documents ELSE 0 END,
        start_us = CASE WHEN answered_documents.start_us >= excluded.start_us
            THEN answered_documents.start_us ELSE excluded.start_us END,
        documents_max = excluded.documents_max
    WHERE excluded.documents
        + CASE WHEN answered_documents.start_us >= excluded.start_us THEN answered_documents.documents ELSE 0 END
        <= excluded.documents_max
    RETURNING documents
    """
)


class Window(NamedTuple):
    """The number of documents for which an institution may be answered in a span's present window."""

    span: Span
    start_us: int
    documents_max: int


def count(connection: sa.Connection, institution: str, windows: Iterable[Window], documents: int) -> list[Span]:
    """Counts answered documents. Returns the spans in which there were too many, where nothing is counted."""
    parameters = {"institution": institution, "documents": documents}
    return [
        window.span
        for window in windows
        if connection.execute(COUNT, parameters | window._asdict() | {"span": window.span.value}).first() is None
    ]


def load(connection: sa.Connection, identifiers: Collection[str]) -> dict[str, Registration]:
    """Returns the registrations with these ids, by id, without those that don't exist."""
    if not identifiers:
        return {}
    query = sa.select(registrations).where(bulk.among(connection, registrations.c.id, identifiers))
    return {registration.id: registration for registration in records.many(connection, query, Registration)}


def named(connection: sa.Connection, caller: Caller, identifier: str) -> Registration | None:
    """Returns a registration by what its holder or applicant calls it.

    That is the id in its name, or the id that its holder gave it.
    """
    own = caller.kept_id(identifier)
    registrations_by_id = load(connection, {identifier, own})
    found_registrations = [registrations_by_id[key] for key in (identifier, own) if key in registrations_by_id]
    return next(
        (
            registration
            for registration in found_registrations
            if caller.tenant in (registration.holder, registration.applicant)
        ),
        None,
    )


def hits(connection: sa.Connection, tokens: Collection[int], most: int) -> list[Hit]:
    """Returns where these tokens stand, at most so many times each."""
    rows = document_tokens
    rank = sa.func.row_number().over(partition_by=rows.c.token, order_by=(rows.c.document, rows.c.position))
    ranked = sa.select(rows, rank.label("rank")).where(bulk.among(connection, rows.c.token, tokens)).subquery()
    columns = (ranked.c.token, ranked.c.document, ranked.c.position)
    return [Hit(*row) for row in connection.execute(sa.select(*columns).where(ranked.c.rank <= most))]


def candidates(connection: sa.Connection, identifiers: Collection[str]) -> dict[str, Candidate]:
    """Returns these documents, with what may be told of their registrations."""
    if not identifiers:
        return {}
    rows, owners = registered_documents, registrations
    query = sa.select(rows, owners.c.holder, owners.c.state, owners.c.create_us)
    joined = query.join(owners, owners.c.id == rows.c.registration)
    found_rows = connection.execute(joined.where(bulk.among(connection, rows.c.id, identifiers)))
    return {row.id: _candidate(row) for row in found_rows}


def _candidate(row: Any) -> Candidate:
    comparing = Comparing(tuple(row.parties.split()), row.amount, row.amount_step, row.day)
    document = RegisteredDocument(row.id, row.registration, row.position, comparing)
    return Candidate(document, row.holder, State(row.state), row.create_us)


def _row(document: RegisteredDocument) -> bulk.Row:
    """Returns the row in the table's order."""
    comparing = document.comparing
    parties = " ".join(comparing.parties)
    identity = (document.id, document.registration, document.position)
    return *identity, parties, comparing.amount, comparing.amount_step, comparing.day


def of_party(party: str) -> Any:
    """Returns a query of the registrations that an institution holds, or that were made for an enterprise."""
    rows = registrations
    return sa.select(rows).where(sa.or_(rows.c.holder == party, rows.c.applicant == party))


def add(connection: sa.Connection, new_answers: Sequence[Answer]) -> None:
    """Inserts the new registrations of answers, with their documents and tokens."""
    records.insert(connection, registrations, *(answer.registration for answer in new_answers))
    documents = [_row(candidate.document) for answer in new_answers for candidate in answer.candidates]
    bulk.insert(connection, registered_documents, documents)
    bulk.insert(connection, document_tokens, [hit for answer in new_answers for hit in answer.hits])


def save(transaction: Transaction, registration: Registration, event: str) -> Registration:
    """Saves a changed registration, and tells its event. Returns the saved registration."""
    saved = records.update(transaction.connection, registrations, registration)
    tell(transaction, saved, event)
    return saved


def tell(transaction: Transaction, registration: Registration, event: str) -> None:
    """Tells an event to its holder and the applicant, and nobody else."""
    parties = (registration.holder, registration.applicant)
    transaction.append(event, registration.name, rpc.to_proto(registration), parties)


def alert(transaction: Transaction, earlier: Candidate, payload: Message) -> None:
    """Tells a registration's holder of a later match, without the trace that leads to who registered it."""
    identifier, tenants = transaction.ids.resource("event"), (earlier.holder,)
    event = PendingEvent(
        identifier, "registration.matched", earlier.registration, payload, tenants, "", transaction.now_us
    )
    transaction.events.append(event)
