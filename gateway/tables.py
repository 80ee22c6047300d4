"""The gateway's own tables: who may come in, their sessions, and the spans of the built-in receiver."""

import sqlalchemy as sa

from chassis import records, sealing
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

sessions = records.table(
    "sessions",
    Session,
    metadata,
    sa.Index("sessions_expire", "expire_us"),
    sa.Index("sessions_login", "login"),
    key="token_hash",
)

# The secrets of one-time codes (base32), by login.
one_time_secrets = sealing.table("one_time_secrets", metadata)
SEALED = (one_time_secrets,)

# Failed attempts of one kind, from one source or on one login, known or not; when the latest had its turn.
attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("subject_hash", BYTES, primary_key=True),
    sa.Column("failures", sa.BigInteger, nullable=False),
    sa.Column("turn_us", sa.BigInteger, nullable=False),
    sa.Index("attempts_turn", "turn_us"),
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
