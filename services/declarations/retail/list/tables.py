"""The tables of lists and of what is said of them."""

import sqlalchemy as sa

from chassis import records
from chassis.records import TEXT
from services.declarations.retail.list.model import RetailList

metadata = sa.MetaData()

# Keyed by what never changes; the numbers that customs and the window give are unique once given.
retail_lists = records.table(
    "retail_lists",
    RetailList,
    metadata,
    sa.Index("retail_lists_list_number", "list_number", unique=True),
    sa.Index("retail_lists_pre_number", "pre_number", unique=True),
    sa.Index("retail_lists_enterprise_number", "enterprise_number"),
    sa.Index("retail_lists_order", "order_number", "platform_code"),
    sa.Index("retail_lists_enterprise", "enterprise", "id"),
    sa.Index("retail_lists_status", "enterprise", "status", "id"),
)

# All that was said of each list.
retail_notices = sa.Table(
    "retail_notices",
    metadata,
    sa.Column("list", TEXT, primary_key=True),
    sa.Column("notice_us", sa.BigInteger, primary_key=True),
    sa.Column("code", TEXT, primary_key=True),
    sa.Column("note", TEXT, nullable=False),
    sqlite_with_rowid=False,
)

# What was said of lists that aren't known yet, or not by that number: few, and gone once they are.
retail_waiting = sa.Table(
    "retail_waiting",
    metadata,
    sa.Column("key", TEXT, primary_key=True),
    sa.Column("list_number", TEXT, nullable=False),
    sa.Column("pre_number", TEXT, nullable=False),
    sa.Column("merchant_code", TEXT, nullable=False),
    sa.Column("enterprise_number", TEXT, nullable=False),
    sa.Column("notice_us", sa.BigInteger, nullable=False),
    sa.Column("code", TEXT, nullable=False),
    sa.Column("note", TEXT, nullable=False),
    sa.Index("retail_waiting_list_number", "list_number"),
    sa.Index("retail_waiting_pre_number", "pre_number"),
    sa.Index("retail_waiting_enterprise_number", "enterprise_number"),
)
