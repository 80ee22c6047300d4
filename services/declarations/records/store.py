"""Records as rows: set-based, and the only SQL of this room."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from aval.declarations.v1 import records_pb2

from chassis import bulk, records
from chassis.command import Transaction
from chassis.records import TEXT, Conflict
from services.declarations import receipts
from services.declarations.declaration.store import declarations
from services.declarations.records import kinds, rpc
from services.declarations.records.model import PermitUse, Record
from services.declarations.schema import metadata

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

# What declarations take of permits, numbered for each enterprise.
permit_uses = sa.Table(
    "permit_uses",
    metadata,
    *records.columns(PermitUse, keys=("enterprise", "position")),
    sa.Index("permit_uses_declaration", "declaration"),
    sa.Index("permit_uses_permit", "permit", "enterprise"),
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
    counts = {one.record for one in fresh if one.is_newest}
    if counts:
        supersede = sa.update(record_versions).where(
            bulk.among(connection, record_versions.c.record, counts), record_versions.c.is_newest
        )
        connection.execute(supersede.values(is_newest=False))
    bulk.insert(connection, record_versions, [tuple(getattr(one, name) for name in _FIELDS) for one in fresh])
    subjects = [(subject, one.id) for one, body in zip(fresh, bodies, strict=True) for subject in kinds.subjects(body)]
    bulk.insert(connection, record_subjects, subjects)
    _tell(transaction, [one for one in fresh if one.is_newest])


_FIELDS = [field.name for field in dataclasses.fields(Record)]


def _tell(transaction: Transaction, changed: Sequence[Record]) -> None:
    """One event for each kind and enterprise."""
    groups: dict[tuple[str, str], list[str]] = {}
    for one in changed:
        groups.setdefault((one.kind, one.enterprise), []).append(one.name)
    for (kind, enterprise), names in groups.items():
        parties = [enterprise] if enterprise else []
        transaction.append(f"{kind}.recorded", ALL, records_pb2.RecordsRecorded(records=names), parties)


def permit_uses_of(
    connection: sa.Connection, numbers: Iterable[str], at_us: int | None = None
) -> dict[str, list[PermitUse]]:
    """What each of these declarations takes of permits, or waits for: now, or as it was at a time."""
    found: dict[str, list[PermitUse]] = {}
    for use in _uses(connection, permit_uses.c.declaration, numbers, _taken(at_us)):
        found.setdefault(use.declaration, []).append(use)
    return found


def permits_taken(connection: sa.Connection, permits: Iterable[str], at_us: int | None = None) -> list[PermitUse]:
    """All that is taken of these permits."""
    return _uses(connection, permit_uses.c.permit, permits, _taken(at_us))


def waiting_uses(connection: sa.Connection, enterprises: Iterable[str]) -> list[PermitUse]:
    """What has no permit, in the order in which it waits."""
    return _uses(connection, permit_uses.c.enterprise, enterprises, _taken(None), permit_uses.c.permit == "")


def _uses(connection: sa.Connection, column: Any, values: Iterable[str], *conditions: Any) -> list[PermitUse]:
    query = sa.select(permit_uses).where(bulk.among(connection, column, values), *conditions)
    return records.many(connection, query.order_by(permit_uses.c.place, permit_uses.c.position), PermitUse)


def _taken(at_us: int | None) -> Any:
    rows = permit_uses.c
    if at_us is None:
        return rows.until_us == 0
    return sa.and_(rows.since_us <= at_us, sa.or_(rows.until_us == 0, rows.until_us > at_us))


def last_positions(connection: sa.Connection, enterprises: Iterable[str]) -> dict[str, int]:
    """The last position that a use of each enterprise has; only those with uses are in it."""
    rows = permit_uses.c
    query = sa.select(rows.enterprise, sa.func.max(rows.position).label("last"))
    query = query.where(bulk.among(connection, rows.enterprise, enterprises)).group_by(rows.enterprise)
    return {found.enterprise: found.last for found in connection.execute(query)}


def add_permit_uses(connection: sa.Connection, fresh: Sequence[PermitUse]) -> None:
    """What declarations take from now on."""
    records.insert(connection, permit_uses, *fresh)


def end_permit_uses(connection: sa.Connection, ended: Sequence[PermitUse], now_us: int) -> None:
    """These count no longer."""
    rows = permit_uses.c
    over = sa.update(permit_uses).where(
        rows.enterprise == sa.bindparam("of"), rows.position == sa.bindparam("at"), rows.until_us == 0
    )
    if ended:
        keys = [{"of": use.enterprise, "at": use.position} for use in ended]
        if connection.execute(over.values(until_us=now_us), keys).rowcount != len(keys):
            raise Conflict("permit_uses")


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


def all_assigned_uses(connection: sa.Connection) -> list[PermitUse]:
    """All that is taken of permits, for verification."""
    query = sa.select(permit_uses).where(_taken(None), permit_uses.c.permit != "")
    return records.many(connection, query.order_by(permit_uses.c.place, permit_uses.c.position), PermitUse)


def void_uses(connection: sa.Connection) -> list[str]:
    """Declarations that are void, and take of permits or wait for them."""
    uses, declared = permit_uses.c, declarations.c
    query = sa.select(uses.declaration, declared.status).distinct().join(declarations, declared.id == uses.declaration)
    query = query.where(_taken(None), declared.status.in_(receipts.void_statuses()))
    return [f"declarations/{row.declaration}: {row.status}, and takes of permits" for row in connection.execute(query)]
