"""The tenants that take part in a resource, each in a role: rows that lists by tenant walk.

A resource may have as many participants as it needs, and one tenant several roles. Whoever adds a resource lets its
participants join in the same transaction; others join and leave later.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import sqlalchemy as sa

from chassis import bulk, database, paging, records
from chassis.tables import participants


class Participant(NamedTuple):
    """A tenant in a role, for example banks/LMHFCNB0 as BANK."""

    tenant: str
    role: str


class Resource(Protocol):
    """A record that says itself who takes part."""

    @property
    def name(self) -> str:
        """Its resource name, for example loans/loan-01…."""
        ...

    @property
    def participants(self) -> tuple[Participant, ...]:
        """The tenants that take part."""
        ...


Record = TypeVar("Record")


def tenants(resource: Resource) -> list[str]:
    """Returns the tenants that take part by a resource's record, each once."""
    return list(dict.fromkeys(participant.tenant for participant in resource.participants))


def join(connection: sa.Connection, resource: str, joining: Iterable[Participant]) -> None:
    """Lets participants join a resource (its name); those that take part already stay."""
    rows = [_row(resource, participant) for participant in dict.fromkeys(joining)]
    if rows:
        insert: Any = database.insert_for(connection)(participants)
        connection.execute(insert.on_conflict_do_nothing(), rows)


def leave(connection: sa.Connection, resource: str, leaving: Iterable[Participant]) -> None:
    """Lets participants leave a resource (its name); those that don't take part stay away."""
    for participant in leaving:
        row = _row(resource, participant)
        is_theirs = [participants.c[column] == value for column, value in row.items()]
        connection.execute(sa.delete(participants).where(*is_theirs))


def is_participant(connection: sa.Connection, resource: str, tenant: str, roles: Sequence[str] = ()) -> bool:
    """Whether a tenant takes part in a resource (its name), in one of the roles or in any."""
    collection, identifier = _parts(resource)
    query = sa.select(participants.c.role).where(participants.c.id == identifier, *_theirs(collection, tenant, roles))
    return connection.execute(query.limit(1)).first() is not None


def of(connection: sa.Connection, resource: str) -> list[Participant]:
    """Returns the participants of a resource (its name), by tenant and role."""
    collection, identifier = _parts(resource)
    return _of_each(connection, collection, [identifier]).get(identifier, [])


def of_tenant(rows: sa.Table, collection: str, tenant: str, roles: Sequence[str] = ()) -> sa.Select[Any]:
    """Returns the query of a table's rows that a tenant takes part in, in one of the roles or in any; each row once.

    Its column `id` is the participants': `paging.page` walks their key from the newest down, and finds each row by its
    own. `.subquery()` of it is what `paging.Listing` takes where a list is sieved.
    """
    others = participants.alias("others")
    first_role = sa.select(sa.func.min(others.c.role)).where(
        others.c.id == participants.c.id, *_theirs(collection, tenant, roles, others)
    )
    # Not "==": PostgreSQL would expect one row of 200 to pass and sort them all; of "<=" it expects enough to walk.
    is_first = participants.c.role <= first_role.scalar_subquery()
    columns = [column for column in rows.c if column.name != "id"]
    query = sa.select(participants.c.id, *columns).select_from(participants.join(rows, rows.c.id == participants.c.id))
    return query.where(*_theirs(collection, tenant, roles), is_first)


def _theirs(
    collection: str, tenant: str, roles: Sequence[str] = (), rows: sa.FromClause = participants
) -> list[sa.ColumnElement[bool]]:
    in_roles = [rows.c.role.in_(roles)] if roles else []
    return [rows.c.tenant == tenant, rows.c.collection == collection, *in_roles]


def _parts(resource: str) -> tuple[str, str]:
    """Returns the collection and the id of a resource name: loans and loan-1 of loans/loan-1."""
    collection, _, identifier = resource.rpartition("/")
    return collection, identifier


def _row(resource: str, participant: Participant) -> dict[str, str]:
    collection, identifier = _parts(resource)
    return {"tenant": participant.tenant, "collection": collection, "id": identifier, "role": str(participant.role)}


def _of_each(connection: sa.Connection, collection: str, identifiers: Sequence[str]) -> dict[str, list[Participant]]:
    """Returns the participants of the resources of a collection with these ids."""
    rows = participants
    query = sa.select(rows.c.id, rows.c.tenant, rows.c.role).where(
        rows.c.collection == collection, bulk.among(connection, rows.c.id, identifiers)
    )
    sorted_rows: dict[str, list[Participant]] = {}
    for identifier, tenant, role in connection.execute(query.order_by(rows.c.id, rows.c.tenant, rows.c.role)):
        sorted_rows.setdefault(identifier, []).append(Participant(tenant, role))
    return sorted_rows


@dataclass(frozen=True, slots=True)
class Participation(Generic[Record]):
    """The part that tenants take in the resources of a collection: `rows` are the resources', of a record class.

    The record has `name` and `participants`.
    """

    collection: str
    rows: sa.Table
    record: type[Record]

    def of_tenant(self, tenant: str, roles: Sequence[str] = ()) -> sa.Select[Any]:
        """Returns the query of the resources that a tenant takes part in, for `paging.page`."""
        return of_tenant(self.rows, self.collection, tenant, roles)

    def page(self, connection: sa.Connection, tenant: str, request: Any) -> tuple[list[Record], str]:
        """Returns a page of the resources that a tenant takes part in, newest first, and the token of the next."""
        return paging.page(connection, self.of_tenant(tenant), self.record, request)

    def violations(self, connection: sa.Connection) -> Iterator[str]:
        """Yields where the rows of participants aren't those that the resources' own rows say."""
        resources: Any = self.record
        for page in records.pages(connection, self.rows, resources):
            standing = _of_each(connection, self.collection, [resource.id for resource in page])
            for resource in page:
                stated, stands = sorted(set(resource.participants)), standing.get(resource.id, [])
                if stated != stands:
                    yield f"{resource.name}: {_told(stands)} takes part, its row says {_told(stated)}"
        for identifier in self._strays(connection):
            yield f"{self.collection}/{identifier} has participants and doesn't exist"

    def _strays(self, connection: sa.Connection) -> list[str]:
        rows = participants
        is_known = sa.exists().where(self.rows.c.id == rows.c.id)
        query = sa.select(rows.c.id).where(rows.c.collection == self.collection, ~is_known)
        return list(connection.execute(query.distinct().order_by(rows.c.id)).scalars())


def _told(listed: Sequence[Participant]) -> str:
    return ", ".join(f"{tenant} as {role}" for tenant, role in listed) or "nobody"
