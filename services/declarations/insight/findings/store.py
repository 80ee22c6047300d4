"""The findings' rows: the only SQL of this room."""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from chassis import bulk
from chassis.records import TEXT
from services.declarations.insight.findings.model import Finding
from services.declarations.schema import metadata

trade_findings = sa.Table(
    "trade_findings",
    metadata,
    sa.Column("id", TEXT, primary_key=True),
    sa.Column("enterprise", TEXT, nullable=False),
    sa.Column("declaration", TEXT, nullable=False),
    sa.Column("line_number", sa.BigInteger, nullable=False),
    sa.Column("code", TEXT, nullable=False),
    sa.Column("facts", TEXT, nullable=False),
    sa.Column("find_us", sa.BigInteger, nullable=False),
    sa.Index("trade_findings_enterprise", "enterprise", "id"),
    sa.Index("trade_findings_declaration", "declaration"),
)


def replace(connection: sa.Connection, declarations: Iterable[str], found: Sequence[Finding], now_us: int) -> None:
    """What is found now in declarations, by number, in place of what was found before."""
    numbers = set(declarations)
    if numbers:
        stale = bulk.among(connection, trade_findings.c.declaration, numbers)
        connection.execute(sa.delete(trade_findings).where(stale))
    _insert(connection, found, now_us)


def replace_circles(
    connection: sa.Connection, enterprises: Iterable[str], found: Sequence[Finding], now_us: int
) -> None:
    """What is found now among enterprises' parties in place of what was found before."""
    rows = trade_findings
    stale = sa.and_(bulk.among(connection, rows.c.enterprise, enterprises), rows.c.declaration == "")
    connection.execute(sa.delete(rows).where(stale))
    _insert(connection, found, now_us)


def _insert(connection: sa.Connection, found: Sequence[Finding], now_us: int) -> None:
    bulk.add(connection, trade_findings, [(*finding.row, now_us) for finding in found], (), ["facts", "find_us"])


def counts(connection: sa.Connection, enterprises: Iterable[str]) -> dict[str, dict[str, int]]:
    """How many findings of each code every enterprise has."""
    rows = trade_findings
    query = sa.select(rows.c.enterprise, rows.c.code, sa.func.count()).group_by(rows.c.enterprise, rows.c.code)
    found: dict[str, dict[str, int]] = {}
    for enterprise, code, count in connection.execute(
        query.where(bulk.among(connection, rows.c.enterprise, enterprises))
    ):
        found.setdefault(enterprise, {})[code] = count
    return found


def query() -> Any:
    """All of them."""
    return sa.select(trade_findings)
