"""Due dates that are provisional: those of bills that lie beyond the last published year, by rule."""

import sqlalchemy as sa
from alembic import op

revision = "declarations_0008"
down_revision = "declarations_0007"
branch_labels = None
depends_on = None

# The last day that calendars published when this migration was written. A STATED date rests on no calendar.
LAST_PUBLISHED = "2026-12-31"


def upgrade() -> None:
    """Applies it."""
    added: sa.Column[bool] = sa.Column("is_due_provisional", sa.Boolean(), nullable=False, server_default=sa.false())
    op.add_column("bills", added)
    bills = sa.table("bills", *map(sa.column, ("due_date", "due_rule", "is_due_provisional")))
    provisional = sa.and_(bills.c.due_date > LAST_PUBLISHED, bills.c.due_rule != "STATED")
    op.execute(sa.update(bills).where(provisional).values(is_due_provisional=sa.true()))
