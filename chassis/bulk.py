"""Many rows at once, on both databases: rows in by COPY or executemany, rows out by one array of keys.

Only for the writer's transactions and for reads over thousands of keys; everything else is plain SQLAlchemy.
"""

import json
import struct
from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

# From so many rows on COPY is worth its own round trip.
COPY_FROM = 20

Row = Sequence[Any]
Encode = Callable[[Any], bytes]

_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = struct.pack(">h", -1)
_NULL = struct.pack(">i", -1)
_LENGTH = struct.Struct(">i")
_INTEGER = struct.Struct(">iq")
_BOOLEAN = struct.Struct(">i?")
MOST_REMEMBERED = 16_384


def insert(connection: sa.Connection, into: sa.Table, rows: Sequence[Row]) -> None:
    """Inserts rows, each a sequence of the values of all columns in the table's order."""
    if not rows:
        return
    raw: Any = connection.connection.driver_connection
    if connection.dialect.name != "postgresql":
        raw.executemany(insert_statement(into, "?"), rows)
    elif len(rows) < COPY_FROM:
        raw.cursor().executemany(insert_statement(into, "%s"), rows)
    else:
        with raw.cursor().copy(copy_statement(into)) as copy:
            copy.write(binary(into, rows))


def update(
    connection: sa.Connection,
    table: sa.Table,
    columns: Sequence[str],
    rows: Sequence[Row],
    keys: Sequence[str] = ("id",),
) -> int:
    """Sets columns of rows, each row the new values in order and then its keys; revisions go one up.

    Returns how many rows have the keys: fewer than given, if the revision is one of them and another writer was faster.
    """
    if not rows:
        return 0
    cursor: Any = connection.connection.cursor()
    mark = "%s" if connection.dialect.name == "postgresql" else "?"
    cursor.executemany(_update_statement(table, tuple(columns), tuple(keys), mark), rows)
    return int(cursor.rowcount)


@cache
def _update_statement(table: sa.Table, columns: Sequence[str], keys: Sequence[str], mark: str) -> str:
    settings = [f"{column} = {mark}" for column in columns]
    if "revision" in table.columns:
        settings.append("revision = revision + 1")
    found = " AND ".join(f"{key} = {mark}" for key in keys)
    return f"UPDATE {table.name} SET {', '.join(settings)} WHERE {found}"  # noqa: S608 our own names


@cache
def insert_statement(into: sa.Table, mark: str) -> str:
    columns = [column.name for column in into.columns]
    return f"INSERT INTO {into.name} ({', '.join(columns)}) VALUES ({', '.join([mark] * len(columns))})"  # noqa: S608 our own names


def add(
    connection: sa.Connection,
    into: sa.Table,
    rows: Sequence[Row],
    sums: Sequence[str] = (),
    replaced: Sequence[str] = (),
) -> None:
    """Inserts rows, each the values of all columns in the table's order; changes those that stand already.

    In a standing row the columns in `sums` are added up and those in `replaced` replaced; others stay. The keys of the
    rows are distinct.
    """
    if not rows:
        return
    raw: Any = connection.connection.driver_connection
    upsert = _upsert(into, tuple(sums), tuple(replaced))
    if connection.dialect.name != "postgresql":
        raw.executemany(f"{insert_statement(into, '?')} {upsert}", rows)
    elif len(rows) < COPY_FROM:
        raw.cursor().executemany(f"{insert_statement(into, '%s')} {upsert}", rows)
    else:
        _add_copied(raw.cursor(), into, rows, upsert)


def _add_copied(cursor: Any, into: sa.Table, rows: Sequence[Row], upsert: str) -> None:
    """Copies rows into a table of this connection, emptied at commit and after use, and from there in one statement."""
    beside = f"added_{into.name}"
    cursor.execute(f"CREATE TEMPORARY TABLE IF NOT EXISTS {beside} (LIKE {into.name}) ON COMMIT DELETE ROWS")
    with cursor.copy(copy_statement(into).replace(f"COPY {into.name} ", f"COPY {beside} ")) as copy:
        copy.write(binary(into, rows))
    cursor.execute(f"INSERT INTO {into.name} SELECT * FROM {beside} {upsert}")  # noqa: S608 our own names
    cursor.execute(f"TRUNCATE {beside}")


