"""Dated tables as rows: the only SQL of this room."""

from typing import Any

import sqlalchemy as sa

from chassis import database
from trade.dated_tables.model import Edition, Table, digest_of
from trade.tables import dated_tables

_COLUMNS = (
    dated_tables.c.name,
    dated_tables.c.version,
    dated_tables.c.source,
    dated_tables.c.digest,
    dated_tables.c.correction,
)


class EditionConflict(Exception):
    """The store has another content under the version, or a newer version: another load was faster."""


def editions(connection: sa.Connection) -> list[Edition]:
    """Returns all versions of all tables, by name, then version."""
    query = sa.select(*_COLUMNS).order_by(dated_tables.c.name, dated_tables.c.version)
    return [_edition(row) for row in connection.execute(query)]


def newest(connection: sa.Connection, name: str) -> Edition | None:
    """Returns the version of a table that is in force: the newest. None where the store has no such table."""
    query = sa.select(*_COLUMNS).where(dated_tables.c.name == name)
    row = connection.execute(query.order_by(dated_tables.c.version.desc()).limit(1)).first()
    return None if row is None else _edition(row)


def edition(connection: sa.Connection, name: str, number: int) -> Edition | None:
    """Returns a version without its content; None where the store doesn't have it."""
    rows = dated_tables.c
    row = connection.execute(sa.select(*_COLUMNS).where(rows.name == name, rows.version == number)).first()
    return None if row is None else _edition(row)


def version(connection: sa.Connection, name: str, number: int) -> Table:
    """Returns a version with its content. Raises LookupError where the store doesn't have it."""
    rows = dated_tables.c
    row = connection.execute(sa.select(dated_tables).where(rows.name == name, rows.version == number)).first()
    if row is None:
        raise LookupError(f"{name} {number}")
    return Table(name=name, version=number, source=row.source, content=bytes(row.content), correction=row.correction)


def add(connection: sa.Connection, table: Table, now_us: int) -> bool:
    """Adds a version; returns False where it stands already. Raises EditionConflict."""
    database.lock(connection, ["dated_tables"])
    stands = newest(connection, table.name)
    if stands is not None and stands.version >= table.version:
        return _is_same(connection, table)
    _insert(connection, table, now_us)
    return True


def _is_same(connection: sa.Connection, table: Table) -> bool:
    """Returns False where exactly this version stands. Raises EditionConflict for any other."""
    rows = dated_tables.c
    this = sa.and_(rows.name == table.name, rows.version == table.version)
    digest = connection.execute(sa.select(rows.digest).where(this)).scalar()
    if digest is None or bytes(digest) != digest_of(table.content):
        raise EditionConflict(f"{table.name} {table.version}")
    return False


def _insert(connection: sa.Connection, table: Table, now_us: int) -> None:
    values: dict[str, Any] = {
        "name": table.name,
        "version": table.version,
        "source": table.source,
        "content": table.content,
        "digest": digest_of(table.content),
        "load_us": now_us,
        "correction": table.correction,
    }
    connection.execute(sa.insert(dated_tables).values(**values))


def violations(connection: sa.Connection) -> list[str]:
    """Lists versions whose digest isn't that of their content: "DT1: holidays 2 holds other rows than were loaded"."""
    rows = dated_tables.c
    query = sa.select(rows.name, rows.version, rows.content, rows.digest).order_by(rows.name, rows.version)
    return [
        f"DT1: {row.name} {row.version} holds other rows than were loaded: its digest isn't that of its content"
        for row in connection.execute(query)
        if digest_of(bytes(row.content)) != bytes(row.digest)
    ]


def _edition(row: Any) -> Edition:
    return Edition(
        name=row.name, version=row.version, source=row.source, digest=bytes(row.digest), correction=row.correction
    )
