"""Refused documents and rows, and waiting receipts: set-based, the only SQL of this room."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2, intake_pb2

from chassis import bulk, records, sealing
from chassis.blobs import store as blob_store
from chassis.command import Transaction
from chassis.records import TEXT, Conflict
from chassis.sealing import Opened
from services.declarations.intake.refused.model import RefusedDocument, State, Told
from services.declarations.schema import metadata
from services.declarations.window.declaration.store import declarations
from services.declarations.window.draft.store import customs_numbers

# intake: refused documents and rows, the reasons to find them by, and how they were told, sealed; contents are blobs.
refused_documents = records.table(
    "refused_documents",
    RefusedDocument,
    metadata,
    sa.Index("refused_documents_sender", "sender", "id"),
    sa.Index("refused_documents_digest", "sender", "digest", unique=True),
    sa.Index(
        "refused_documents_waiting",
        "sender",
        "subject",
        sqlite_where=sa.text("state = 'REFUSED'"),
        postgresql_where=sa.text("state = 'REFUSED'"),
    ),
    sa.Index("refused_documents_time", "last_us"),
)

refused_reasons = sa.Table(
    "refused_reasons",
    metadata,
    sa.Column("document", TEXT, primary_key=True),
    sa.Column("reason", TEXT, primary_key=True),
    sa.Index("refused_reasons_reason", "reason", "document"),
    sqlite_with_rowid=False,
)

refused_told = sealing.table("refused_told", metadata)

# Receipts that name only a unified number, until its declaration comes.
waiting_receipts = sa.Table(
    "waiting_receipts",
    metadata,
    sa.Column("unified_number", TEXT, primary_key=True),
    sa.Column("notice_us", sa.BigInteger, primary_key=True),
    sa.Column("channel_code", TEXT, primary_key=True),
    sa.Column("note", TEXT, nullable=False),
    sqlite_with_rowid=False,
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


def told(opened: Opened, documents: Iterable[RefusedDocument]) -> dict[str, intake_pb2.RefusedDocument]:
    """How the last attempt of each was told, by resource name: only the sender's name for it, and its problems."""
    found = sealing.of(opened, refused_told, [document.name for document in documents])
    return {name: intake_pb2.RefusedDocument.FromString(plain) for name, plain in found.items()}


def content(opened: Opened, document: RefusedDocument) -> bytes:
    """Returns the bytes as they were last sent; empty once they are forgotten."""
    blob = blob_store.of_holder(opened.connection, document.name)
    return blob_store.content(opened, blob) if blob else b""


# As the index has it.
_WAITING = sa.text("state = 'REFUSED'")


def waiting_of_subjects(connection: sa.Connection, sender: str, subjects: Collection[str]) -> list[RefusedDocument]:
    """A sender's rows that wait to be mended, of these subjects."""
    rows = refused_documents.c
    query = sa.select(refused_documents).where(rows.sender == sender, _WAITING)
    return records.many(connection, query.where(bulk.among(connection, rows.subject, subjects)), RefusedDocument)


def has_waiting_rows(connection: sa.Connection, sender: str) -> bool:
    """Whether any row of a sender, of those with a subject, waits to be mended."""
    rows = refused_documents.c
    query = sa.select(sa.literal(1)).where(rows.sender == sender, rows.subject > "", _WAITING).limit(1)
    return connection.execute(query).first() is not None


def count_waiting(connection: sa.Connection, sender: str, at_most: int) -> int:
    """How many of a sender's wait, counted no further than that."""
    some = sa.select(sa.literal(1)).where(refused_documents.c.sender == sender, _WAITING).limit(at_most).subquery()
    return int(connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one())


def forget_before(connection: sa.Connection, before_us: int, at_most: int) -> int:
    """Forgets what was last refused before a time, and all that was kept of it. Returns how many there were."""
    rows = refused_documents.c
    query = sa.select(rows.id).where(rows.last_us < before_us).order_by(rows.last_us).limit(at_most)
    ids = list(connection.execute(query).scalars())
    if ids:
        names = [f"refusedDocuments/{identifier}" for identifier in ids]
        connection.execute(sa.delete(refused_told).where(bulk.among(connection, refused_told.c.resource, names)))
        blob_store.release(connection, names)
        for column in (refused_reasons.c.document, rows.id):
            connection.execute(sa.delete(column.table).where(bulk.among(connection, column, ids)))
    return len(ids)