@cache
def _upsert(into: sa.Table, sums: tuple[str, ...], replaced: tuple[str, ...]) -> str:
    keys = ", ".join(column.name for column in into.primary_key.columns)
    changes = [f"{name} = {into.name}.{name} + excluded.{name}" for name in sums]
    changes += [f"{name} = excluded.{name}" for name in replaced]
    return f"ON CONFLICT ({keys}) DO " + (f"UPDATE SET {', '.join(changes)}" if changes else "NOTHING")


@cache
def copy_statement(into: sa.Table) -> str:
    columns = ", ".join(column.name for column in into.columns)
    return f"COPY {into.name} ({columns}) FROM STDIN (FORMAT BINARY)"


def binary(into: sa.Table, rows: Sequence[Row]) -> bytes:
    """Returns the rows in PostgreSQL's binary COPY format."""
    encoders = _encoders(into)
    head = struct.pack(">h", len(encoders))
    parts = [_SIGNATURE]
    for row in rows:
        parts.append(head)
        parts += [encode(value) for encode, value in zip(encoders, row, strict=True)]
    parts.append(_END)
    return b"".join(parts)


@cache
def _encoders(into: sa.Table) -> tuple[Encode, ...]:
    return tuple(_encoder(column.type) for column in into.columns)


def _encoder(kind: Any) -> Encode:
    for known, encode in _ENCODERS:
        if isinstance(kind, known):
            return encode
    raise TypeError(f"no binary form for {kind}")


def _bytes(value: bytes | None) -> bytes:
    return _NULL if value is None else _LENGTH.pack(len(value)) + value


@lru_cache(MOST_REMEMBERED)
def _text(value: str | None) -> bytes:
    return _NULL if value is None else _bytes(value.encode())


@lru_cache(MOST_REMEMBERED)
def _integer(value: int | None) -> bytes:
    return _NULL if value is None else _INTEGER.pack(8, value)


def _boolean(value: bool | None) -> bytes:
    return _NULL if value is None else _BOOLEAN.pack(1, value)


# By type, each with its length in front: what comes again in row after row is remembered.
_ENCODERS: tuple[tuple[type, Encode], ...] = (
    (sa.LargeBinary, _bytes),
    (sa.Boolean, _boolean),
    (sa.BigInteger, _integer),
    (sa.Text, _text),
)


def among(connection: sa.Connection, column: Any, values: Iterable[str] | Iterable[int]) -> Any:
    """Returns the condition that a column of texts, ids or integers is among the values.

    It is one statement for any number of values.
    """
    if connection.dialect.name == "postgresql":
        return column == sa.any_(_array(connection, column, values))
    return column.in_(sa.select(each(connection, column, values).c.value))  # type: ignore[arg-type]


def each(connection: sa.Connection, column: Any, values: Iterable[str]) -> Any:
    """Returns the values as a table of one column, `value`, typed as the column."""
    if connection.dialect.name == "postgresql":
        return sa.func.unnest(_array(connection, column, values)).table_valued("value").render_derived()
    return sa.func.json_each(sa.bindparam(None, json.dumps(list(values)), type_=sa.Text())).table_valued("value")


def _array(connection: sa.Connection, column: Any, values: Iterable[str] | Iterable[int]) -> Any:
    impl = column.type.dialect_impl(connection.dialect)
    kind = next((kind for kind in (sa.Uuid, sa.BigInteger) if isinstance(impl, kind)), sa.Text)
    literal = sa.bindparam(None, array_of_texts(map(str, values)), type_=sa.Text())
    return sa.cast(literal, postgresql.ARRAY(kind()))


def array_of_texts(values: Iterable[str]) -> str:
    """Returns PostgreSQL's array literal of any texts;

    NUL, which its text can't hold, parts them while they are quoted.
    """
    texts = list(values)
    if not texts:
        return "{}"
    quoted = "\0".join(texts).replace("\\", "\\\\").replace('"', '\\"').replace("\0", '","')
    return '{"' + quoted + '"}'
