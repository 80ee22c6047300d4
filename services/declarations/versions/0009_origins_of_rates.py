"""A link to an order keeps where its rate comes from."""

import sqlalchemy as sa
from alembic import op

revision = "declarations_0009"
down_revision = "declarations_0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies it."""
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.add_column("shipped_under", sa.Column("rate_origin", text, nullable=True))
