"""Events of breaches name the holder whose share they tell; what was told before is completed.

A follower reads a standing log from its beginning, and takes an event without a holder for the whole of a breach.
"""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op
from aval.declarations.v1 import value_pb2
from google.protobuf import any_pb2

revision = "declarations_0007"
down_revision = "declarations_0006"
branch_labels = None
depends_on = None

AT_ONCE = 500
TYPES = ("encumbrance.breached", "breach.cured", "breach.resolved")
EVENTS = sa.table("events", *map(sa.column, ("position", "type", "payload")))
TENANTS = sa.table("event_tenants", *map(sa.column, ("tenant", "position")))


def upgrade() -> None:
    """Applies it."""
    connection = op.get_bind()
    for row in _rows(connection):
        payload, breach = any_pb2.Any.FromString(bytes(row.payload)), value_pb2.Breach()
        payload.Unpack(breach)
        # To the enterprise the whole was told.
        if not breach.holder and row.tenant != breach.enterprise:
            breach.holder = row.tenant
            payload.Pack(breach)
            this = sa.update(EVENTS).where(EVENTS.c.position == row.position)
            connection.execute(this.values(payload=payload.SerializeToString()))


def _rows(connection: sa.Connection) -> Iterator[Any]:
    """Gives each event of a breach with the party that it was told, in the order of the log."""
    joined = sa.select(EVENTS, TENANTS.c.tenant).join(TENANTS, TENANTS.c.position == EVENTS.c.position)
    joined = joined.where(EVENTS.c.type.in_(TYPES)).order_by(EVENTS.c.position).limit(AT_ONCE)
    last = 0
    while rows := connection.execute(joined.where(EVENTS.c.position > last)).all():
        yield from rows
        last = rows[-1].position
