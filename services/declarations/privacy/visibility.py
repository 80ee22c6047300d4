"""Limits pages and events to what a caller may see: an enterprise its own, institutions by consent, the window all."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from aval.declarations.v1 import pool_pb2, pre_shipment_pb2, rebate_pb2
from aval.events.v1 import events_pb2

from chassis.service import Reading
from services.declarations.privacy.consent import access
from services.declarations.privacy.consent import store as consent_store

# The owner of a resource whose merchant isn't known as an enterprise: nobody, but the window sees it.
NOBODY = "enterprises/-"
# Events that name their owner in the payload, by its type; declarations' events have a room of their own.
OWNED: Mapping[str, Any] = {
    kind.DESCRIPTOR.full_name: kind for kind in (pool_pb2.Pool, pre_shipment_pb2.PreShipment, rebate_pb2.Rebate)
}


def among_seen(reading: Reading, enterprise: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Returns the condition on a column of enterprises that the caller may see the row."""
    caller = reading.caller
    if access.sees_all(caller, NOBODY):
        return sa.true()
    if access.is_institution(caller):
        return enterprise.in_(consent_store.consenting(caller.tenant, reading.now_us))
    return enterprise == caller.tenant


def visible(reading: Reading, events: Sequence[events_pb2.Event]) -> list[events_pb2.Event]:
    """Returns the events of a tenant that it may see now: an institution an enterprise's only while consent stands."""
    owners = {event.event_id: _owner(event) for event in events if event.payload.TypeName() in OWNED}
    if not owners or not access.is_institution(reading.caller):
        return list(events)
    named = ((event.resource, owners[event.event_id]) for event in events if event.event_id in owners)
    allowed = access.note_page(reading, "Watch", named)
    return [event for event in events if event.event_id not in owners or owners[event.event_id] in allowed]


def _owner(event: events_pb2.Event) -> str:
    payload = OWNED[event.payload.TypeName()]()
    event.payload.Unpack(payload)
    return str(payload.enterprise)
