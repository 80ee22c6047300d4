"""Reference records as rows: set-based, the only SQL of this room."""

from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa

from chassis import records
from services.declarations.schema import metadata
from services.declarations.window.reference.model import ReferenceRecord

# reference: records of foreign trade, for price norms.
reference_records = records.table(
    "reference_records",
    ReferenceRecord,
    metadata,
    sa.Index("reference_records_commodity", "commodity_code", "record_date"),
    sa.Index("reference_records_arrival", "create_us", "id"),
)


def digests(connection: sa.Connection, identifiers: Collection[str]) -> Mapping[str, bytes]:
    """Returns the content digests of those records that are stored."""
    rows = reference_records.c
    query = sa.select(rows.id, rows.digest).where(rows.id.in_(identifiers))
    return {row.id: row.digest for row in connection.execute(query)}


def add(connection: sa.Connection, added: Sequence[ReferenceRecord]) -> None:
    """Adds new records."""
    records.insert(connection, reference_records, *added)
