"""Deadlines by rule and calendar; why a dated table changed rows of days that had passed."""

import sqlalchemy as sa
from alembic import op

revision = "trade_0002"
down_revision = "trade_0001"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Creates the tables, and adds the column."""
    op.create_table(
        "trade_deadlines",
        sa.Column("resource", TEXT, nullable=False),
        sa.Column("field", TEXT, nullable=False),
        sa.Column("date", TEXT, nullable=False),
        sa.Column("is_provisional", sa.Boolean(), nullable=False),
        sa.Column("content", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("resource", "field"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "trade_waiting_deadlines",
        sa.Column("calendar", TEXT, nullable=False),
        sa.Column("calendar_version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("resource", TEXT, nullable=False),
        sa.Column("field", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("calendar", "calendar_version", "resource", "field"),
        sqlite_with_rowid=False,
    )
    op.create_index("trade_waiting_deadlines_resource", "trade_waiting_deadlines", ["resource", "field"])
    op.add_column("trade_dated_tables", sa.Column("correction", TEXT, server_default="", nullable=False))
