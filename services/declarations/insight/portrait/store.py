"""The portraits' rows, and the rows from which they are computed: the only SQL of this room."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from chassis import bulk, records
from chassis.records import TEXT
from services.declarations.insight.counting.model import DECLARED, UNCOUNTED
from services.declarations.insight.counting.store import enterprise_facts, enterprise_totals
from services.declarations.insight.portrait.model import Inputs, Total
from services.declarations.register.breach.store import breaches as register_breaches
from services.declarations.schema import metadata

# Portraits with all their inputs.
risk_portraits = sa.Table(
    "risk_portraits",
    metadata,
    sa.Column("enterprise", TEXT, primary_key=True),
    sa.Column("score", sa.BigInteger, nullable=False),
    sa.Column("assess_date", TEXT, nullable=False),
    sa.Column("inputs", TEXT, nullable=False),
    sa.Column("assess_us", sa.BigInteger, nullable=False),
    sa.Column("as_of_us", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Fact:
    """The facts of an enterprise that no total tells."""

    enterprise: str
    amendments: int
    holds: int


@dataclass(frozen=True, slots=True)
class Stored:
    """A portrait as it was last computed, from the events before `as_of_us`."""

    enterprise: str
    score: int
    assess_date: str
    inputs: Inputs
    assess_us: int
    as_of_us: int
    revision: int


def due(connection: sa.Connection, now_us: int, count: int) -> list[Fact]:
    """Returns enterprises whose portraits are due, those longest due first."""
    rows = enterprise_facts
    query = sa.select(rows.c.enterprise, rows.c.amendments, rows.c.holds).order_by(rows.c.due_us)
    within = sa.and_(rows.c.due_us > 0, rows.c.due_us <= now_us)
    return [Fact(*row) for row in connection.execute(query.where(within).limit(count))]


def totals(connection: sa.Connection, enterprises: Iterable[str]) -> dict[str, list[Total]]:
    """Returns the totals of enterprises' declarations."""
    rows = enterprise_totals
    query = sa.select(rows).where(bulk.among(connection, rows.c.enterprise, enterprises))
    query = query.where(rows.c.outcome.in_(sorted(DECLARED | UNCOUNTED)))
    by_enterprise: dict[str, list[Total]] = {}
    for enterprise, *total in connection.execute(query):
        by_enterprise.setdefault(enterprise, []).append(Total(*total))
    return by_enterprise


def breaches(connection: sa.Connection, enterprises: Iterable[str]) -> dict[str, dict[str, int]]:
    """Returns the number of breaches of each state on an enterprise's assets, by enterprise."""
    rows = register_breaches
    query = sa.select(rows.c.enterprise, rows.c.state, sa.func.count()).group_by(rows.c.enterprise, rows.c.state)
    by_enterprise: dict[str, dict[str, int]] = {}
    of = bulk.among(connection, rows.c.enterprise, enterprises)
    for enterprise, state, count in connection.execute(query.where(of)):
        by_enterprise.setdefault(enterprise, {})[state] = count
    return by_enterprise


def load(connection: sa.Connection, enterprise: str) -> Stored | None:
    """Returns an enterprise's portrait; None where there is none."""
    return records.one(connection, risk_portraits, Stored, risk_portraits.c.enterprise == enterprise)


def save(connection: sa.Connection, portraits: Sequence[Stored]) -> None:
    """Saves portraits computed anew; their revisions rise by one, and nothing is due."""
    values = [
        (
            stored.enterprise,
            stored.score,
            stored.assess_date,
            _text(stored.inputs),
            stored.assess_us,
            stored.as_of_us,
            1,
        )
        for stored in portraits
    ]
    bulk.add(
        connection, risk_portraits, values, ["revision"], ["score", "assess_date", "inputs", "assess_us", "as_of_us"]
    )
    rows = enterprise_facts
    assessed = bulk.among(connection, rows.c.enterprise, [stored.enterprise for stored in portraits])
    times = {stored.assess_us for stored in portraits}
    connection.execute(sa.update(rows).where(assessed).values(due_us=0, assess_us=max(times)))


def _text(inputs: Inputs) -> str:
    return json.dumps(records.to_json(inputs), ensure_ascii=False, separators=(",", ":"))
