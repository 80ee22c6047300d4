"""The totals' rows: what the log says next, what was counted, and adding to the totals in bulk."""

import datetime
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2, retail_pb2
from google.protobuf import any_pb2

from chassis import bulk, inbox, tables
from chassis.clock import business_date
from chassis.records import TEXT
from services.declarations.declaration import rpc
from services.declarations.declaration.store import DECLARED, declaration_versions, declarations
from services.declarations.insight.findings.store import trade_findings
from services.declarations.insight.fold.model import Contribution, Delta, Row, from_text, to_text
from services.declarations.insight.norms.commands import REFERENCES
from services.declarations.insight.norms.store import norm_progress, price_counts, price_norms
from services.declarations.retail.list.store import CHANGED
from services.declarations.schema import metadata


def _dimensions() -> list[sa.Column[str]]:
    names = ("month", "direction", "trade_mode", "country", "chapter", "currency")
    return [sa.Column(name, TEXT, primary_key=True) for name in names]


# What was counted of a list (by its id), and of a declaration (by its number) whose first content no longer says it:
# amended, rejected, deleted.
counted = sa.Table(
    "counted",
    metadata,
    sa.Column("document", TEXT, primary_key=True),
    sa.Column("contribution", TEXT, nullable=False),
    sqlite_with_rowid=False,
)

# Totals over all enterprises, by the outcomes that tell how a document counts; `changed` is the position of the log at
# which a cell was last counted.
statistics_cells = sa.Table(
    "statistics_cells",
    metadata,
    *_dimensions(),
    sa.Column("outcome", TEXT, primary_key=True),
    sa.Column("documents", sa.BigInteger, nullable=False),
    sa.Column("minor_units", sa.BigInteger, nullable=False),
    sa.Column("changed", sa.BigInteger, nullable=False),
    sa.Index("statistics_cells_changed", "changed"),
    sqlite_with_rowid=False,
)

# The same for each enterprise, told apart by buyer too, and by the outcomes that count nowhere.
enterprise_totals = sa.Table(
    "enterprise_totals",
    metadata,
    sa.Column("enterprise", TEXT, primary_key=True),
    *_dimensions(),
    sa.Column("outcome", TEXT, primary_key=True),
    sa.Column("buyer", TEXT, primary_key=True),
    sa.Column("documents", sa.BigInteger, nullable=False),
    sa.Column("minor_units", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# What no total tells of an enterprise, and when its portrait is due (0: it isn't).
enterprise_facts = sa.Table(
    "enterprise_facts",
    metadata,
    sa.Column("enterprise", TEXT, primary_key=True),
    sa.Column("amendments", sa.BigInteger, nullable=False),
    sa.Column("holds", sa.BigInteger, nullable=False),
    sa.Column("due_us", sa.BigInteger, nullable=False),
    sa.Column("assess_us", sa.BigInteger, nullable=False),
    sa.Index("enterprise_facts_due", "due_us"),
)

SOURCE = "insight"
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
    """An amendment or a new status of one declaration, as its event told it."""

    number: str
    enterprise: str
    is_amendment: bool
    status: str


@dataclass(frozen=True, slots=True)
class Batch:
    """The next events of the log: what was declared, what changed since, which lists did, and how far they go."""

    epoch: str
    through_position: int
    is_full: bool
    declared: Sequence[str]
    changes: Sequence[Change]
    lists: Collection[str]

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing that counts."""
        return not (self.declared or self.changes or self.lists)


def next_batch(connection: sa.Connection, after_position: int) -> Batch | None:
    """The declarations' events after a position; None where there is nothing new."""
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


def counted_until(connection: sa.Connection, now_us: int) -> int:
    """Before when everything that happened is counted, in microseconds since 1970 UTC; now where nothing waits."""
    _, position = inbox.cursor(connection, SOURCE)
    events = tables.events
    waiting = sa.select(events.c.create_us).where(events.c.position > position).order_by(events.c.position).limit(1)
    first_us: int | None = connection.execute(waiting).scalar()
    return now_us if first_us is None else first_us


def _reach(connection: sa.Connection, after_position: int, head: int) -> tuple[int, bool]:
    """Up to which position a batch goes, and whether there is more behind it."""
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
    """The declarations as they are."""
    query = _ROW.where(bulk.among(connection, declarations.c.id, numbers))
    return [Row(*row) for row in connection.execute(query).all()]


def first_bodies(connection: sa.Connection, numbers: Iterable[str]) -> dict[str, bytes]:
    """What amended declarations said first."""
    versions = declaration_versions
    query = sa.select(versions.c.declaration, versions.c.body).where(versions.c.version == 1)
    found = connection.execute(query.where(bulk.among(connection, versions.c.declaration, numbers)))
    return {row.declaration: row.body for row in found}


def as_declared(now: Row, first_body: bytes | None) -> Row:
    """The declaration as it came: its first content, declared."""
    if first_body is None:
        return now._replace(status="DECLARED")
    content = rpc.content_of(declarations_pb2.Declaration.FromString(first_body))
    came_on: datetime.date = business_date(now.create_us)
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


def counted_of(connection: sa.Connection, documents: Iterable[str]) -> dict[str, Contribution]:
    """What was counted of lists, and of those declarations whose first content doesn't say it."""
    found = connection.execute(sa.select(counted).where(bulk.among(connection, counted.c.document, documents)))
    return {row.document: from_text(row.contribution) for row in found}


def keep_counted(connection: sa.Connection, kept: Mapping[str, Contribution]) -> None:
    """What is counted of lists, and of declarations whose first content doesn't say it."""
    bulk.add(connection, counted, [(number, to_text(one)) for number, one in kept.items()], (), ["contribution"])


def add(connection: sa.Connection, delta: Delta, position: int) -> None:
    """Moves all totals; `position` is where the log stands."""
    sums = ("documents", "minor_units")
    totals = [(*key, *moved) for key, moved in delta.totals.items()]
    bulk.add(connection, enterprise_totals, totals, sums)
    cells = [(*key, *moved, position) for key, moved in delta.cells().items()]
    bulk.add(connection, statistics_cells, cells, sums, ["changed"])


def add_facts(connection: sa.Connection, changes: Mapping[str, Sequence[int]], now_us: int, interval_us: int) -> None:
    """Amendments and holds of enterprises, whose portraits are due now, or once the last one is old enough."""
    facts = enterprise_facts
    known = sa.select(facts).where(bulk.among(connection, facts.c.enterprise, changes))
    found = {row.enterprise: row for row in connection.execute(known)}
    moved = []
    for enterprise, (amendments, holds) in changes.items():
        row = found.get(enterprise)
        if row is None:
            moved.append((enterprise, amendments, holds, now_us, 0))
        elif amendments or holds or not row.due_us:
            due_us = row.due_us or max(now_us, row.assess_us + interval_us)
            moved.append((enterprise, amendments, holds, due_us, row.assess_us))
    bulk.add(connection, facts, moved, ["amendments", "holds"], ["due_us"])


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
