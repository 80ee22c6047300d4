"""Frozen dataclasses as rows: columns, values and optimistic updates follow from the type annotations.

A record's class is the one description of its table. Money becomes two columns, decimals and
dates become text, tuples become JSON text: integers and text are what SQLite and PostgreSQL
treat alike.
"""

import dataclasses
import datetime
import enum
import json
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar, cast

import sqlalchemy as sa

from chassis.money import Money

Record = TypeVar("Record")

# Text compares by bytes on both databases.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
BYTES = sa.LargeBinary()
# A position is the row's own key on SQLite.
POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


# Rows that a proof over a whole table has in memory at a time.
PAGE = 1_000


class Conflict(Exception):
    """The row changed under the command; the writer runs the command again."""


@cache
def plain(annotation: Any) -> tuple[Any, bool]:
    """Returns the annotation without None, and whether None was in it: of `date | None`, date and True."""
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        members = [member for member in typing.get_args(annotation) if member is not types.NoneType]
        return members[0], True
    return annotation, False


def item(annotation: Any) -> Any:
    """Returns the annotation of a tuple's items: of `tuple[str, ...]`, str; None of what is no tuple."""
    return typing.get_args(annotation)[0] if typing.get_origin(annotation) is tuple else None


def _is(annotation: Any, kind: type) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, kind)


@cache
def _is_json(annotation: Any) -> bool:
    return typing.get_origin(annotation) is tuple or (dataclasses.is_dataclass(annotation) and annotation is not Money)


def _read_annotations(record: Any) -> Mapping[str, tuple[Any, bool]]:
    hints = typing.get_type_hints(record)
    return {field.name: plain(hints[field.name]) for field in dataclasses.fields(record)}


_annotations: Callable[[Any], Mapping[str, tuple[Any, bool]]] = cache(_read_annotations)


def table(name: str, record: type, metadata: sa.MetaData, *constraints: Any, key: str = "id") -> sa.Table:
    """The table of a record class: one column for each field, two for Money."""
    return sa.Table(name, metadata, *columns(record, keys=(key,)), *constraints)


def columns(record: type, keys: Sequence[str]) -> list[Any]:
    """The columns of a record class, those of the key named."""
    found: list[Any] = []
    for field, (annotation, nullable) in _annotations(record).items():
        options: dict[str, Any] = {"primary_key": True} if field in keys else {"nullable": nullable}
        if annotation is Money:
            found.append(sa.Column(f"{field}_currency", TEXT, nullable=nullable))
            found.append(sa.Column(f"{field}_minor_units", sa.BigInteger, nullable=nullable))
        else:
            found.append(sa.Column(field, _column_type(annotation), **options))
    return found


def _column_type(annotation: Any) -> Any:
    if _is(annotation, bool):
        return sa.Boolean()
    if _is(annotation, int) and not _is(annotation, enum.Enum):
        return sa.BigInteger()
    if _is(annotation, bytes):
        return BYTES
    return TEXT


def columns_of(source: sa.Table, record: type) -> list[Any]:
    """The columns of a table that a record of some of its fields is read from."""
    found: list[Any] = []
    for field, (annotation, _) in _annotations(record).items():
        names = [f"{field}_currency", f"{field}_minor_units"] if annotation is Money else [field]
        found += [source.c[name] for name in names]
    return found


