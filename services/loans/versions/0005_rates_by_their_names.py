"""A simple rate is called so."""

from alembic import op

revision = "loans_0005"
down_revision = "loans_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies it."""
    op.alter_column("offers", "all_in_rate", new_column_name="simple_rate")