def add(transaction: Transaction, fresh: Sequence[RefusedDocument]) -> None:
    """Documents refused for the first time."""
    rows = [list(records.to_row(replace(document, revision=1)).values()) for document in fresh]
    bulk.insert(transaction.connection, refused_documents, rows)


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


def _changed_row(document: RefusedDocument) -> dict[str, Any]:
    row = {f"new_{name}": value for name, value in records.to_row(document).items() if name != "revision"}
    return {**row, "key": document.id, "known": document.revision}


def keep_reasons(transaction: Transaction, problems: Mapping[str, Iterable[Told]]) -> None:
    """The reasons of documents by id, in place of those they had."""
    if not problems:
        return
    rows = refused_reasons
    known = bulk.among(transaction.connection, rows.c.document, problems)
    transaction.connection.execute(sa.delete(rows).where(known))
    reasons = {(document, each_told.reason) for document, some in problems.items() for each_told in some}
    bulk.insert(transaction.connection, rows, sorted(reasons))


def keep(transaction: Transaction, told: Mapping[str, bytes], contents: Mapping[str, bytes]) -> None:
    """Seals by resource name how they were told, and their contents as blobs: they may hold personal data."""
    sealing.put(transaction, refused_told, told)
    blob_store.hold(transaction, transaction.caller.tenant, contents)


def forget_contents(transaction: Transaction, names: Collection[str]) -> None:
    """Forgets the contents of documents that nobody has to mend any more."""
    blob_store.release(transaction.connection, names)


def violations(connection: sa.Connection) -> list[str]:
    """Proves that exactly what waits to be mended has its content, and everything has how it was told."""
    rows = refused_documents.c
    name = sa.literal("refusedDocuments/").concat(rows.id)
    content = blob_store.holds(name)
    was_told = sa.select(sa.literal(1)).where(refused_told.c.resource == name).exists()
    is_waiting = rows.state == State.REFUSED
    broken = sa.or_(sa.and_(is_waiting, ~content), sa.and_(~is_waiting, content), ~was_told)
    found = connection.execute(sa.select(rows.id, rows.state).where(broken).order_by(rows.id).limit(20))
    return [f"refusedDocuments/{row.id} is {row.state} and what is kept of it doesn't fit" for row in found]


def declarations_of(connection: sa.Connection, unified_numbers: Collection[str]) -> dict[str, str]:
    """The declaration number of each unified number that is known; of several the last."""
    if not unified_numbers:
        return {}
    rows = declarations.c
    own = sa.select(rows.unified_number, rows.id).where(rows.unified_number.in_(unified_numbers), _HAS_NUMBER)
    keys = {f"unified/{number}": number for number in unified_numbers}
    told = sa.select(customs_numbers.c.number, rows.id).join(declarations, rows.id == customs_numbers.c.declaration)
    found = [(keys[key], number) for key, number in connection.execute(told.where(customs_numbers.c.number.in_(keys)))]
    return dict(sorted([*found, *(tuple(row) for row in connection.execute(own))], key=itemgetter(1)))


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
    """Waiting receipts whose declaration has come, under its own unified number or under one that receipts tell."""
    waiting, told = waiting_receipts, customs_numbers.c
    own = sa.join(waiting, declarations, declarations.c.unified_number == waiting.c.unified_number)
    key = sa.literal("unified/").concat(waiting.c.unified_number)
    other = sa.join(waiting, customs_numbers, told.number == key)
    other = sa.join(other, declarations, declarations.c.id == told.declaration)
    found = sa.union(
        sa.select(waiting, declarations.c.id).select_from(own).where(_HAS_NUMBER),
        sa.select(waiting, declarations.c.id).select_from(other),
    ).subquery()
    query = sa.select(found).order_by(found.c.unified_number, found.c.notice_us).limit(at_most)
    return [_receipt(row) for row in connection.execute(query)]


def _receipt(row: Any) -> declarations_pb2.Receipt:
    receipt = declarations_pb2.Receipt(
        declaration_number=row.id, unified_number=row.unified_number, channel_code=row.channel_code, note=row.note
    )
    receipt.notice_time.FromMicroseconds(row.notice_us)
    return receipt


def forget_waiting(connection: sa.Connection, receipts: Iterable[declarations_pb2.Receipt]) -> None:
    """They wait no more."""
    rows = waiting_receipts.c
    keys = [
        (receipt.unified_number, receipt.notice_time.ToMicroseconds(), receipt.channel_code) for receipt in receipts
    ]
    key = sa.tuple_(rows.unified_number, rows.notice_us, rows.channel_code)
    connection.execute(sa.delete(waiting_receipts).where(key.in_(keys)))
