"""Numbers of accounts, and an end for payments out.

Standing accounts have no number but their id; a standing payment out ends seven days after it was prepared.
"""

import sqlalchemy as sa
from alembic import op

revision = "settlement_0005"
down_revision = "settlement_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies it."""
    op.add_column(
        "accounts",
        sa.Column(
            "iban", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, server_default=""
        ),
    )
    op.add_column(
        "accounts",
        sa.Column(
            "account_number",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            server_default="",
        ),
    )
    op.create_index(
        "accounts_account_number",
        "accounts",
        ["bank", "account_number"],
        unique=True,
        sqlite_where=sa.text("account_number <> ''"),
        postgresql_where=sa.text("account_number <> ''"),
    )
    op.create_index(
        "accounts_iban",
        "accounts",
        ["bank", "iban"],
        unique=True,
        sqlite_where=sa.text("iban <> ''"),
        postgresql_where=sa.text("iban <> ''"),
    )
    op.add_column("outgoing_payments", sa.Column("expire_us", sa.BigInteger(), nullable=False, server_default="0"))
    op.execute("UPDATE outgoing_payments SET expire_us = create_us + 7 * 86400000000")
    op.add_column(
        "outgoing_payments",
        sa.Column(
            "reason", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, server_default=""
        ),
    )
    op.create_index("outgoing_payments_due", "outgoing_payments", ["state", "expire_us"], unique=False)
