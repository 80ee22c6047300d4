"""Refused documents and waiting receipts as rows: set-based, the only SQL of this room."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2

from chassis import records, sealing
from chassis.command import Transaction
from chassis.records import Conflict
from chassis.sealing import Opened
from services.declarations.intake.model import RefusedDocument
from services.declarations.tables import (
    declarations,
    refused_contents,
    refused_documents,
    refused_reasons,
    waiting_receipts,
)

# Unified number, notice time in microseconds, channel code.
Waiting = tuple[str, int, str]


def load(connection: sa.Connection, sender: str, name: str) -> RefusedDocument | None:
    """A sender's refused document by its resource name."""
    rows = refused_documents.c
    identifier = name.removeprefix("refusedDocuments/")
    return records.one(connection, refused_documents, RefusedDocument, rows.id == identifier, rows.sender == sender)


def by_digest(connection: sa.Connection, sender: str, digests: Iterable[bytes]) -> dict[bytes, RefusedDocument]:
    """A sender's refused documents by the content first refused."""
    rows = refused_documents.c
    query = sa.select(refused_documents).where(rows.sender == sender, rows.digest.in_(set(digests)))
    return {found.digest: found for found in records.many(connection, query, RefusedDocument)}


def of_sender(sender: str) -> Any:
    """A query of a sender's refused documents."""
    return sa.select(refused_documents).where(refused_documents.c.sender == sender)


def with_reason(reason: str) -> Any:
    """The condition that a refused document has a problem of this reason."""
    rows = refused_reasons.c
    return refused_documents.c.id.in_(sa.select(rows.document).where(rows.reason == reason))


def content(opened: Opened, document: RefusedDocument) -> bytes:
    """The bytes as they were last sent; empty once they are forgotten."""
    return sealing.of(opened, refused_contents, [document.name]).get(document.name, b"")


def add(transaction: Transaction, fresh: Sequence[RefusedDocument]) -> None:
    """Documents refused for the first time."""
    records.insert(transaction.connection, refused_documents, *(replace(document, revision=1) for document in fresh))
    _add_reasons(transaction.connection, fresh)


def save(transaction: Transaction, changed: Sequence[RefusedDocument]) -> None:
    """Refused documents that moved or were refused again. Conflict if one changed meanwhile."""
    if not changed:
        return
    table = refused_documents
    values: dict[str, Any] = {column.name: sa.bindparam(f"new_{column.name}") for column in table.c}
    values["revision"] = table.c.revision + 1
    statement = sa.update(table).where(table.c.id == sa.bindparam("key"), table.c.revision == sa.bindparam("known"))
    rows = [_changed_row(document) for document in changed]
    if transaction.connection.execute(statement.values(values), rows).rowcount != len(rows):
        raise Conflict(table.name)
    ids = [document.id for document in changed]
    transaction.connection.execute(sa.delete(refused_reasons).where(refused_reasons.c.document.in_(ids)))
    _add_reasons(transaction.connection, changed)


def _changed_row(document: RefusedDocument) -> dict[str, Any]:
    row = {f"new_{name}": value for name, value in records.to_row(document).items() if name != "revision"}
    return {**row, "key": document.id, "known": document.revision}


def _add_reasons(connection: sa.Connection, documents: Iterable[RefusedDocument]) -> None:
    reasons = {(document.id, told.reason) for document in documents for told in document.problems}
    rows = [{"document": document, "reason": reason} for document, reason in sorted(reasons)]
    if rows:
        connection.execute(sa.insert(refused_reasons), rows)


def keep_contents(transaction: Transaction, contents: Mapping[str, bytes]) -> None:
    """Seals contents by resource name: they may hold personal data."""
    sealing.put(transaction, refused_contents, contents)


def forget_contents(transaction: Transaction, names: Collection[str]) -> None:
    """Of documents that nobody has to mend any more."""
    if names:
        rows = refused_contents
        transaction.connection.execute(sa.delete(rows).where(rows.c.resource.in_(names)))


def declarations_of(connection: sa.Connection, unified_numbers: Collection[str]) -> dict[str, str]:
    """The declaration number of each unified number that is known; of several the last."""
    if not unified_numbers:
        return {}
    rows = declarations.c
    query = sa.select(rows.unified_number, rows.id).where(rows.unified_number.in_(unified_numbers), _HAS_NUMBER)
    return dict(tuple(row) for row in connection.execute(query.order_by(rows.id)))


# As the index has it.
_HAS_NUMBER = declarations.c.unified_number != ""


def waiting_of(connection: sa.Connection, unified_numbers: Collection[str]) -> set[Waiting]:
    """The receipts that wait for these unified numbers."""
    if not unified_numbers:
        return set()
    rows = waiting_receipts.c
    query = sa.select(rows.unified_number, rows.notice_us, rows.channel_code)
    found = connection.execute(query.where(rows.unified_number.in_(unified_numbers)))
    return {(row.unified_number, row.notice_us, row.channel_code) for row in found}


def add_waiting(connection: sa.Connection, fresh: Mapping[Waiting, str]) -> None:
    """New receipts that wait, with their notes."""
    rows = [
        {"unified_number": number, "notice_us": notice_us, "channel_code": code, "note": note}
        for (number, notice_us, code), note in fresh.items()
    ]
    if rows:
        connection.execute(sa.insert(waiting_receipts), rows)


def attachable(connection: sa.Connection, at_most: int) -> list[declarations_pb2.Receipt]:
    """Waiting receipts whose declaration has come, under its number."""
    waiting = waiting_receipts
    joined = sa.join(waiting, declarations, declarations.c.unified_number == waiting.c.unified_number)
    query = sa.select(waiting, declarations.c.id).select_from(joined).where(_HAS_NUMBER)
    found = connection.execute(query.order_by(waiting.c.unified_number, waiting.c.notice_us).limit(at_most))
    return [_receipt(row) for row in found]


def _receipt(row: Any) -> declarations_pb2.Receipt:
    receipt = declarations_pb2.Receipt(
        declaration_number=row.id, unified_number=row.unified_number, channel_code=row.channel_code, note=row.note
    )
    receipt.notice_time.FromMicroseconds(row.notice_us)
    return receipt


def forget_waiting(connection: sa.Connection, receipts: Iterable[declarations_pb2.Receipt]) -> None:
    """They wait no more."""
    rows = waiting_receipts.c
    keys = [(one.unified_number, one.notice_time.ToMicroseconds(), one.channel_code) for one in receipts]
    key = sa.tuple_(rows.unified_number, rows.notice_us, rows.channel_code)
    connection.execute(sa.delete(waiting_receipts).where(key.in_(keys)))
