"""The document register's rows, set-based: a request of fifty documents is a few statements. The room's only SQL."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from google.protobuf.message import Message

from chassis import bulk, records
from chassis.command import PendingEvent, Transaction
from services.declarations.fingerprint import rpc
from services.declarations.fingerprint.model import RegisteredDocument, Registration, Span
from services.declarations.tables import document_tokens, registered_documents, registrations

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


class Hit(NamedTuple):
    """A finding token that a stored document has."""

    token: int
    document: str
    position: int


class Window(NamedTuple):
    """How many documents an institution may be answered in a span's present window."""

    span: Span
    start_us: int
    documents_max: int


def count(connection: sa.Connection, institution: str, windows: Iterable[Window], documents: int) -> list[Span]:
    """Counts answered documents; the spans in which there were too many, where nothing is counted."""
    asked = {"institution": institution, "documents": documents}
    return [
        window.span
        for window in windows
        if connection.execute(COUNT, asked | window._asdict() | {"span": window.span.value}).first() is None
    ]


def load(connection: sa.Connection, identifier: str) -> Registration | None:
    """A registration by its id."""
    return records.one(connection, registrations, Registration, registrations.c.id == identifier)


def hits(connection: sa.Connection, tokens: Collection[int], most: int, apart_from: str) -> list[Hit]:
    """Where these tokens stand, at most so many times each; without one registration's own documents."""
    rows = document_tokens
    rank = sa.func.row_number().over(partition_by=rows.c.token, order_by=(rows.c.document, rows.c.position))
    # The character after "/" is "0".
    others = sa.or_(rows.c.document < f"{apart_from}/", rows.c.document >= f"{apart_from}0")
    ranked = sa.select(rows, rank.label("rank")).where(bulk.among(connection, rows.c.token, tokens), others).subquery()
    columns = (ranked.c.token, ranked.c.document, ranked.c.position)
    return [Hit(*row) for row in connection.execute(sa.select(*columns).where(ranked.c.rank <= most))]


def documents(
    connection: sa.Connection, identifiers: Collection[str]
) -> Mapping[str, tuple[RegisteredDocument, Registration]]:
    """These documents, each with its registration."""
    if not identifiers:
        return {}
    query = sa.select(registered_documents).where(bulk.among(connection, registered_documents.c.id, identifiers))
    found = records.many(connection, query, RegisteredDocument)
    owners = {one.registration for one in found}
    query = sa.select(registrations).where(bulk.among(connection, registrations.c.id, owners))
    by_id = {one.id: one for one in records.many(connection, query, Registration)}
    return {one.id: (one, by_id[one.registration]) for one in found}


def of_holder(holder: str) -> Any:
    """A query of an institution's registrations."""
    return sa.select(registrations).where(registrations.c.holder == holder)


def add(
    transaction: Transaction,
    registration: Registration,
    blind: Sequence[RegisteredDocument],
    tokens: Sequence[tuple[int, str, int]],
) -> None:
    """A new registration with its documents and their tokens (token, document, position), with its event."""
    records.insert(transaction.connection, registrations, registration)
    records.insert(transaction.connection, registered_documents, *blind)
    bulk.insert(transaction.connection, document_tokens, tokens)
    _tell(transaction, registration, "registration.registered")


def save(transaction: Transaction, registration: Registration, event: str) -> Registration:
    """A changed registration, with its event."""
    fresh = records.update(transaction.connection, registrations, registration)
    _tell(transaction, fresh, event)
    return fresh


def _tell(transaction: Transaction, registration: Registration, event: str) -> None:
    """To its holder and nobody else."""
    transaction.append(event, registration.name, rpc.to_proto(registration), [registration.holder])


def alert(transaction: Transaction, registration: Registration, payload: Message) -> None:
    """Tells a registration's holder of a later match, without the trace that leads to who registered it."""
    identifier, tenants = transaction.ids.resource("event"), (registration.holder,)
    event = PendingEvent(
        identifier, "registration.matched", registration.name, payload, tenants, "", transaction.now_us
    )
    transaction.events.append(event)
