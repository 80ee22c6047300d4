"""What can't be added to hashed rows later.

Blocks bear their text's version and their suite, transfers two dates and 128 bits of their maker's, accounts flags.
"""

import sqlalchemy as sa
from alembic import op

revision = "ledger_0002"
down_revision = "ledger_0001"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Adds the columns; what stood is of version 1 and has no dates, and no account stands still."""
    op.add_column("ledger_accounts", sa.Column("flags", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("ledger_transfers", sa.Column("value_date", TEXT))
    op.add_column("ledger_transfers", sa.Column("booking_date", TEXT))
    op.add_column("ledger_transfers", sa.Column("user_data", TEXT, nullable=False, server_default="0"))
    op.add_column("ledger_blocks", sa.Column("version", sa.BigInteger(), nullable=False, server_default="1"))
    op.add_column("ledger_blocks", sa.Column("suite", TEXT, nullable=False, server_default="SHA-256"))
