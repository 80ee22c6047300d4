"""The tables every service has: requests, the event log, participants, others' logs as read, tasks, blobs."""

import sqlalchemy as sa

from chassis import records, sealing
from chassis.blobs.model import Blob
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

# The business date by place, and the last date that is closed whole: its jobs are done.
business_dates = sa.Table(
    "business_dates",
    metadata,
    sa.Column("place", TEXT, primary_key=True),
    sa.Column("date", TEXT, nullable=False),
    sa.Column("closed_date", TEXT, nullable=False),
    sa.Column("is_held", sa.Boolean(), nullable=False),
)

# How far a job of the end of a date has come, by its partition: the key of the last row it did.
jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("job", TEXT, primary_key=True),
    sa.Column("date", TEXT, primary_key=True),
    sa.Column("partition", TEXT, primary_key=True),
    sa.Column("cursor", TEXT, nullable=False),
    sa.Column("is_done", sa.Boolean(), nullable=False),
)

# How far another service's log has been consumed here.
inbox = sa.Table(
    "inbox",
    metadata,
    sa.Column("source", TEXT, primary_key=True),
    sa.Column("epoch", TEXT, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
)

# Events of others that a reaction failed on, and those of the same resource that wait behind them in order.
parked_events = sa.Table(
    "parked_events",
    metadata,
    sa.Column("source", TEXT, primary_key=True),
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("resource", TEXT, nullable=False),
    sa.Column("type", TEXT, nullable=False),
    sa.Column("content", BYTES, nullable=False),
    sa.Column("since_us", sa.BigInteger, nullable=False),
    # When it is taken again; null for one that waits behind another or for a person.
    sa.Column("due_us", sa.BigInteger),
    sa.Column("attempts", sa.BigInteger, nullable=False),
    # The stable reason of the last attempt; null for one that waits behind another.
    sa.Column("failure", TEXT),
)
sa.Index("parked_events_resource", parked_events.c.source, parked_events.c.resource, parked_events.c.position)

# The calls that a resource's plan now owes, one for each branch, and their timers.
tasks = sa.Table(
    "tasks",
    metadata,
    sa.Column("resource", TEXT, primary_key=True),
    # Empty where a resource has one leg.
    sa.Column("branch", TEXT, primary_key=True),
    sa.Column("saga", TEXT, nullable=False),
    sa.Column("step", TEXT, nullable=False),
    sa.Column("round", sa.BigInteger, nullable=False),
    sa.Column("service", TEXT, nullable=False),
    sa.Column("method", TEXT, nullable=False),
    sa.Column("request", BYTES, nullable=False),
    sa.Column("tenant", TEXT, nullable=False),
    sa.Column("caller", TEXT, nullable=False),
    sa.Column("traceparent", TEXT, nullable=False),
    # The date of the transaction that planned it; empty in rows from before it was kept.
    sa.Column("business_date", TEXT, nullable=False),
    # What the plan says, 0 for at once; since when it is owed; when it is made next.
    sa.Column("not_before_us", sa.BigInteger, nullable=False),
    sa.Column("since_us", sa.BigInteger, nullable=False),
    sa.Column("due_us", sa.BigInteger, nullable=False),
    sa.Column("attempts", sa.BigInteger, nullable=False),
    # The stable reason of the last attempt, and why it waits for a person.
    sa.Column("failure", TEXT),
    sa.Column("parked", TEXT),
)
# Each peer's calls by when they are made and by how long they are owed; what waits for a person is in no look's way.
for _name, _time in (("tasks_due", tasks.c.due_us), ("tasks_since", tasks.c.since_us)):
    _owed = tasks.c.parked.is_(None)
    sa.Index(_name, tasks.c.service, _time, sqlite_where=_owed, postgresql_where=_owed)

# Blobs by owner and digest; those that aren't done are uploads under way, or cut off.
blobs = records.table(
    "blobs",
    Blob,
    metadata,
    sa.Index(
        "blobs_digest",
        "owner",
        "digest",
        unique=True,
        sqlite_where=sa.text("is_done"),
        postgresql_where=sa.text("is_done"),
    ),
    sa.Index("blobs_owner", "owner", "size"),
    sa.Index("blobs_begun", "create_us", sqlite_where=sa.text("NOT is_done"), postgresql_where=sa.text("NOT is_done")),
)

# The parts of blobs; a service that has blobs names it in `sealed`.
blob_parts = sealing.table("blob_parts", metadata, rows_at_once=16)

# The resources that refer to a blob, and the uploads that none refers to yet: without any the blob is removed.
blob_holders = sa.Table(
    "blob_holders",
    metadata,
    sa.Column("holder", TEXT, primary_key=True),
    sa.Column("blob", TEXT, primary_key=True),
    sa.Column("since_us", sa.BigInteger, nullable=False),
    sa.Index("blob_holders_blob", "blob"),
    sa.Index("blob_holders_since", "holder", "since_us"),
    sqlite_with_rowid=False,
)
