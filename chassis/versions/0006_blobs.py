"""Blobs, their sealed parts, and which resources refer to them."""

import sqlalchemy as sa
from alembic import op

revision = "chassis_0006"
down_revision = "chassis_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies it."""
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "blobs",
        sa.Column("id", text, nullable=False),
        sa.Column("owner", text, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("media_type", text, nullable=False),
        sa.Column("create_us", sa.BigInteger(), nullable=False),
        sa.Column("is_done", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    is_done, is_begun = sa.text("is_done"), sa.text("NOT is_done")
    op.create_index(
        "blobs_digest", "blobs", ["owner", "digest"], unique=True, sqlite_where=is_done, postgresql_where=is_done
    )
    op.create_index("blobs_owner", "blobs", ["owner", "size"], unique=False)
    op.create_index(
        "blobs_begun", "blobs", ["create_us"], unique=False, sqlite_where=is_begun, postgresql_where=is_begun
    )
    op.create_table(
        "blob_parts",
        sa.Column("resource", text, nullable=False),
        sa.Column("key_id", text, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("resource"),
    )
    op.create_table(
        "blob_holders",
        sa.Column("holder", text, nullable=False),
        sa.Column("blob", text, nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("holder", "blob"),
        sqlite_with_rowid=False,
    )
    op.create_index("blob_holders_blob", "blob_holders", ["blob"], unique=False)
    op.create_index("blob_holders_since", "blob_holders", ["holder", "since_us"], unique=False)
