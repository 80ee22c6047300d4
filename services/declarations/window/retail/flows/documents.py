"""Takes documents of one kind: set-based, whatever the kind. The kinds are tables in their rooms."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Generic, Protocol, TypeVar

import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2, personal_pb2, retail_pb2
from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor

from chassis import bulk, records
from chassis.command import Transaction
from chassis.errors import Problem
from chassis.records import Conflict
from services.declarations.privacy.personal import store as personal_store
from services.declarations.window import verdicts
from services.declarations.window.retail.versions import Change, Step, Version, step

Verdict = declarations_pb2.IntakeVerdict
# A document's id in what was sent, and its checked row.
Rows = Sequence[tuple[str, Any]]

KNOWN_OTHERWISE = Problem(
    "envelope.change",
    "DOCUMENT_KNOWN_WITH_OTHER_CONTENT",
    "Another document stands under this number; send a change of it as a change (appType 2).",
    "该编号已存在内容不同的单证；修改须以变更方式（报送类型 2）报送。",
)
_UNCHANGED = frozenset({Step.TOUCH, Step.KEEP})


class Document(Protocol):
    """The fields of the records of all kinds: the version that counts, and the body as it came, without persons."""

    @property
    def id(self) -> str: ...
    @property
    def send_us(self) -> int: ...
    @property
    def change(self) -> Change: ...
    @property
    def digest(self) -> bytes: ...
    @property
    def body(self) -> bytes: ...
    @property
    def create_us(self) -> int: ...
    @property
    def revision(self) -> int: ...


Record = TypeVar("Record", bound=Document)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A version that arrives: its row without persons, and the fields that the store keeps beside its columns."""

    id: str
    row: Any
    version: Version
    body: bytes
    now_us: int


@dataclass(frozen=True, slots=True)
class Kind(Generic[Record]):
    """One kind of document: the collection in its names, its table, its id and its record."""

    collection: str
    table: sa.Table
    record_type: type[Record]
    identify: Callable[[Any], str]
    record: Callable[[Arrival], Record]

    def name(self, identifier: str) -> str:
        """Returns the resource name of a document."""
        return f"{self.collection}/{identifier}"


@dataclass(frozen=True, slots=True)
class Taken(Generic[Record]):
    """The outcome for documents: a verdict for each, the changed records, and these as they were before."""

    verdicts: Sequence[declarations_pb2.IntakeVerdict]
    changed: Sequence[Record]
    before: Mapping[str, Record]

    def touched(self) -> list[Record]:
        """Returns all changed records, as they are and as they were."""
        was = (self.before.get(record.id) for record in self.changed)
        return [*self.changed, *filter(None, was)]


def take(transaction: Transaction, kind: Kind[Record], rows: Rows) -> Taken[Record]:
    """Takes new or later versions; keeps out overtaken ones; refuses documents under another's number."""
    arrivals = [(document_id, row, _arrival(transaction, kind, row)) for document_id, row in rows]
    stored = load(transaction.connection, kind, {arrival.id for _, _, arrival in arrivals})
    present: dict[str, Record] = dict(stored)
    persons: dict[str, personal_pb2.PersonalData] = {}
    verdicts = []
    for document_id, row, arrival in arrivals:
        before = present.get(arrival.id)
        move = step(version_of(before) if before else None, arrival.version)
        verdicts.append(_verdict(transaction, kind, document_id, arrival.id, move))
        if move in (Step.ADD, Step.REPLACE):
            present[arrival.id] = _succeed(before, kind.record(arrival))
            if row.persons:
                persons[kind.name(arrival.id)] = personal_pb2.PersonalData(persons=row.persons)
        elif move == Step.TOUCH and before is not None:
            present[arrival.id] = replace(before, send_us=arrival.version.send_us, change=arrival.version.change)  # type: ignore[type-var]
    changed = [record for identifier, record in present.items() if record is not stored.get(identifier)]
    _save(transaction.connection, kind, stored, changed)
    personal_store.put(transaction, persons)
    return Taken(verdicts, changed, stored)


