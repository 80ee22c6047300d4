"""Participants of accounts, payments and notifications."""

from alembic import op

revision = "settlement_0007"
down_revision = "settlement_0006"
branch_labels = None
depends_on = "chassis_0008"

# Table, collection, the column that named a participant, its role, and where.
PARTICIPANTS = (
    ("accounts", "accounts", "owner", "OWNER", "1 = 1"),
    ("accounts", "accounts", "bank", "BANK", "1 = 1"),
    ("incoming_payments", "incomingPayments", "bank", "BANK", "1 = 1"),
    ("incoming_payments", "incomingPayments", "enterprise", "ENTERPRISE", "1 = 1"),
    ("outgoing_payments", "outgoingPayments", "bank", "BANK", "1 = 1"),
    ("outgoing_payments", "outgoingPayments", "enterprise", "ENTERPRISE", "1 = 1"),
    ("bill_payments", "billPayments", "bank", "BANK", "1 = 1"),
    ("bill_payments", "billPayments", "enterprise", "ENTERPRISE", "1 = 1"),
    ("notifications", "notifications", "owner", "OWNER", "1 = 1"),
    ("notifications", "notifications", "bank", "BANK", "1 = 1"),
)
# Lists by tenant walk the participants now.
INDEXES = (
    ("incoming_payments", "incoming_payments_bank"),
    ("incoming_payments", "incoming_payments_enterprise"),
    ("outgoing_payments", "outgoing_payments_bank"),
    ("outgoing_payments", "outgoing_payments_enterprise"),
    ("bill_payments", "bill_payments_bank"),
    ("bill_payments", "bill_payments_enterprise"),
    ("notifications", "notifications_owner"),
    ("notifications", "notifications_bank"),
)


def upgrade() -> None:
    """Applies it: who takes part by the standing columns."""
    for table, collection, column, role, condition in PARTICIPANTS:
        op.execute(
            "INSERT INTO participants (tenant, collection, id, role) "  # noqa: S608 our own names
            f"SELECT DISTINCT {column}, '{collection}', id, '{role}' FROM {table} WHERE {condition}"
        )
    for table, index in INDEXES:
        op.drop_index(index, table_name=table)
