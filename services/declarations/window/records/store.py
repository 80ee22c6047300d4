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

# What else a version is about: a transport document, an invoice, a warehouse, a port.
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
    """The version that counts of each of these records."""
    query = sa.select(record_versions).where(
        bulk.among(connection, record_versions.c.record, identifiers), record_versions.c.is_newest
    )
    return {found.record: found for found in records.many(connection, query, Record)}


def digests(connection: sa.Connection, versions: Iterable[tuple[str, int]]) -> dict[tuple[str, int], bytes]:
    """The digests of those versions (record, notice time) that are known."""
    wanted = set(versions)
    rows = record_versions.c
    query = sa.select(rows.record, rows.notice_us, rows.digest).where(
        bulk.among(connection, rows.record, {record for record, _ in wanted}),
        rows.notice_us.in_({notice_us for _, notice_us in wanted}),
    )
    return {(found.record, found.notice_us): found.digest for found in connection.execute(query)}


def versions(connection: sa.Connection, identifiers: Iterable[str]) -> list[Record]:
    """All versions of these records."""
    return records.many(
        connection,
        sa.select(record_versions).where(bulk.among(connection, record_versions.c.record, identifiers)),
        Record,
    )


def about(
    connection: sa.Connection, kind: str, column: Any, values: Iterable[str], at_us: int | None = None
) -> list[Record]:
    """What counts of one kind about these enterprises or declarations, those written first first."""
    query = sa.select(record_versions).where(
        bulk.among(connection, column, values), record_versions.c.kind == kind, counting(at_us)
    )
    return records.many(connection, query.order_by(record_versions.c.id), Record)


def over(
    connection: sa.Connection, kind: str, numbers: Iterable[str], enterprises: Iterable[str], at_us: int | None = None
) -> list[Record]:
    """What counts of one kind about these declarations, or about these enterprises and no declaration of theirs."""
    rows = record_versions.c
    on_declaration = bulk.among(connection, rows.declaration, numbers)
    on_enterprise = sa.and_(bulk.among(connection, rows.enterprise, enterprises), rows.declaration == "")
    query = sa.select(record_versions).where(sa.or_(on_declaration, on_enterprise), rows.kind == kind, counting(at_us))
    return records.many(connection, query.order_by(rows.id), Record)


def with_subjects(
    connection: sa.Connection, kind: str, subjects: Iterable[str], at_us: int | None = None
) -> dict[str, list[Record]]:
    """What counts of one kind about each of these subjects, by notice time."""
    rows = record_subjects
    query = sa.select(rows.c.subject, record_versions).join(record_versions, record_versions.c.id == rows.c.version)
    query = query.where(
        bulk.among(connection, rows.c.subject, subjects), record_versions.c.kind == kind, counting(at_us)
    )
    found: dict[str, list[Record]] = {}
    for row in connection.execute(query.order_by(record_versions.c.notice_us, record_versions.c.id)).mappings():
        found.setdefault(row["subject"], []).append(records.from_row(Record, dict(row)))
    return found


def version_at(connection: sa.Connection, record: str, at_us: int) -> Record | None:
    """The version that counted by what had come in at a time."""
    query = sa.select(record_versions).where(record_versions.c.record == record, record_versions.c.create_us <= at_us)
    found = records.many(connection, query.order_by(record_versions.c.notice_us.desc()).limit(1), Record)
    return found[0] if found else None


def counting(at_us: int | None) -> Any:
    """The condition that a version counts: now, or by what had come in at a time."""
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
    """A query of the versions that keep the conditions."""
    return sa.select(record_versions).where(*conditions)


def on_subject(subject: str) -> Any:
    """A query of the versions about a subject."""
    return sa.select(record_subjects.c.version).where(record_subjects.c.subject == subject)


def add(transaction: Transaction, fresh: Sequence[Record], bodies: Sequence[records_pb2.Record]) -> None:
    """New versions with what they are about; those that they supersede no longer count."""
    connection = transaction.connection
    counts = {record.record for record in fresh if record.is_newest}
    if counts:
        supersede = sa.update(record_versions).where(
            bulk.among(connection, record_versions.c.record, counts), record_versions.c.is_newest
        )
        connection.execute(supersede.values(is_newest=False))
    bulk.insert(connection, record_versions, [tuple(getattr(record, name) for name in _FIELDS) for record in fresh])
    subjects = [
        (subject, record.id) for record, body in zip(fresh, bodies, strict=True) for subject in kinds.subjects(body)
    ]
    bulk.insert(connection, record_subjects, subjects)
    _tell(transaction, [record for record in fresh if record.is_newest])


_FIELDS = [field.name for field in dataclasses.fields(Record)]


def _tell(transaction: Transaction, changed: Sequence[Record]) -> None:
    """One event for each kind and enterprise."""
    groups: dict[tuple[str, str], list[str]] = {}
    for record in changed:
        groups.setdefault((record.kind, record.enterprise), []).append(record.name)
    for (kind, enterprise), names in groups.items():
        parties = [enterprise] if enterprise else []
        transaction.append(f"{kind}.recorded", ALL, records_pb2.RecordsRecorded(records=names), parties)


def tell(transaction: Transaction, event: str, record: Record, parties: Iterable[str]) -> None:
    """An event on one record."""
    transaction.append(event, record.name, rpc.to_proto(record), [party for party in parties if party])


def violations(connection: sa.Connection) -> list[str]:
    """Records of which not exactly one version counts, the one that was noticed last."""
    rows = record_versions.c
    newest = sa.func.max(sa.case((rows.is_newest, rows.notice_us)))
    counting_versions = sa.func.sum(sa.case((rows.is_newest, 1), else_=0))
    last = sa.func.max(rows.notice_us)
    query = sa.select(rows.record).group_by(rows.record).having(sa.or_(counting_versions != 1, newest != last))
    return [f"records/{row.record}: not its newest version alone counts" for row in connection.execute(query)]