def _arrival(transaction: Transaction, kind: Kind[Any], row: Any) -> Arrival:
    """Returns a row as a version. The digest is a token, since persons are in it."""
    envelope = row.envelope
    send_us = envelope.send_time.ToMicroseconds() if envelope.HasField("send_time") else transaction.now_us
    change = Change(retail_pb2.Change.Name(envelope.change))
    content = _content(row)
    digest = transaction.keys.token(kind.collection, content.SerializeToString(deterministic=True))
    content.ClearField("persons")
    content.envelope.format = envelope.format
    body = content.SerializeToString(deterministic=True)
    return Arrival(kind.identify(row), content, Version(send_us, change, digest), body, transaction.now_us)


def _content(row: Any) -> Any:
    """Returns the document's content, without the fields that differ each time it is sent or aren't the sender's."""
    content = type(row)()
    content.CopyFrom(row)
    content.ClearField("envelope")
    for field in _not_the_senders(type(row).DESCRIPTOR):
        content.ClearField(field)
    return content


@cache
def _not_the_senders(descriptor: Descriptor) -> tuple[str, ...]:
    """Returns the fields that are ours to set: IDENTIFIER and OUTPUT_ONLY (AIP-203)."""
    ours = {field_behavior_pb2.IDENTIFIER, field_behavior_pb2.OUTPUT_ONLY}
    return tuple(
        field.name
        for field in descriptor.fields
        if ours & {*field.GetOptions().Extensions[field_behavior_pb2.field_behavior]}
    )


def version_of(record: Document) -> Version:
    """Returns the version that counts."""
    return Version(record.send_us, record.change, record.digest)


def _succeed(before: Record | None, after: Record) -> Record:
    """Returns the later version with the day on which the first came in."""
    if before is None:
        return after
    return replace(after, create_us=before.create_us, revision=before.revision)  # type: ignore[type-var]


def _verdict(
    transaction: Transaction, kind: Kind[Any], document_id: str, identifier: str, move: Step
) -> declarations_pb2.IntakeVerdict:
    if move == Step.REFUSE:
        return verdicts.refused(document_id, [KNOWN_OTHERWISE], transaction.caller.language)
    verdict = verdicts.duplicate if move in _UNCHANGED else verdicts.accepted
    return verdict(document_id, kind.name(identifier))


def load(connection: sa.Connection, kind: Kind[Record], identifiers: Iterable[str]) -> dict[str, Record]:
    """Returns the documents with these ids, those that exist, by id."""
    query = sa.select(kind.table).where(bulk.among(connection, kind.table.c.id, identifiers))
    return {record.id: record for record in records.many(connection, query, kind.record_type)}


def _save(
    connection: sa.Connection, kind: Kind[Record], stored: Mapping[str, Record], changed: Sequence[Record]
) -> None:
    added = [record for record in changed if record.id not in stored]
    columns = [column.name for column in kind.table.columns]
    rows = [records.to_row(record) for record in added]
    bulk.insert(connection, kind.table, [[row[name] for name in columns] for row in rows])
    update(connection, kind.table, [record for record in changed if record.id in stored])


def update(connection: sa.Connection, table: sa.Table, changed: Sequence[Any]) -> None:
    """Writes records back, one revision up each. Raises Conflict if one changed meanwhile."""
    if not changed:
        return
    rows = [records.to_row(replace(record, revision=record.revision + 1)) for record in changed]
    names = [name for name in rows[0] if name != "id"]
    statement = (
        sa.update(table)
        .where(table.c.id == sa.bindparam("key"), table.c.revision == sa.bindparam("known"))
        .values({name: sa.bindparam(f"new_{name}") for name in names})
    )
    values = [
        {"key": row["id"], "known": row["revision"] - 1} | {f"new_{name}": row[name] for name in names} for row in rows
    ]
    if connection.execute(statement, values).rowcount != len(values):
        raise Conflict(table.name)
