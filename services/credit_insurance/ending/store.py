"""The rows of what ends: policies and buyer limits alike."""

from collections.abc import Sequence

import sqlalchemy as sa

from chassis import bulk, records
from chassis.jobs import Page
from chassis.records import Conflict
from services.credit_insurance.ending.model import Undertaking


def due(connection: sa.Connection, rows: sa.Table, state: str, page: Page) -> list[Undertaking]:
    """Returns those of a table's rows in a state whose period is over with the page's date, by id."""
    query = sa.select(*records.columns_of(rows, Undertaking)).where(rows.c.state == state, rows.c.id > page.after)
    query = query.where(rows.c.end_date <= page.date.isoformat()).order_by(rows.c.id).limit(page.limit)
    return records.many(connection, query, Undertaking)


def save(connection: sa.Connection, rows: sa.Table, ended: Sequence[Undertaking], states: tuple[str, str]) -> None:
    """Moves rows from one state to another. Raises Conflict where one has changed meanwhile."""
    before, after = states
    identifiers = [undertaking.id for undertaking in ended]
    this = sa.and_(bulk.among(connection, rows.c.id, identifiers), rows.c.state == before)
    moving = sa.update(rows).where(this).values(state=after, revision=rows.c.revision + 1)
    if connection.execute(moving).rowcount != len(ended):
        raise Conflict
