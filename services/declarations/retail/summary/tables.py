"""The tables of summaries."""

import sqlalchemy as sa

from chassis import records
from chassis.records import TEXT
from services.declarations.retail.summary.model import RetailSummary

metadata = sa.MetaData()

retail_summaries = records.table(
    "retail_summaries", RetailSummary, metadata, sa.Index("retail_summaries_enterprise", "enterprise", "id")
)

# The key is the list's number: it backs one summary ever, also before it is known and after the summary dropped it.
retail_summary_lists = sa.Table(
    "retail_summary_lists",
    metadata,
    sa.Column("list_number", TEXT, primary_key=True),
    sa.Column("summary", TEXT, nullable=False),
    sa.Column("is_dropped", sa.Boolean, nullable=False),
    sa.Index("retail_summary_lists_summary", "summary", "list_number"),
    sqlite_with_rowid=False,
)
