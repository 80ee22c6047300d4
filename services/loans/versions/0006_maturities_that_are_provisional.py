"""Maturities that rest on a year that isn't published; loans of before keep theirs, which rested on no calendar."""

import sqlalchemy as sa
from alembic import op

revision = "loans_0006"
down_revision = "loans_0005"
branch_labels = None
depends_on = "trade_0002"


def upgrade() -> None:
    """Applies it."""
    added: sa.Column[bool] = sa.Column(
        "is_maturity_provisional", sa.Boolean(), nullable=False, server_default=sa.false()
    )
    op.add_column("loans", added)
