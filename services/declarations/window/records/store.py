"""Records as rows: set-based, and the only SQL of this room."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from aval.declarations.v1 import records_pb2

from chassis import bulk, records
from chassis.command import Transaction
from chassis.records import TEXT
from services.declarations.schema import metadata
from services.declarations.window.records import kinds, rpc
from services.declarations.window.records.model import Record

# Records beside the declarations: every version of each, of which one counts.
record_versions = records.table(
    "records",
    Record,
    metadata,
    sa.Index("records_version", "record", "notice_us", unique=True),
    # One counts: two writers at once can't both supersede the same version.
    sa.Index(
        "records_newest",
        "record",
        unique=True,
        sqlite_where=sa.text("is_newest"),
        postgresql_where=sa.text("is_newest"),
    ),
    sa.Index("records_enterprise", "enterprise", "kind"),
    sa.Index("records_declaration", "declaration", "kind"),
)

# The other subjects of a version: a transport document, an invoice, a warehouse, a port.
record_subjects = sa.Table(
    "record_subjects",
    metadata,
    sa.Column("subject", TEXT, primary_key=True),
    sa.Column("version", TEXT, primary_key=True),
    sqlite_with_rowid=False,
)


# The resource of an event on many records (AIP-159).
ALL = "records/-"


def newest(connection: sa.Connection, identifiers: Iterable[str]) -> dict[str, Record]:
    """Returns the version that counts of each of these records, by the record's id."""
    query = sa.select(record_versions).where(
        bulk.among(connection, record_versions.c.record, identifiers), record_versions.c.is_newest
    )
    return {record.record: record for record in records.many(connection, query, Record)}


def digests(connection: sa.Connection, versions: Iterable[tuple[str, int]]) -> dict[tuple[str, int], bytes]:
    """Returns the digests of those versions (record, notice time) that are stored."""
    wanted = set(versions)
    rows = record_versions.c
    query = sa.select(rows.record, rows.notice_us, rows.digest).where(
        bulk.among(connection, rows.record, {record for record, _ in wanted}),
        rows.notice_us.in_({notice_us for _, notice_us in wanted}),
    )
    return {(row.record, row.notice_us): row.digest for row in connection.execute(query)}


def versions(connection: sa.Connection, identifiers: Iterable[str]) -> list[Record]:
    """Returns all versions of these records."""
    return records.many(
        connection,
        sa.select(record_versions).where(bulk.among(connection, record_versions.c.record, identifiers)),
        Record,
    )


def about(
    connection: sa.Connection, kind: str, column: Any, values: Iterable[str], at_us: int | None = None
) -> list[Record]:
    """Returns the counting records of a kind about these enterprises or declarations, the first written first."""
    query = sa.select(record_versions).where(
        bulk.among(connection, column, values), record_versions.c.kind == kind, counting(at_us)
    )
    return records.many(connection, query.order_by(record_versions.c.id), Record)


def over(
    connection: sa.Connection, kind: str, numbers: Iterable[str], enterprises: Iterable[str], at_us: int | None = None
) -> list[Record]:
    """Returns the counting records of a kind about these declarations, or these enterprises but no declaration."""
    rows = record_versions.c
    on_declaration = bulk.among(connection, rows.declaration, numbers)
    on_enterprise = sa.and_(bulk.among(connection, rows.enterprise, enterprises), rows.declaration == "")
    query = sa.select(record_versions).where(sa.or_(on_declaration, on_enterprise), rows.kind == kind, counting(at_us))
    return records.many(connection, query.order_by(rows.id), Record)


def with_subjects(
    connection: sa.Connection, kind: str, subjects: Iterable[str], at_us: int | None = None
) -> dict[str, list[Record]]:
    """Returns the counting records of a kind about each of these subjects, by notice time."""
    rows = record_subjects
    query = sa.select(rows.c.subject, record_versions).join(record_versions, record_versions.c.id == rows.c.version)
    query = query.where(
        bulk.among(connection, rows.c.subject, subjects), record_versions.c.kind == kind, counting(at_us)
    )
    by_subject: dict[str, list[Record]] = {}
    for row in connection.execute(query.order_by(record_versions.c.notice_us, record_versions.c.id)).mappings():
        by_subject.setdefault(row["subject"], []).append(records.from_row(Record, dict(row)))
    return by_subject


def version_at(connection: sa.Connection, record: str, at_us: int) -> Record | None:
    """Returns the version that counted by what had come in at a time."""
    query = sa.select(record_versions).where(record_versions.c.record == record, record_versions.c.create_us <= at_us)
    candidates = records.many(connection, query.order_by(record_versions.c.notice_us.desc()).limit(1), Record)
    return candidates[0] if candidates else None


def counting(at_us: int | None) -> Any:
    """Returns the condition that a version counts: now, or by what had come in at a time."""
    if at_us is None:
        return record_versions.c.is_newest
    later = record_versions.alias("later")
    is_superseded = sa.exists().where(
        later.c.record == record_versions.c.record,
        later.c.create_us <= at_us,
        later.c.notice_us > record_versions.c.notice_us,
    )
    return sa.and_(record_versions.c.create_us <= at_us, ~is_superseded)


def matching(*conditions: Any) -> Any:
    """Returns a query of the versions that keep the conditions."""
    return sa.select(record_versions).where(*conditions)


def on_subject(subject: str) -> Any:
    """Returns a query of the versions about a subject."""
    return sa.select(record_subjects.c.version).where(record_subjects.c.subject == subject)


def add(transaction: Transaction, added: Sequence[Record], bodies: Sequence[records_pb2.Record]) -> None:
    """Adds new versions with their subjects; the versions that they supersede no longer count."""
    connection = transaction.connection
    counts = {record.record for record in added if record.is_newest}
    if counts:
        supersede = sa.update(record_versions).where(
            bulk.among(connection, record_versions.c.record, counts), record_versions.c.is_newest
        )
        connection.execute(supersede.values(is_newest=False))
    bulk.insert(connection, record_versions, [tuple(getattr(record, name) for name in _FIELDS) for record in added])
    subjects = [
        (subject, record.id) for record, body in zip(added, bodies, strict=True) for subject in kinds.subjects(body)
    ]
    bulk.insert(connection, record_subjects, subjects)
    _tell(transaction, [record for record in added if record.is_newest])


_FIELDS = [field.name for field in dataclasses.fields(Record)]


def _tell(transaction: Transaction, changed: Sequence[Record]) -> None:
    """Appends one event for each kind and enterprise."""
    groups: dict[tuple[str, str], list[str]] = {}
    for record in changed:
        groups.setdefault((record.kind, record.enterprise), []).append(record.name)
    for (kind, enterprise), names in groups.items():
        parties = [enterprise] if enterprise else []
        transaction.append(f"{kind}.recorded", ALL, records_pb2.RecordsRecorded(records=names), parties)


def tell(transaction: Transaction, event: str, record: Record, parties: Iterable[str]) -> None:
    """Appends an event on a record."""
    transaction.append(event, record.name, rpc.to_proto(record), [party for party in parties if party])


def violations(connection: sa.Connection) -> list[str]:
    """Lists records of which not exactly one version counts, the one that was noticed last."""
    rows = record_versions.c
    newest = sa.func.max(sa.case((rows.is_newest, rows.notice_us)))
    counting_versions = sa.func.sum(sa.case((rows.is_newest, 1), else_=0))
    last = sa.func.max(rows.notice_us)
    query = sa.select(rows.record).group_by(rows.record).having(sa.or_(counting_versions != 1, newest != last))
    return [f"records/{row.record}: not its newest version alone counts" for row in connection.execute(query)]
