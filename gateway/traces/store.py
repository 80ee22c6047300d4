"""The kept spans' only SQL. Newest first, bounded in age and number."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from chassis.clock import MICROSECONDS
from gateway.limits import Limits
from gateway.tables import spans, trace_keys
from gateway.traces.model import CALLER_TRACE, Span

DAY_US = 24 * 3600 * MICROSECONDS
MOST_LISTED = 50

# The same on both databases; a span that is exported again changes nothing.
INSERT_SPANS = sa.text(
    "INSERT INTO spans (trace_id, span_id, parent_span_id, service, name, start_ns, end_ns, status, content,"
    " receive_us) VALUES (:trace_id, :span_id, :parent_span_id, :service, :name, :start_ns, :end_ns, :status, :content,"
    " :receive_us) ON CONFLICT DO NOTHING"
)
INSERT_KEYS = sa.text(
    "INSERT INTO trace_keys (attribute, value, trace_id, receive_us)"
    " VALUES (:attribute, :value, :trace_id, :receive_us) ON CONFLICT DO NOTHING"
)


@dataclass(frozen=True, slots=True)
class Summary:
    """A trace in a list."""

    trace_id: str
    name: str
    services: int
    spans: int
    start_ns: int
    end_ns: int


def add(connection: sa.Connection, spans_in: Sequence[Span], now_us: int) -> None:
    """Keeps a batch."""
    if not spans_in:
        return
    connection.execute(INSERT_SPANS, [asdict(span) | {"receive_us": now_us} for span in spans_in])
    keys = sorted({(name, value, span.trace_id) for span in spans_in for name, value in span.business_keys()})
    if keys:
        names = ("attribute", "value", "trace_id")
        rows = [dict(zip(names, key, strict=True)) | {"receive_us": now_us} for key in keys]
        connection.execute(INSERT_KEYS, rows)


def prune(connection: sa.Connection, now_us: int, limits: Limits) -> None:
    """Forgets what is too old, and the oldest of what is too much."""
    newest = sa.select(spans.c.receive_us).order_by(spans.c.receive_us.desc()).offset(limits.spans_in_all).limit(1)
    oldest_us = max(now_us - limits.span_days * DAY_US, connection.execute(newest).scalar_one_or_none() or 0)
    for table in (spans, trace_keys):
        connection.execute(sa.delete(table).where(table.c.receive_us <= oldest_us))


def by_key(connection: sa.Connection, attribute: str, value: str) -> list[Summary]:
    """Returns the traces that touch a business key, newest first."""
    touching = sa.select(trace_keys.c.trace_id).where(trace_keys.c.attribute == attribute, trace_keys.c.value == value)
    return _summaries(connection, sa.select(spans.c.trace_id).where(spans.c.trace_id.in_(touching)))


def newest(connection: sa.Connection) -> list[Summary]:
    """Returns the traces received last."""
    recent = sa.select(spans.c.trace_id).order_by(spans.c.receive_us.desc()).limit(20 * MOST_LISTED)
    return _summaries(connection, recent)


def _summaries(connection: sa.Connection, trace_ids: sa.Select[tuple[str]]) -> list[Summary]:
    start = sa.func.min(spans.c.start_ns)
    counted = sa.func.count(sa.distinct(spans.c.service))
    ids = trace_ids.subquery()
    query = (
        sa.select(spans.c.trace_id, counted, sa.func.count(), start, sa.func.max(spans.c.end_ns))
        .where(spans.c.trace_id.in_(sa.select(ids.c.trace_id)))
        .group_by(spans.c.trace_id)
        .order_by(start.desc())
        .limit(MOST_LISTED)
    )
    rows = connection.execute(query).all()
    names = _first_names(connection, [row[0] for row in rows])
    return [Summary(row[0], names[row[0]], *row[1:]) for row in rows]


def _first_names(connection: sa.Connection, trace_ids: Sequence[str]) -> dict[str, str]:
    """Returns the name of the first span of each trace."""
    query = (
        sa.select(spans.c.trace_id, spans.c.name)
        .where(spans.c.trace_id.in_(trace_ids))
        .order_by(spans.c.start_ns.desc(), spans.c.span_id)
    )
    return {str(row[0]): str(row[1]) for row in connection.execute(query)}


def trace(connection: sa.Connection, trace_id: str) -> list[Span]:
    """Returns the spans of a trace, and of the traces that began at the edge for it; empty if there is none."""
    columns = [spans.c[name] for name in Span.__dataclass_fields__]
    linked = sa.select(trace_keys.c.trace_id).where(
        trace_keys.c.attribute == CALLER_TRACE, trace_keys.c.value == trace_id
    )
    mine = sa.or_(spans.c.trace_id == trace_id, spans.c.trace_id.in_(linked))
    return [Span(*row) for row in connection.execute(sa.select(*columns).where(mine).order_by(spans.c.start_ns))]