def to_json(value: Any) -> Any:
    """A value of a record's field as JSON data."""
    if isinstance(value, Money):
        return [value.currency, value.minor_units]
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Decimal | datetime.date):
        return str(value)
    if isinstance(value, tuple | list):
        return [to_json(item) for item in value]
    if dataclasses.is_dataclass(value):
        return {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return value


def from_json(annotation: Any, data: Any) -> Any:
    """The value of a field of this annotation from JSON data."""
    annotation, _ = plain(annotation)
    if data is None:
        return None
    if annotation is Money:
        return Money(*data)
    if annotation is Decimal:
        return Decimal(data)
    if annotation is datetime.date:
        return datetime.date.fromisoformat(data)
    if typing.get_origin(annotation) is tuple:
        return tuple(from_json(typing.get_args(annotation)[0], item) for item in data)
    if dataclasses.is_dataclass(annotation):
        fields = _annotations(annotation)
        return cast(Any, annotation)(**{name: from_json(fields[name][0], value) for name, value in data.items()})
    return annotation(data)


class _Shape(enum.Enum):
    """How a field lies in a row; found once a class, since rows come by the thousand."""

    MONEY = "two columns"
    JSON = "JSON text"
    PLAIN = "a value"


# What a database takes and gives as it is.
_AS_IT_IS = frozenset({str, int, bool, bytes, types.NoneType})


def _read_shapes(record: Any) -> Sequence[tuple[str, _Shape, Any]]:
    return [
        (
            field,
            _Shape.MONEY if annotation is Money else _Shape.JSON if _is_json(annotation) else _Shape.PLAIN,
            annotation,
        )
        for field, (annotation, _) in _annotations(record).items()
    ]


_shapes: Callable[[Any], Sequence[tuple[str, _Shape, Any]]] = cache(_read_shapes)


def to_row(record: Any) -> dict[str, Any]:
    """The column values of a record."""
    row: dict[str, Any] = {}
    for field, shape, _ in _shapes(type(record)):
        value = getattr(record, field)
        if shape is _Shape.PLAIN:
            row[field] = value if type(value) in _AS_IT_IS else to_json(value)
        elif shape is _Shape.MONEY:
            row[f"{field}_currency"] = value.currency if value is not None else None
            row[f"{field}_minor_units"] = value.minor_units if value is not None else None
        elif value is None:
            row[field] = None
        else:
            row[field] = json.dumps(to_json(value), ensure_ascii=False, separators=(",", ":"))
    return row


def from_row(record: type[Record], row: Mapping[str, Any]) -> Record:
    """The record of a row."""
    values: dict[str, Any] = {}
    for field, shape, annotation in _shapes(record):
        if shape is _Shape.MONEY:
            currency = row[f"{field}_currency"]
            values[field] = None if currency is None else Money(currency, row[f"{field}_minor_units"])
            continue
        data = row[field]
        if data is None or type(data) is annotation:
            values[field] = data
        else:
            values[field] = from_json(annotation, json.loads(data) if shape is _Shape.JSON else data)
    return record(**values)


def insert(connection: sa.Connection, into: sa.Table, *records: Any) -> None:
    """Inserts records of one class."""
    if records:
        connection.execute(sa.insert(into), [to_row(record) for record in records])


def update(connection: sa.Connection, into: sa.Table, record: Record) -> Record:
    """Writes a record with an `id` and a `revision` back, one revision up. Conflict if it changed meanwhile."""
    fresh: Any = dataclasses.replace(record, revision=record.revision + 1)  # type: ignore[type-var,attr-defined]
    statement = sa.update(into).where(into.c.id == fresh.id, into.c.revision == fresh.revision - 1)
    if connection.execute(statement, to_row(fresh)).rowcount != 1:
        raise Conflict(f"{into.name} {fresh.id}")
    return cast(Record, fresh)


def one(connection: sa.Connection, source: sa.Table, record: type[Record], *where: Any) -> Record | None:
    """The one record that matches, or None."""
    row = connection.execute(sa.select(source).where(*where)).mappings().one_or_none()
    return None if row is None else from_row(record, cast(Mapping[str, Any], row))


def many(connection: sa.Connection, query: Any, record: type[Record]) -> list[Record]:
    """The records a query over one table gives."""
    rows: Iterable[Any] = connection.execute(query).mappings()
    return [from_row(record, row) for row in rows]


def pages(
    connection: sa.Connection, source: sa.Table, record: type[Record], size: int = PAGE
) -> Iterator[list[Record]]:
    """All records of a table by ascending `id`, at most `size` at a time: for proofs over stores of any size."""
    query, last = sa.select(source).order_by(source.c.id).limit(size), ""
    while page := many(connection, query.where(source.c.id > last), record):
        yield page
        last = cast(Any, page[-1]).id
