"""Repayments keep how much was put back on the encumbrance, and how much of earlier ones they took over."""

import sqlalchemy as sa
from alembic import op

revision = "loans_0007"
down_revision = "loans_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the columns; rows of before say neither."""
    op.add_column(
        "repayments",
        sa.Column("restored_currency", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
    )
    op.add_column("repayments", sa.Column("restored_minor_units", sa.BigInteger(), nullable=True))
    op.add_column(
        "repayments",
        sa.Column("taken_over_currency", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
    )
    op.add_column("repayments", sa.Column("taken_over_minor_units", sa.BigInteger(), nullable=True))
