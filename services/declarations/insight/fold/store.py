"""The totals' rows: reads the log's next events and the counted rows, and resets them."""

import datetime
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2, retail_pb2
from google.protobuf import any_pb2

from chassis import bulk, tables
from services.declarations.insight.counting.model import Row
from services.declarations.insight.counting.store import (
    SOURCE,
    counted,
    enterprise_facts,
    enterprise_totals,
    statistics_cells,
)
from services.declarations.insight.findings.store import trade_findings
from services.declarations.insight.norms.commands import REFERENCES
from services.declarations.insight.norms.store import norm_progress, price_counts, price_norms
from services.declarations.window.declaration import rpc as declaration_rpc
from services.declarations.window.declaration.store import DECLARED, declaration_versions, declarations
from services.declarations.window.retail.list.store import CHANGED
from trade.calendars import day_in_china

AMENDED = "declaration.amended"
MOVED = "declaration.status_changed"
TYPES = (DECLARED, AMENDED, MOVED, CHANGED)
# Events that name many.
NAMING = (DECLARED, CHANGED)
# One sweep takes so many events at most, and about so many declarations: fewer where the writer waits for it.
EVENTS_MOST = 5_000
WEIGHT_MOST = {"sqlite": 2_500, "postgresql": 10_000}
# Bytes of a declaration's name in an event.
NAME_BYTES = 33


@dataclass(frozen=True, slots=True)
class Change:
    """An amendment or a new status of a declaration, as its event told it."""

    number: str
    enterprise: str
    is_amendment: bool
    status: str


@dataclass(frozen=True, slots=True)
class Batch:
    """The next events of the log: new declarations, changes, changed lists, and how far they go."""

    epoch: str
    through_position: int
    is_full: bool
    declared: Sequence[str]
    changes: Sequence[Change]
    lists: Collection[str]

    @property
    def is_empty(self) -> bool:
        """Tells whether it holds nothing that counts."""
        return not (self.declared or self.changes or self.lists)


def next_batch(connection: sa.Connection, after_position: int) -> Batch | None:
    """Returns the declarations' events after a position; None where there is nothing new."""
    head = connection.execute(sa.select(tables.log_head.c.epoch, tables.log_head.c.position)).one()
    if head.position == after_position:
        return None
    through, is_full = _reach(connection, after_position, head.position)
    events = tables.events
    query = sa.select(events.c.type, events.c.payload).order_by(events.c.position)
    within = sa.and_(events.c.position > after_position, events.c.position <= through, events.c.type.in_(TYPES))
    declared: list[str] = []
    changes: list[Change] = []
    lists: set[str] = set()
    for kind, payload in connection.execute(query.where(within)):
        content = any_pb2.Any.FromString(payload).value
        if kind == DECLARED:
            names = declarations_pb2.DeclarationsDeclared.FromString(content).declarations
            declared += [name[13:] for name in names]
        elif kind == CHANGED:
            lists.update(name[12:] for name in retail_pb2.RetailListsChanged.FromString(content).lists)
        else:
            changes.append(_change(kind, content))
    return Batch(head.epoch, through, is_full, declared, changes, lists)


def _reach(connection: sa.Connection, after_position: int, head: int) -> tuple[int, bool]:
    """Returns the position up to which a batch goes, and whether there is more behind it."""
    events = tables.events
    columns = (events.c.position, events.c.type, sa.func.length(events.c.payload))
    query = sa.select(*columns).order_by(events.c.position)
    weight = 0
    rows = connection.execute(query.where(events.c.position > after_position).limit(EVENTS_MOST)).all()
    for position, kind, size in rows:
        weight += size // NAME_BYTES if kind in NAMING else 1
        if weight >= WEIGHT_MOST[connection.dialect.name]:
            return position, position < head
    through = rows[-1].position
    return through, through < head


def _change(kind: str, content: bytes) -> Change:
    message = declarations_pb2.Declaration.FromString(content)
    status = declarations_pb2.Declaration.Status.Name(message.status)
    return Change(message.declaration_number, message.enterprise, kind == AMENDED, status)


_ROW = sa.select(*(declarations.c[name] for name in Row._fields))


def rows(connection: sa.Connection, numbers: Iterable[str]) -> list[Row]:
    """Returns the declarations as they are."""
    query = _ROW.where(bulk.among(connection, declarations.c.id, numbers))
    return [Row(*row) for row in connection.execute(query).all()]


def first_bodies(connection: sa.Connection, numbers: Iterable[str]) -> dict[str, bytes]:
    """Returns the first contents of amended declarations."""
    versions = declaration_versions
    query = sa.select(versions.c.declaration, versions.c.body).where(versions.c.version == 1)
    rows = connection.execute(query.where(bulk.among(connection, versions.c.declaration, numbers)))
    return {row.declaration: row.body for row in rows}


def as_declared(now: Row, first_body: bytes | None) -> Row:
    """Returns the declaration as it came: its first content, declared."""
    if first_body is None:
        return now._replace(status="DECLARED")
    content = declaration_rpc.content_of(declarations_pb2.Declaration.FromString(first_body))
    came_on: datetime.date = day_in_china(now.create_us)
    return now._replace(
        trade_mode=content.trade_mode,
        transport_mode=content.transport_mode,
        destination_country=content.destination_country,
        commodity_code=content.commodity_code,
        declared_on=(content.declared_on or came_on).isoformat(),
        value_currency=content.value_currency,
        value_minor_units=content.value_minor_units,
        body=first_body,
        status="DECLARED",
    )


def reset(connection: sa.Connection) -> None:
    """Forgets everything derived but portraits, which are computed again; the log is followed from its beginning."""
    for table in (
        counted,
        statistics_cells,
        enterprise_totals,
        enterprise_facts,
        price_counts,
        price_norms,
        norm_progress,
        trade_findings,
    ):
        connection.execute(sa.delete(table))
    sources = tables.inbox.c.source.in_([SOURCE, REFERENCES])
    connection.execute(sa.delete(tables.inbox).where(sources))
