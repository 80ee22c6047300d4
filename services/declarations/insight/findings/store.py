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


def replace(connection: sa.Connection, declarations: Iterable[str], findings: Sequence[Finding], now_us: int) -> None:
    """Replaces the findings of declarations, by number, by those of now."""
    numbers = set(declarations)
    if numbers:
        stale = bulk.among(connection, trade_findings.c.declaration, numbers)
        connection.execute(sa.delete(trade_findings).where(stale))
    _insert(connection, findings, now_us)


def replace_circles(
    connection: sa.Connection, enterprises: Iterable[str], findings: Sequence[Finding], now_us: int
) -> None:
    """Replaces the findings among enterprises' parties by those of now."""
    rows = trade_findings
    stale = sa.and_(bulk.among(connection, rows.c.enterprise, enterprises), rows.c.declaration == "")
    connection.execute(sa.delete(rows).where(stale))
    _insert(connection, findings, now_us)


def _insert(connection: sa.Connection, findings: Sequence[Finding], now_us: int) -> None:
    bulk.add(connection, trade_findings, [(*finding.row, now_us) for finding in findings], (), ["facts", "find_us"])


def counts(connection: sa.Connection, enterprises: Iterable[str]) -> dict[str, dict[str, int]]:
    """Returns the number of findings of each code that every enterprise has."""
    rows = trade_findings
    query = sa.select(rows.c.enterprise, rows.c.code, sa.func.count()).group_by(rows.c.enterprise, rows.c.code)
    by_enterprise: dict[str, dict[str, int]] = {}
    for enterprise, code, count in connection.execute(
        query.where(bulk.among(connection, rows.c.enterprise, enterprises))
    ):
        by_enterprise.setdefault(enterprise, {})[code] = count
    return by_enterprise


def query() -> Any:
    """Returns a query of all findings."""
    return sa.select(trade_findings)
