"""The ledger's tables. On the write path only the dialects' own modules touch them."""

import sqlalchemy as sa

from chassis.records import BYTES, POSITION, TEXT

metadata = sa.MetaData()

# An identifier: uuid on PostgreSQL, its text on SQLite.
ID = sa.Text().with_variant(sa.Uuid(as_uuid=False), "postgresql")

accounts = sa.Table(
    "ledger_accounts",
    metadata,
    sa.Column("id", ID, primary_key=True),
    sa.Column("book", TEXT, nullable=False),
    sa.Column("currency", TEXT, nullable=False),
    sa.Column("limits", sa.BigInteger, nullable=False),
    sa.Column("debits_pending", sa.BigInteger, nullable=False),
    sa.Column("debits_posted", sa.BigInteger, nullable=False),
    sa.Column("credits_pending", sa.BigInteger, nullable=False),
    sa.Column("credits_posted", sa.BigInteger, nullable=False),
    # A description for people: "current enterprises/… CNY".
    sa.Column("reference", TEXT, nullable=False),
    # Frozen or closed, as the transfers that set flags have left it.
    sa.Column("flags", sa.BigInteger, nullable=False, server_default="0"),
    sqlite_with_rowid=False,
    # Every transfer writes its accounts: room in the page keeps those writes off the index.
    postgresql_with={"fillfactor": 50},
)

# Transfers that stand: append-only, the idempotency record and the log in one. pending_id '' is none.
transfers = sa.Table(
    "ledger_transfers",
    metadata,
    sa.Column("position", POSITION, primary_key=True, autoincrement=False),
    sa.Column("id", ID, nullable=False),
    sa.Column("debit_account", ID, nullable=False),
    sa.Column("credit_account", ID, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("kind", TEXT, nullable=False),
    sa.Column("pending_id", TEXT, nullable=False),
    sa.Column("timeout_us", sa.BigInteger, nullable=False),
    sa.Column("code", TEXT, nullable=False),
    sa.Column("reference", TEXT, nullable=False),
    sa.Column("debit_balance", sa.BigInteger, nullable=False),
    sa.Column("credit_balance", sa.BigInteger, nullable=False),
    sa.Column("create_us", sa.BigInteger, nullable=False),
    # Null in rows of before there were dates.
    sa.Column("value_date", TEXT),
    sa.Column("booking_date", TEXT),
    # The caller's 128 bits, hexadecimal.
    sa.Column("user_data", TEXT, nullable=False, server_default="0"),
    sa.Index("ledger_transfers_id", "id", unique=True),
    sa.Index("ledger_transfers_debit", "debit_account", "position"),
    sa.Index("ledger_transfers_credit", "credit_account", "position"),
)

# The state of holds; a row 'reversed' marks a transfer that was reversed.
holds = sa.Table(
    "ledger_holds",
    metadata,
    sa.Column("id", ID, primary_key=True),
    sa.Column("state", TEXT, nullable=False),
    sa.Column("expires_us", sa.BigInteger, nullable=False),
    sa.Index("ledger_holds_due", "expires_us", postgresql_where=sa.text("state = 'open' AND expires_us > 0"),
             sqlite_where=sa.text("state = 'open' AND expires_us > 0")),
    sqlite_with_rowid=False,
)  # fmt: skip

# Ids that were refused for a reason another moment could turn: they stay refused.
refusals = sa.Table(
    "ledger_refusals",
    metadata,
    sa.Column("id", ID, primary_key=True),
    sa.Column("result", TEXT, nullable=False),
    sqlite_with_rowid=False,
)

# One block a batch: the chain over its transfers.
blocks = sa.Table(
    "ledger_blocks",
    metadata,
    sa.Column("block", POSITION, primary_key=True, autoincrement=False),
    sa.Column("first_position", sa.BigInteger, nullable=False),
    sa.Column("last_position", sa.BigInteger, nullable=False),
    sa.Column("rows_hash", BYTES, nullable=False),
    sa.Column("hash", BYTES, nullable=False),
    # The version of its rows' text.
    sa.Column("version", sa.BigInteger, nullable=False, server_default="1"),
    # The suite of its two hashes.
    sa.Column("suite", TEXT, nullable=False, server_default="SHA-256"),
)

# One row: the newest block and position; locked last.
head = sa.Table(
    "ledger_head",
    metadata,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("block", sa.BigInteger, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("hash", BYTES, nullable=False),
)
