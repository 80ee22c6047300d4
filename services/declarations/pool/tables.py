"""The tables of pools."""

import sqlalchemy as sa

from chassis import records
from chassis.records import BYTES, TEXT
from services.declarations.pool.model import Member, Movement, Pool

metadata = sa.MetaData()

pools = records.table(
    "pools",
    Pool,
    metadata,
    sa.Index("pools_enterprise", "enterprise", "id"),
    sa.Index("pools_gathered", "gathered"),
)

# The key is the list: it joins one pool ever.
pool_members = records.table(
    "pool_members",
    Member,
    metadata,
    sa.Index("pool_members_pool", "pool", "id"),
    sa.Index("pool_members_ageing", "standing", "ages_us"),
)

# What a pool's base follows from: sums over its members, kept up by what changes.
pool_totals = sa.Table(
    "pool_totals",
    metadata,
    sa.Column("pool", TEXT, primary_key=True),
    sa.Column("dimension", TEXT, primary_key=True),
    sa.Column("code", TEXT, primary_key=True),
    sa.Column("lists", sa.BigInteger, nullable=False),
    sa.Column("outstanding_minor_units", sa.BigInteger, nullable=False),
    sa.Column("term_minor_units", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Keyed by pool and number, as its id says.
pool_movements = records.table("pool_movements", Movement, metadata)

# Payments applied to pools: each once.
pool_settlements = sa.Table(
    "pool_settlements",
    metadata,
    sa.Column("pool", TEXT, primary_key=True),
    sa.Column("payment", TEXT, primary_key=True),
    sa.Column("response", BYTES, nullable=False),
)
