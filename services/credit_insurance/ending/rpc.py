"""Ends on the wire, each party told of its own alone."""

import datetime
from collections.abc import Sequence

from aval.credit_insurance.v1 import credit_insurance_pb2
from aval.events.v1 import events_pb2

from chassis import rpc
from chassis.service import Reading
from services.credit_insurance.ending.model import Undertaking

Ended = credit_insurance_pb2.UndertakingsEnded


def to_proto(collection: str, undertakings: Sequence[Undertaking], date: datetime.date) -> Ended:
    """Returns the payload of an end: policies/{id} or buyerLimits/{id} with their parties."""
    message = Ended(end_date=rpc.date(date))
    for undertaking in undertakings:
        name = f"{collection}/{undertaking.id}"
        message.undertakings.add(name=name, insurer=undertaking.insurer, enterprise=undertaking.enterprise)
    return message


def visible(reading: Reading, events: Sequence[events_pb2.Event]) -> Sequence[events_pb2.Event]:
    """Returns the events with no more of an end in them than what the reader is a party to."""
    for event in events:
        if event.payload.TypeName() == Ended.DESCRIPTOR.full_name:
            _keep_own(event, reading.caller.tenant)
    return events


def _keep_own(event: events_pb2.Event, tenant: str) -> None:
    message = Ended.FromString(event.payload.value)
    known = message.undertakings
    own = [undertaking for undertaking in known if tenant in (undertaking.insurer, undertaking.enterprise)]
    event.payload.Pack(Ended(end_date=message.end_date, undertakings=own))
