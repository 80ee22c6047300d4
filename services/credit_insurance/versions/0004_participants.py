"""Participants of policies, buyer limits and covered shipments."""

from alembic import op

revision = "credit_insurance_0004"
down_revision = "credit_insurance_0003"
branch_labels = None
depends_on = "chassis_0008"

# Table, collection, the column that named a participant, its role, and where.
PARTICIPANTS = (
    ("policies", "policies", "insurer", "INSURER", "1 = 1"),
    ("policies", "policies", "enterprise", "ENTERPRISE", "1 = 1"),
    ("buyer_limits", "buyerLimits", "insurer", "INSURER", "1 = 1"),
    ("buyer_limits", "buyerLimits", "enterprise", "ENTERPRISE", "1 = 1"),
    ("covered_shipments", "coveredShipments", "insurer", "INSURER", "1 = 1"),
    ("covered_shipments", "coveredShipments", "enterprise", "ENTERPRISE", "1 = 1"),
)
# Lists by tenant walk the participants now.
INDEXES = (
    ("policies", "policies_insurer"),
    ("policies", "policies_enterprise"),
    ("buyer_limits", "buyer_limits_insurer"),
    ("buyer_limits", "buyer_limits_enterprise"),
    ("covered_shipments", "covered_shipments_insurer"),
    ("covered_shipments", "covered_shipments_enterprise"),
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
