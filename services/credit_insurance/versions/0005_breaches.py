"""Breaches that stand on the declarations of covered shipments."""

import sqlalchemy as sa
from alembic import op

revision = "credit_insurance_0005"
down_revision = "credit_insurance_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies it."""
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.add_column("covered_shipments", sa.Column("breaches", text, nullable=False, server_default="[]"))
