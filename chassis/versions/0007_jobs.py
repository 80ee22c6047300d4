"""Jobs of the end of a date, and the last date that is closed whole."""

import datetime

import sqlalchemy as sa
from alembic import op

revision = "chassis_0007"
down_revision = "chassis_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies it."""
    standing = list(op.get_bind().execute(sa.text("SELECT place, date, is_held FROM business_dates")).mappings())
    op.drop_table("business_dates")
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "business_dates",
        sa.Column("place", text, nullable=False),
        sa.Column("date", text, nullable=False),
        sa.Column("closed_date", text, nullable=False),
        sa.Column("is_held", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("place"),
    )
    op.create_table(
        "jobs",
        sa.Column("job", text, nullable=False),
        sa.Column("date", text, nullable=False),
        sa.Column("partition", text, nullable=False),
        sa.Column("cursor", text, nullable=False),
        sa.Column("is_done", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("job", "date", "partition"),
    )
    _carry_over([dict(row) for row in standing])


def _carry_over(standing: list[dict[str, object]]) -> None:
    """The date before a standing one was closed when that was opened: there were no jobs."""
    names = ("place", "date", "closed_date", "is_held")
    rows = sa.table("business_dates", *map(sa.column, names))
    for row in standing:
        before = datetime.date.fromisoformat(str(row["date"])) - datetime.timedelta(days=1)
        values = {**row, "is_held": bool(row["is_held"]), "closed_date": before.isoformat()}
        op.get_bind().execute(sa.insert(rows).values(**values))
