"""The gateway's own tables: who may come in, their sessions, and the spans of the built-in receiver."""

import sqlalchemy as sa

from chassis import records
from chassis.records import BYTES, TEXT
from gateway.directory.model import Principal, Session

metadata = sa.MetaData()

principals = records.table(
    "principals",
    Principal,
    metadata,
    sa.Index("principals_certificate", "certificate"),
    key="login",
)

sessions = records.table("sessions", Session, metadata, sa.Index("sessions_expire", "expire_us"), key="token_hash")

# Failed attempts of one kind on one login, known or not, since the window began.
attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("subject_hash", BYTES, primary_key=True),
    sa.Column("failures", sa.BigInteger, nullable=False),
    sa.Column("start_us", sa.BigInteger, nullable=False),
    sa.Index("attempts_start", "start_us"),
)

spans = sa.Table(
    "spans",
    metadata,
    sa.Column("trace_id", TEXT, primary_key=True),
    sa.Column("span_id", TEXT, primary_key=True),
    sa.Column("parent_span_id", TEXT, nullable=False),
    sa.Column("service", TEXT, nullable=False),
    sa.Column("name", TEXT, nullable=False),
    sa.Column("start_ns", sa.BigInteger, nullable=False),
    sa.Column("end_ns", sa.BigInteger, nullable=False),
    sa.Column("status", TEXT, nullable=False),
    # JSON: {"attributes": {...}, "events": [{"name", "time_ns", "attributes"}]}.
    sa.Column("content", TEXT, nullable=False),
    sa.Column("receive_us", sa.BigInteger, nullable=False),
    sa.Index("spans_receive", "receive_us"),
)

# Which traces touch a business key, newest first.
trace_keys = sa.Table(
    "trace_keys",
    metadata,
    sa.Column("attribute", TEXT, primary_key=True),
    sa.Column("value", TEXT, primary_key=True),
    sa.Column("trace_id", TEXT, primary_key=True),
    sa.Column("receive_us", sa.BigInteger, nullable=False),
    sa.Index("trace_keys_receive", "receive_us"),
)
