"""The tables that each service keeps for itself of what all services share of the trade."""

import pathlib

import sqlalchemy as sa

from chassis.records import BYTES, TEXT

MIGRATIONS = str(pathlib.Path(__file__).parent / "versions")

metadata = sa.MetaData()

# Versions of dated tables: calendars, rates, tariffs. The newest version of a name is in force, the others stay.
dated_tables = sa.Table(
    "trade_dated_tables",
    metadata,
    sa.Column("name", TEXT, primary_key=True),
    sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
    # Where its rows are published.
    sa.Column("source", TEXT, nullable=False),
    # The rows as CSV, and their SHA-256.
    sa.Column("content", BYTES, nullable=False),
    sa.Column("digest", BYTES, nullable=False),
    sa.Column("load_us", sa.BigInteger, nullable=False),
    # Why rows of days that had passed were changed; empty where none was.
    sa.Column("correction", TEXT, nullable=False, server_default=""),
    sqlite_with_rowid=False,
)

# Dates that rules gave on calendars, the newest of each field of a resource.
deadlines = sa.Table(
    "trade_deadlines",
    metadata,
    sa.Column("resource", TEXT, primary_key=True),
    sa.Column("field", TEXT, primary_key=True),
    sa.Column("date", TEXT, nullable=False),
    # Whether it rests on a year that a calendar doesn't publish yet.
    sa.Column("is_provisional", sa.Boolean, nullable=False),
    # Rule, inputs, calendars with their versions: JSON of trade.calendars.
    sa.Column("content", TEXT, nullable=False),
    sqlite_with_rowid=False,
)

# Deadlines that follow their calendars still, each in the version that it was computed by.
waiting_deadlines = sa.Table(
    "trade_waiting_deadlines",
    metadata,
    sa.Column("calendar", TEXT, primary_key=True),
    sa.Column("calendar_version", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("resource", TEXT, primary_key=True),
    sa.Column("field", TEXT, primary_key=True),
    sa.Index("trade_waiting_deadlines_resource", "resource", "field"),
    sqlite_with_rowid=False,
)

# How amounts, dates and rates of resources came about: append-only, numbered for each field from 1.
derivations = sa.Table(
    "trade_derivations",
    metadata,
    sa.Column("resource", TEXT, primary_key=True),
    sa.Column("field", TEXT, primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    # aval.type.v1.Derivation.
    sa.Column("content", BYTES, nullable=False),
    sa.Column("business_date", TEXT, nullable=False),
    sa.Column("create_us", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
