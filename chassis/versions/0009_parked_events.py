"""Events that a reaction failed on wait by resource; a source is never stopped by one."""

import sqlalchemy as sa
from alembic import op

revision = "chassis_0009"
down_revision = "chassis_0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies it."""
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "parked_events",
        sa.Column("source", text, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("resource", text, nullable=False),
        sa.Column("type", text, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.Column("due_us", sa.BigInteger(), nullable=True),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("failure", text, nullable=True),
        sa.PrimaryKeyConstraint("source", "position"),
    )
    op.create_index("parked_events_resource", "parked_events", ["source", "resource", "position"])
    op.drop_column("inbox", "parked")
