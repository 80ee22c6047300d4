"""Participants of applications, offers and loans; the banks that an application asks are among them."""

from alembic import op

revision = "loans_0003"
down_revision = "loans_0002"
branch_labels = None
depends_on = "chassis_0008"

# Table, collection, the column that named a participant, its role, and where.
PARTICIPANTS = (
    ("applications", "applications", "enterprise", "ENTERPRISE", "1 = 1"),
    ("offers", "offers", "bank", "BANK", "1 = 1"),
    ("offers", "offers", "enterprise", "ENTERPRISE", "checker <> ''"),
    ("loans", "loans", "bank", "BANK", "1 = 1"),
    ("loans", "loans", "enterprise", "ENTERPRISE", "1 = 1"),
)
# Lists by tenant walk the participants now.
INDEXES = (
    ("applications", "applications_enterprise"),
    ("offers", "offers_bank"),
    ("offers", "offers_enterprise"),
    ("loans", "loans_bank"),
    ("loans", "loans_enterprise"),
)


def upgrade() -> None:
    """Applies it: who takes part by the standing columns."""
    for table, collection, column, role, condition in PARTICIPANTS:
        op.execute(
            "INSERT INTO participants (tenant, collection, id, role) "  # noqa: S608 our own names
            f"SELECT DISTINCT {column}, '{collection}', id, '{role}' FROM {table} WHERE {condition}"
        )
    op.execute(
        "INSERT INTO participants (tenant, collection, id, role) "
        "SELECT bank, 'applications', application, 'BANK' FROM asked_banks"
    )
    op.drop_table("asked_banks")
    for table, index in INDEXES:
        op.drop_index(index, table_name=table)
