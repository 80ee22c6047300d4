"""The tables of the trade: dated tables and derivations."""

import sqlalchemy as sa
from alembic import op

revision = "trade_0001"
down_revision = None
branch_labels = ("trade",)
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Creates both tables."""
    op.create_table(
        "trade_dated_tables",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("source", TEXT, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("load_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "version"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "trade_derivations",
        sa.Column("resource", TEXT, nullable=False),
        sa.Column("field", TEXT, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("business_date", TEXT, nullable=False),
        sa.Column("create_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("resource", "field", "number"),
        sqlite_with_rowid=False,
    )
