"""The rows of a noun: load, find by who takes part, add and save with the event and the call that is owed."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import sqlalchemy as sa
from google.protobuf.message import Message

from chassis import bulk, paging, records, tasks
from chassis.command import Transaction
from chassis.errors import NotFound
from chassis.participants import Participant, Participation, join, tenants
from chassis.service import Reading
from chassis.tasks import Call, Plan


class Noun(Protocol):
    """A record that has rows of its own; one that is saved again has a revision too."""

    @property
    def id(self) -> str:
        """The key of its row."""
        ...

    @property
    def name(self) -> str:
        """Its resource name, the prefix and the id: policies/policy-01…."""
        ...

    @property
    def participants(self) -> tuple[Participant, ...]:
        """The tenants that take part in it now: they see it, and its events are told to them."""
        ...


Record = TypeVar("Record", bound=Noun)
View = TypeVar("View", bound=Message)
# The wire forms of records as a tenant sees them; where it is empty, as anybody may.
Views = Callable[[sa.Connection, Sequence[Any], str], list[View]]


def alike(to_proto: Callable[[Any], View]) -> Views[View]:
    """Returns views that are the same for everybody who may see a record."""
    return lambda _connection, listed, _viewer: [to_proto(record) for record in listed]


def as_seen(to_proto: Callable[[Any, str], View]) -> Views[View]:
    """Returns views that show each viewer what it may see of a record."""
    return lambda _connection, listed, viewer: [to_proto(record, viewer) for record in listed]


def unseen(_connection: sa.Connection, _records: Sequence[Any], _viewer: str) -> list[Any]:
    """Returns no views: another noun's answers and events tell of this one."""
    return []


def nothing_owed(_record: Any) -> Call | None:
    """Returns None: the noun makes no calls."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows(Generic[Record, View]):
    """The rows of a noun.

    Its participants have rows where it `is_listed`; whoever takes part by a later change joins where it `joins_later`.
    Its events go to all of them at once, or, where it `tells_each`, to each as that one sees it. A noun that makes
    calls gives the noun and plan of its saga.
    """

    table: sa.Table
    record: type[Record]
    prefix: str
    views: Views[View] = unseen
    is_listed: bool = True
    joins_later: bool = False
    tells_each: bool = False
    noun: str = ""
    plan: Plan = nothing_owed

    def load(self, connection: sa.Connection, name: str) -> Record | None:
        """Returns the record of a resource name, or of its id; None where there is none."""
        return records.one(connection, self.table, self.record, self.table.c.id == name.removeprefix(self.prefix))

    def load_many(self, connection: sa.Connection, names: Iterable[str]) -> list[Record]:
        """Returns the records of these resource names, those that there are."""
        identifiers = [name.removeprefix(self.prefix) for name in names]
        query = sa.select(self.table).where(bulk.among(connection, self.table.c.id, identifiers))
        return records.many(connection, query, self.record)

    def find(self, connection: sa.Connection, name: str, tenant: str) -> Record:
        """Returns the record, if the tenant takes part in it. Raises NotFound otherwise, as if there were none."""
        record = self.load(connection, name)
        if record is None or tenant not in tenants(record):
            raise NotFound(resource=name)
        return record

    def own(self, connection: sa.Connection, name: str, **roles: str) -> Record:
        """Returns the record in which the tenant has this role: `own(connection, name, insurer=tenant)`.

        Raises NotFound for every other tenant, as if there were none.
        """
        record = self.load(connection, name)
        if record is None or any(getattr(record, role) != tenant for role, tenant in roles.items()):
            raise NotFound(resource=name)
        return record

    @property
    def participation(self) -> Participation[Record]:
        """The part that tenants take in its resources."""
        return Participation(self.prefix.rstrip("/"), self.table, self.record)

    def view(self, connection: sa.Connection, record: Record, viewer: str = "") -> View:
        """Returns the wire form of a record as a tenant sees it; as anybody may, where none is given."""
        (message,) = self.views(connection, [record], viewer)
        return message

    def get(self, reading: Reading, request: Any) -> View:
        """Returns the resource that a request names, as the caller sees it. Raises NotFound where it takes no part."""
        viewer = reading.caller.tenant
        return self.view(reading.connection, self.find(reading.connection, request.name, viewer), viewer)

    def lists(self, response: type[Message]) -> Callable[[Reading, Any], Message]:
        """Returns the method that lists the caller's resources, newest first, in this response."""
        (field,) = (field.name for field in response.DESCRIPTOR.fields if field.is_repeated)

        def list_(reading: Reading, request: Any) -> Message:
            page, token = self.page(reading, request)
            views = self.views(reading.connection, page, reading.caller.tenant)
            return response(**{field: views, "next_page_token": token})

        return list_

    def page(self, reading: Reading, request: Any, *conditions: Any) -> tuple[list[Record], str]:
        """Returns a page of the caller's records that meet the conditions, newest first, and the token of the next."""
        query = self.participation.of_tenant(reading.caller.tenant).where(*conditions)
        return paging.page(reading.connection, query, self.record, request)

    def add(self, transaction: Transaction, record: Record, event: str = "") -> Record:
        """Inserts a new record, with its participants, its event and what it owes; returns it."""
        records.insert(transaction.connection, self.table, record)
        if self.is_listed:
            join(transaction.connection, record.name, record.participants)
        return self._followed(transaction, record, event)

    def save(self, transaction: Transaction, record: Record, event: str = "") -> Record:
        """Writes a changed record back, with its event and what it owes now; returns it with its new revision.

        Without an event nobody is told. Raises Conflict where the row has changed meanwhile.
        """
        saved = records.update(transaction.connection, self.table, record)
        if self.joins_later:
            join(transaction.connection, saved.name, saved.participants)
        return self._followed(transaction, saved, event)

    def _followed(self, transaction: Transaction, record: Record, event: str) -> Record:
        if event:
            self._tell(transaction, record, event)
        if self.noun:
            tasks.follow(transaction, self.noun, self.plan, record)
        return record

    def _tell(self, transaction: Transaction, record: Record, event: str) -> None:
        audience = tenants(record)
        for viewer, told in [(tenant, [tenant]) for tenant in audience] if self.tells_each else [("", audience)]:
            transaction.append(event, record.name, self.view(transaction.connection, record, viewer), told)
