"""Totals and counted contributions as rows."""

from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa

from chassis import bulk, inbox, tables
from chassis.records import TEXT
from services.declarations.insight.counting.model import Contribution, Delta, from_text, to_text
from services.declarations.schema import metadata


def _dimensions() -> list[sa.Column[str]]:
    names = ("month", "direction", "trade_mode", "country", "chapter", "currency")
    return [sa.Column(name, TEXT, primary_key=True) for name in names]


# The counted contribution of a list (by its id), and of a declaration (by its number) that its first content no longer
# gives: amended, rejected, deleted.
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

# The facts of an enterprise that no total tells, and when its portrait is due (0: it isn't).
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


def counted_until(connection: sa.Connection, now_us: int) -> int:
    """Returns the time before which all events are counted, in microseconds since 1970 UTC; now where none waits."""
    _, position = inbox.cursor(connection, SOURCE)
    events = tables.events
    waiting = sa.select(events.c.create_us).where(events.c.position > position).order_by(events.c.position).limit(1)
    first_us: int | None = connection.execute(waiting).scalar()
    return now_us if first_us is None else first_us


def counted_of(connection: sa.Connection, documents: Iterable[str]) -> dict[str, Contribution]:
    """Returns the counted contributions of lists, and of those declarations whose first content doesn't give it."""
    rows = connection.execute(sa.select(counted).where(bulk.among(connection, counted.c.document, documents)))
    return {row.document: from_text(row.contribution) for row in rows}


def keep_counted(connection: sa.Connection, kept: Mapping[str, Contribution]) -> None:
    """Keeps the counted contributions of lists, and of declarations whose first content doesn't give it."""
    bulk.add(
        connection,
        counted,
        [(number, to_text(contribution)) for number, contribution in kept.items()],
        (),
        ["contribution"],
    )


def add(connection: sa.Connection, delta: Delta, position: int) -> None:
    """Moves all totals; `position` is the log's."""
    sums = ("documents", "minor_units")
    totals = [(*key, *moved) for key, moved in delta.totals.items()]
    bulk.add(connection, enterprise_totals, totals, sums)
    cells = [(*key, *moved, position) for key, moved in delta.cells().items()]
    bulk.add(connection, statistics_cells, cells, sums, ["changed"])


def add_facts(connection: sa.Connection, changes: Mapping[str, Sequence[int]], now_us: int, interval_us: int) -> None:
    """Adds amendments and holds of enterprises; their portraits are due now, or once the last one is old enough."""
    facts = enterprise_facts
    standing = sa.select(facts).where(bulk.among(connection, facts.c.enterprise, changes))
    by_enterprise = {row.enterprise: row for row in connection.execute(standing)}
    moved = []
    for enterprise, (amendments, holds) in changes.items():
        row = by_enterprise.get(enterprise)
        if row is None:
            moved.append((enterprise, amendments, holds, now_us, 0))
        elif amendments or holds or not row.due_us:
            due_us = row.due_us or max(now_us, row.assess_us + interval_us)
            moved.append((enterprise, amendments, holds, due_us, row.assess_us))
    bulk.add(connection, facts, moved, ["amendments", "holds"], ["due_us"])
