"""The event log: dense positions in commit order, so that a consumer can prove that it missed none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from aval.events.v1 import events_pb2
from google.protobuf import any_pb2

from chassis import bulk, tables
from chassis.command import PendingEvent
from chassis.errors import LogRestored

PAGE = 500


def initialise(connection: sa.Connection, epoch: str) -> None:
    """Makes the log's head in an empty store."""
    if connection.execute(sa.select(tables.log_head.c.id)).first() is None:
        connection.execute(sa.insert(tables.log_head).values(id=1, epoch=epoch, position=0))


def flush(connection: sa.Connection, events: Sequence[PendingEvent]) -> None:
    """Appends a batch's events. The head is the last row a batch locks: positions rise in commit order."""
    if not events:
        return
    head = tables.log_head
    advance = sa.update(head).values(position=head.c.position + len(events)).returning(head.c.position)
    newest: int = connection.execute(advance).scalar_one()
    rows, audience = [], []
    for position, event in enumerate(events, start=newest - len(events) + 1):
        rows.append(_row(position, event))
        audience += [(tenant, position) for tenant in event.tenants]
    bulk.insert(connection, tables.events, rows)
    bulk.insert(connection, tables.event_tenants, audience)
    if connection.dialect.name == "postgresql":
        # One notice a batch, to the other processes of the service.
        connection.exec_driver_sql("SELECT pg_notify('aval_' || current_schema(), current_setting('application_name'))")


def _row(position: int, event: PendingEvent) -> bulk.Row:
    payload = any_pb2.Any()
    payload.Pack(event.payload)
    content = payload.SerializeToString()
    return position, event.event_id, event.type, event.resource, content, event.traceparent, event.create_us


@dataclass(frozen=True, slots=True)
class Range:
    """A range of the log with those of its events that were asked for."""

    epoch: str
    after_position: int
    through_position: int
    events: list[events_pb2.Event]
    # There is more behind it.
    is_full: bool
    # The log's newest position.
    head: int


def read(
    connection: sa.Connection,
    epoch: str,
    after_position: int,
    tenant: str = "",
    *resources: str,
    types: Sequence[str] = (),
) -> Range:
    """Returns the next events after a position: of one tenant or, if empty, all; of some resources and types, if given.

    Raises LogRestored if the cursor belongs to another epoch or lies beyond the head.
    """
    head = connection.execute(sa.select(tables.log_head)).one()
    if (epoch and epoch != head.epoch) or after_position > head.position:
        raise LogRestored
    query = _query(after_position, tenant, resources, types).limit(PAGE)
    events = [_event(row) for row in connection.execute(query)]
    is_full = len(events) == PAGE
    through = events[-1].position if is_full else head.position
    return Range(head.epoch, after_position, through, events, is_full, head.position)


def _query(after_position: int, tenant: str, resources: Sequence[str], types: Sequence[str]) -> Any:
    rows, audience = tables.events, tables.event_tenants
    query = sa.select(rows).order_by(rows.c.position).where(rows.c.position > after_position)
    if tenant:
        query = query.join(audience, audience.c.position == rows.c.position)
        query = query.where(audience.c.tenant == tenant, audience.c.position > after_position)
    if resources:
        query = query.where(rows.c.resource.in_(resources))
    if types:
        query = query.where(rows.c.type.in_(types))
    return query


def _event(row: Any) -> events_pb2.Event:
    event = events_pb2.Event(
        position=row.position,
        event_id=row.event_id,
        type=row.type,
        resource=row.resource,
        payload=any_pb2.Any.FromString(row.payload),
        traceparent=row.traceparent,
    )
    event.create_time.FromMicroseconds(row.create_us)
    return event


def violations(connection: sa.Connection) -> list[str]:
    """Whether positions are dense from 1 to the head, from the rows alone."""
    newest = connection.execute(sa.select(tables.log_head.c.position)).scalar_one()
    column = tables.events.c.position
    count, low, high = connection.execute(sa.select(sa.func.count(), sa.func.min(column), sa.func.max(column))).one()
    if (count, low or 0, high or 0) != (newest, min(newest, 1), newest):
        return [f"events: head {newest}, {count} rows from {low} to {high}"]
    return []
