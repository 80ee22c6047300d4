"""A UETR is unique to its bank and message type; what stands came by pacs.008."""

import sqlalchemy as sa
from alembic import op

revision = "settlement_0006"
down_revision = "settlement_0005"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Adds the message type, and replaces the index."""
    op.add_column("incoming_payments", sa.Column("message_type", TEXT, nullable=False, server_default="pacs.008"))
    op.drop_index("incoming_payments_uetr", "incoming_payments")
    op.create_index("incoming_payments_uetr", "incoming_payments", ["bank", "message_type", "uetr"], unique=True)
