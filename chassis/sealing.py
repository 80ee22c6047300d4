"""Tables of sealed values: one table for each kind, the resource's name its key and the value's context."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa

from chassis import bulk, database, keyring
from chassis.keyring import KeyRing
from chassis.records import BYTES, TEXT

RETIRING = "keys being retired"


class Opened(Protocol):
    """A transaction or a reading: its connection and its keys."""

    @property
    def connection(self) -> sa.Connection:
        """Within which it happens."""
        ...

    @property
    def keys(self) -> KeyRing:
        """The store's."""
        ...


@dataclass(frozen=True, slots=True)
class Opening:
    """A connection and the keys of its store, where nothing else is at hand."""

    connection: sa.Connection
    keys: KeyRing


# How many rows of a table a rotation takes at most at once; those whose values are large name fewer.
ROWS_AT_ONCE = 500


def table(name: str, metadata: sa.MetaData, rows_at_once: int = ROWS_AT_ONCE) -> sa.Table:
    """Makes a table of sealed values; name it in Service.sealed, so that rotation finds it."""
    return sa.Table(
        name,
        metadata,
        sa.Column("resource", TEXT, primary_key=True),
        sa.Column("key_id", TEXT, nullable=False),
        sa.Column("sealed", BYTES, nullable=False),
        info={"rows_at_once": rows_at_once},
    )


def put(transaction: Opened, into: sa.Table, values: Mapping[str, bytes]) -> None:
    """Seals values by resource name, in place of what was there."""
    if not values:
        return
    # Until commit no key is retired that seals here.
    database.lock_shared(transaction.connection, RETIRING)
    rows = [sealed_row(transaction.keys, resource, plain) for resource, plain in sorted(values.items())]
    transaction.connection.execute(sa.delete(into).where(bulk.among(transaction.connection, into.c.resource, values)))
    bulk.insert(transaction.connection, into, rows)


def sealed_row(keys: KeyRing, resource: str, plain: bytes) -> bulk.Row:
    """A value's row: its resource, the id of the key that seals it, and its sealed form."""
    sealed = keys.seal(plain, resource.encode())
    return resource, keyring.key_id(sealed), sealed


def of(reading: Opened, source: sa.Table, resources: Collection[str]) -> dict[str, bytes]:
    """The opened values of those resources that have one. UnknownKey, Tampered."""
    if not resources:
        return {}
    query = sa.select(source.c.resource, source.c.sealed).where(
        bulk.among(reading.connection, source.c.resource, resources)
    )
    found = reading.connection.execute(query)
    return {row.resource: reading.keys.open(row.sealed, row.resource.encode()) for row in found}


def rows_by_key(connection: sa.Connection, sources: Iterable[sa.Table]) -> dict[str, int]:
    """How many rows each key seals."""
    counts: dict[str, int] = {}
    for source in sources:
        query = sa.select(source.c.key_id, sa.func.count()).group_by(source.c.key_id)
        for key_id, count in connection.execute(query):
            counts[key_id] = counts.get(key_id, 0) + count
    return counts


def reseal(connection: sa.Connection, keys: KeyRing, source: sa.Table, after: str, at_most: int) -> tuple[int, str]:
    """Seals the next rows that other keys sealed with the current one: how many, and the last row seen.

    The last row is empty at the table's end. A row that changed meanwhile has been sealed anew by whoever
    changed it.
    """
    database.lock_shared(connection, RETIRING)
    columns = source.c
    query = sa.select(columns.resource, columns.sealed).where(
        columns.resource > after, columns.key_id != keys.current_id
    )
    limit = min(at_most, source.info["rows_at_once"])
    found = connection.execute(query.order_by(columns.resource).limit(limit)).all()
    if not found:
        return 0, ""
    statement = sa.update(source).where(columns.resource == sa.bindparam("name"), columns.sealed == sa.bindparam("old"))
    connection.execute(
        statement.values(key_id=sa.bindparam("new_key"), sealed=sa.bindparam("new")),
        [_resealed(keys, row.resource, row.sealed) for row in found],
    )
    return len(found), found[-1].resource


def _resealed(keys: KeyRing, resource: str, sealed: bytes) -> dict[str, Any]:
    _, key, fresh = sealed_row(keys, resource, keys.open(sealed, resource.encode()))
    return {"name": resource, "old": sealed, "new_key": key, "new": fresh}
