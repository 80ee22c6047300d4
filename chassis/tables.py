"""The tables every service has: requests, the event log, participants, how far others' logs were read, tasks."""

import sqlalchemy as sa

from chassis import sealing
from chassis.records import BYTES, POSITION, TEXT

metadata = sa.MetaData()

# One row for each mutation answered: the same request again gets the same answer.
requests = sa.Table(
    "requests",
    metadata,
    sa.Column("caller", TEXT, primary_key=True),
    sa.Column("request_id", TEXT, primary_key=True),
    sa.Column("digest", BYTES, nullable=False),
    sa.Column("response", BYTES),
    sa.Column("refusal", BYTES),
    sa.Column("create_us", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Answers that may quote personal data, by caller and request id; a service that seals them names it in `sealed`.
sealed_answers = sealing.table("sealed_answers", metadata)

# One row: the log's epoch and its newest position. Locked last in every batch.
log_head = sa.Table(
    "log_head",
    metadata,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("epoch", TEXT, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
)

# One row: a token that only the key ring makes which the store was filled with.
key_rings = sa.Table(
    "key_rings",
    metadata,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("token", BYTES, nullable=False),
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("position", POSITION, primary_key=True, autoincrement=False),
    sa.Column("event_id", TEXT, nullable=False),
    sa.Column("type", TEXT, nullable=False),
    sa.Column("resource", TEXT, nullable=False),
    sa.Column("payload", BYTES, nullable=False),
    sa.Column("traceparent", TEXT, nullable=False),
    sa.Column("create_us", sa.BigInteger, nullable=False),
)

# Who may see an event; a tenant's events are read along this key.
event_tenants = sa.Table(
    "event_tenants",
    metadata,
    sa.Column("tenant", TEXT, primary_key=True),
    sa.Column("position", sa.BigInteger, primary_key=True),
    sqlite_with_rowid=False,
)

# The tenants that take part in a resource, each in a role; a tenant's lists are walked along the key.
participants = sa.Table(
    "participants",
    metadata,
    sa.Column("tenant", TEXT, primary_key=True),
    sa.Column("collection", TEXT, primary_key=True),
    sa.Column("id", TEXT, primary_key=True),
    sa.Column("role", TEXT, primary_key=True),
    sa.Index("participants_resource", "collection", "id"),
    sqlite_with_rowid=False,
)

# The business date that a command set, by place; without a row it follows the clock.
business_dates = sa.Table(
    "business_dates",
    metadata,
    sa.Column("place", TEXT, primary_key=True),
    sa.Column("date", TEXT, nullable=False),
    sa.Column("is_held", sa.Boolean(), nullable=False),
)

# How far another service's log has been consumed here, and whether a poison event stopped it.
inbox = sa.Table(
    "inbox",
    metadata,
    sa.Column("source", TEXT, primary_key=True),
    sa.Column("epoch", TEXT, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("parked", TEXT),
)

# The call a resource's plan now owes, and its timer.
tasks = sa.Table(
    "tasks",
    metadata,
    sa.Column("resource", TEXT, primary_key=True),
    sa.Column("saga", TEXT, nullable=False),
    sa.Column("step", TEXT, nullable=False),
    sa.Column("round", sa.BigInteger, nullable=False),
    sa.Column("service", TEXT, nullable=False),
    sa.Column("method", TEXT, nullable=False),
    sa.Column("request", BYTES, nullable=False),
    sa.Column("tenant", TEXT, nullable=False),
    sa.Column("caller", TEXT, nullable=False),
    sa.Column("traceparent", TEXT, nullable=False),
    sa.Column("due_us", sa.BigInteger, nullable=False),
    sa.Column("attempts", sa.BigInteger, nullable=False),
    sa.Column("parked", TEXT),
    sa.Index("tasks_due", "due_us"),
)
