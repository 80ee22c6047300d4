"""Breaches that the register told of, and those that concern a loan."""

import sqlalchemy as sa
from alembic import op

revision = "loans_0004"
down_revision = "loans_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies it."""
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "breaches",
        sa.Column("name", text, nullable=False),
        sa.Column("asset", text, nullable=False),
        sa.Column("asset_class", text, nullable=False),
        sa.Column("enterprise", text, nullable=False),
        sa.Column("holder", text, nullable=False),
        sa.Column("open_amount_currency", text, nullable=False),
        sa.Column("open_amount_minor_units", sa.BigInteger(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("create_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index("breaches_asset", "breaches", ["asset"])
    op.add_column("loans", sa.Column("breaches", text, nullable=False, server_default="[]"))
