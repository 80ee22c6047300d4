"""Deadlines of standing bills whose due dates are provisional: they move once the year is published."""

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op
from aval.declarations.v1 import records_pb2

from chassis.rpc import to_date

revision = "declarations_0010"
down_revision = "declarations_0009"
branch_labels = None
depends_on = "trade_0002"

CALENDAR, VERSION = "CN.working", 1
# Rule and count by term: the rows of duty_deadlines.csv that count from 2022-07-01.
RULES: Mapping[int, tuple[str, int]] = {
    records_pb2.Bill.SINGLE: ("days_after", 15),
    records_pb2.Bill.CONSOLIDATED: ("working_day_of_next_month", 5),
}

BILLS = sa.table("bills", *map(sa.column, ("id", "due_date", "is_due_provisional")))
RECORDS = sa.table("records", *map(sa.column, ("record", "body", "is_newest")))
DEADLINES = sa.table("trade_deadlines", *map(sa.column, ("resource", "field", "date", "is_provisional", "content")))
WAITING = sa.table("trade_waiting_deadlines", *map(sa.column, ("calendar", "calendar_version", "resource", "field")))


def upgrade() -> None:
    """Applies it."""
    connection = op.get_bind()
    this = sa.and_(RECORDS.c.record == BILLS.c.id, RECORDS.c.is_newest)
    query = (
        sa.select(BILLS.c.id, BILLS.c.due_date, RECORDS.c.body).join(RECORDS, this).where(BILLS.c.is_due_provisional)
    )
    for row in connection.execute(query).all():
        _keep(connection, row)


def _keep(connection: sa.Connection, row: Any) -> None:
    bill = records_pb2.Record.FromString(bytes(row.body)).bill
    rule, count = RULES[bill.term]
    content = {
        "date": row.due_date,
        "rule": rule,
        "inputs": {"day": to_date(bill.issue_date).isoformat(), "count": count},
        "calendars": {CALENDAR: VERSION},
        "is_provisional": True,
    }
    key = {"resource": f"records/{row.id}", "field": "due_date"}
    connection.execute(
        sa.insert(DEADLINES).values(**key, date=row.due_date, is_provisional=True, content=json.dumps(content))
    )
    connection.execute(sa.insert(WAITING).values(calendar=f"calendars/{CALENDAR}", calendar_version=VERSION, **key))
