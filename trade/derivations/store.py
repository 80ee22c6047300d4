"""Derivations as rows, append-only, in each service's own schema: the only SQL of this room."""

import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from aval.type.v1 import derivation_pb2

from chassis import bulk
from chassis.command import Transaction
from chassis.records import PAGE
from chassis.rows import Rows as NounRows
from trade.derivations import recomputing, rpc
from trade.derivations.model import Derivation, Value
from trade.derivations.rules import Rules
from trade.tables import derivations


class Entry(NamedTuple):
    """A derivation of a field of a resource (its name); `field` is its path on the wire."""

    resource: str
    field: str
    derivation: Derivation


class Stored(NamedTuple):
    """A derivation as it stands: the how manieth of its field, from 1, and when it was derived."""

    resource: str
    field: str
    number: int
    derivation: Derivation
    business_date: datetime.date
    create_us: int


# What fields of resources are now, by resource and field, of those that can be told.
Present = Callable[[sa.Connection, Sequence[str]], Mapping[tuple[str, str], Value]]


def put(transaction: Transaction, rules: Rules, entries: Iterable[Entry], *, are_first: bool = False) -> None:
    """Keeps how fields came about, in the transaction that decides them. `are_first`: they have no derivation yet.

    A derivation that doesn't give its result is a mistake of the program: AssertionError with all differences.
    """
    listed = list(entries)
    if not listed:
        return
    for entry in listed:
        _check(entry, rules)
    numbers = {} if are_first else _numbers(transaction.connection, {entry.resource for entry in listed})
    rows = []
    for entry in listed:
        key = (entry.resource, entry.field)
        numbers[key] = numbers.get(key, 0) + 1
        rows.append(_row(transaction, entry, numbers[key]))
    bulk.insert(transaction.connection, derivations, rows)


def _check(entry: Entry, rules: Rules) -> None:
    differences = recomputing.recompute(entry.derivation, rules)
    assert not differences, f"{entry.resource} {entry.field}: {'; '.join(map(str, differences))}"


def _numbers(connection: sa.Connection, resources: Iterable[str]) -> dict[tuple[str, str], int]:
    rows = derivations.c
    query = sa.select(rows.resource, rows.field, sa.func.max(rows.number))
    query = query.where(bulk.among(connection, rows.resource, resources)).group_by(rows.resource, rows.field)
    return {(resource, field): number for resource, field, number in connection.execute(query)}


def _row(transaction: Transaction, entry: Entry, number: int) -> tuple[object, ...]:
    content = rpc.to_proto(entry.derivation).SerializeToString(deterministic=True)
    day = transaction.business_date.isoformat()
    return entry.resource, entry.field, number, content, day, transaction.now_us


def load(connection: sa.Connection, resource: str, field: str = "") -> list[Stored]:
    """Returns the derivations of a resource, by field, the newest of each first; of a field and what is in it."""
    rows = derivations.c
    query = sa.select(derivations).where(rows.resource == resource).order_by(rows.field, rows.number.desc())
    return [_stored(row) for row in connection.execute(query) if is_within(row.field, field)]


def is_within(path: str, field: str) -> bool:
    """Whether a path is a field, or in it: parts[declarations/1].amount is in parts, and all is in ""."""
    return path == field or not field or path.startswith((f"{field}.", f"{field}["))


def _stored(row: sa.Row[tuple[object, ...]]) -> Stored:
    content = derivation_pb2.Derivation.FromString(row.content)
    return Stored(
        resource=row.resource,
        field=row.field,
        number=row.number,
        derivation=rpc.from_proto(content),
        business_date=datetime.date.fromisoformat(row.business_date),
        create_us=row.create_us,
    )


def pages(connection: sa.Connection, size: int = PAGE) -> Iterator[list[Stored]]:
    """Yields all derivations by resource, field and number, at most `size` at a time."""
    rows = derivations.c
    key = sa.tuple_(rows.resource, rows.field, rows.number)
    query = sa.select(derivations).order_by(rows.resource, rows.field, rows.number).limit(size)
    last: tuple[str, str, int] = ("", "", 0)
    while page := [_stored(row) for row in connection.execute(query.where(key > sa.tuple_(*last)))]:
        yield page
        last = page[-1].resource, page[-1].field, page[-1].number


def violations(connection: sa.Connection, rules: Rules, present: Mapping[str, Present]) -> Iterator[str]:
    """Yields where derivations don't give their results, use rows that no table has, or aren't what their fields are.

    `present` tells fields by the collection of their resources. "derivations: offers/1 interest 1: day_amount.days: it
    isn't what was derived: its digest differs".
    """
    for page in pages(connection):
        for stored in page:
            place = f"derivations: {stored.resource} {stored.field} {stored.number}"
            for difference in recomputing.recompute(stored.derivation, rules):
                yield f"{place}: {difference}"
            for difference in recomputing.row_differences(stored.derivation):
                yield f"{place}: {difference}"
        yield from _disagreements(connection, page, present)


def _disagreements(connection: sa.Connection, page: Sequence[Stored], present: Mapping[str, Present]) -> Iterator[str]:
    """Yields where the newest derivation of a field gives another value than the field has now."""
    newest = {(stored.resource, stored.field): stored for stored in page}
    numbers = _numbers(connection, {stored.resource for stored in page})
    fields = _fields(connection, {stored.resource for stored in page}, present)
    for key, stored in newest.items():
        if key in fields and numbers[key] == stored.number and fields[key] != stored.derivation.result:
            yield (
                f"derivations: {stored.resource} {stored.field} is {fields[key]},"
                f" its derivation gives {stored.derivation.result}"
            )


def _fields(
    connection: sa.Connection, resources: Iterable[str], present: Mapping[str, Present]
) -> dict[tuple[str, str], Value]:
    by_collection: dict[str, list[str]] = {}
    for resource in sorted(resources):
        by_collection.setdefault(resource.rpartition("/")[0], []).append(resource)
    fields: dict[tuple[str, str], Value] = {}
    for collection, names in by_collection.items():
        if collection in present:
            fields |= present[collection](connection, names)
    return fields


def of_rows(rows: NounRows[Any, Any], *fields: str) -> Present:
    """Returns what tells these fields of a noun's records, which bear the names of the wire."""

    def tell(connection: sa.Connection, resources: Sequence[str]) -> Mapping[tuple[str, str], Value]:
        return {
            (record.name, field): getattr(record, field)
            for record in rows.load_many(connection, resources)
            for field in fields
            if getattr(record, field) is not None
        }

    return tell
