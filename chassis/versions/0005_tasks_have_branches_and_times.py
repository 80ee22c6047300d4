"""Tasks have branches and times."""

import sqlalchemy as sa
from alembic import op

from chassis.records import BYTES, TEXT

revision = "chassis_0005"
down_revision = "chassis_0004"
branch_labels = None
depends_on = None

COPY = "CREATE TABLE carried_tasks AS SELECT * FROM tasks"
# Since when a call is owed wasn't kept: it counts from when it is made next.
CARRY = (
    "INSERT INTO tasks (resource, branch, saga, step, round, service, method, request, tenant, caller, traceparent,"
    " business_date, not_before_us, since_us, due_us, attempts, parked)"
    " SELECT resource, '', saga, step, round, service, method, request, tenant, caller, traceparent,"
    " '', 0, due_us, due_us, attempts, parked FROM carried_tasks"
)


def upgrade() -> None:
    """Applies it. What a store owes is carried over with its rounds: its calls keep their request ids."""
    op.execute(COPY)
    op.drop_table("tasks")
    op.create_table(
        "tasks",
        sa.Column("resource", TEXT, nullable=False),
        sa.Column("branch", TEXT, nullable=False),
        sa.Column("saga", TEXT, nullable=False),
        sa.Column("step", TEXT, nullable=False),
        sa.Column("round", sa.BigInteger(), nullable=False),
        sa.Column("service", TEXT, nullable=False),
        sa.Column("method", TEXT, nullable=False),
        sa.Column("request", BYTES, nullable=False),
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("caller", TEXT, nullable=False),
        sa.Column("traceparent", TEXT, nullable=False),
        sa.Column("business_date", TEXT, nullable=False),
        sa.Column("not_before_us", sa.BigInteger(), nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.Column("due_us", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("failure", TEXT, nullable=True),
        sa.Column("parked", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("resource", "branch"),
    )
    owed = sa.text("parked IS NULL")
    for name, time in (("tasks_due", "due_us"), ("tasks_since", "since_us")):
        op.create_index(name, "tasks", ["service", time], unique=False, sqlite_where=owed, postgresql_where=owed)
    op.execute(CARRY)
    op.drop_table("carried_tasks")
