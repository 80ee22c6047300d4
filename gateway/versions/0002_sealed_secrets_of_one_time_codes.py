"""Secrets of one-time codes are sealed; sessions know when they were used; attempts have turns."""

import sqlalchemy as sa
from alembic import op

from chassis import sealing
from chassis.records import BYTES, TEXT

revision = "gateway_0002"
down_revision = "gateway_0001"
branch_labels = None
depends_on = None

# As they were and as they become, whatever the tables are later.
principals = sa.table("principals", sa.column("login", TEXT), sa.column("totp_secret", TEXT))
one_time_secrets = sa.table(
    "one_time_secrets", sa.column("resource", TEXT), sa.column("key_id", TEXT), sa.column("sealed", BYTES)
)


def upgrade() -> None:
    """Applies it. Standing sessions end, since who may have one has changed; standing secrets are sealed."""
    op.create_table(
        "one_time_secrets",
        sa.Column("resource", TEXT, nullable=False),
        sa.Column("key_id", TEXT, nullable=False),
        sa.Column("sealed", BYTES, nullable=False),
        sa.PrimaryKeyConstraint("resource"),
    )
    _seal_secrets(op.get_bind())
    op.drop_column("principals", "totp_secret")
    op.drop_table("attempts")
    op.create_table(
        "attempts",
        sa.Column("subject_hash", BYTES, nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("turn_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject_hash"),
    )
    op.create_index("attempts_turn", "attempts", ["turn_us"], unique=False)
    op.drop_table("sessions")
    op.create_table(
        "sessions",
        sa.Column("token_hash", BYTES, nullable=False),
        sa.Column("login", TEXT, nullable=False),
        sa.Column("expire_us", sa.BigInteger(), nullable=False),
        sa.Column("use_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash"),
    )
    op.create_index("sessions_expire", "sessions", ["expire_us"], unique=False)
    op.create_index("sessions_login", "sessions", ["login"], unique=False)


def _seal_secrets(connection: sa.Connection) -> None:
    if connection.dialect.name == "sqlite":
        # What was deleted doesn't stay in the file's free pages.
        connection.exec_driver_sql("PRAGMA secure_delete=ON")
    rows = connection.execute(sa.select(principals).where(principals.c.totp_secret != "")).all()
    if not rows:
        return
    keys = op.get_context().opts["keys"]
    sealed = [sealing.sealed_row(keys, row.login, row.totp_secret.encode()) for row in rows]
    names = ("resource", "key_id", "sealed")
    connection.execute(sa.insert(one_time_secrets), [dict(zip(names, row, strict=True)) for row in sealed])
    connection.execute(sa.update(principals).values(totp_secret=""))
