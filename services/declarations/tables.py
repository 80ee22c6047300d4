"""The tables of the declarations service."""

import sqlalchemy as sa

from chassis import records
from chassis.records import TEXT
from services.declarations.consent.model import Consent
from services.declarations.declaration.model import Declaration
from services.declarations.encumbrance.model import Encumbrance

metadata = sa.MetaData()

# The customs number is the key; what isn't searched lives in the stored body.
declarations = records.table(
    "declarations", Declaration, metadata, sa.Index("declarations_enterprise", "enterprise", "id")
)

# Receipts, also those that came before their declaration.
receipts = sa.Table(
    "receipts",
    metadata,
    sa.Column("declaration", TEXT, primary_key=True),
    sa.Column("notice_us", sa.BigInteger, primary_key=True),
    sa.Column("channel_code", TEXT, primary_key=True),
    sa.Column("note", TEXT, nullable=False),
    sqlite_with_rowid=False,
)

consents = records.table(
    "consents",
    Consent,
    metadata,
    sa.Index("consents_enterprise", "enterprise", "institution"),
    sa.Index("consents_institution", "institution", "id"),
)

encumbrances = records.table(
    "encumbrances",
    Encumbrance,
    metadata,
    sa.Index("encumbrances_holder", "holder", "id"),
    sa.Index("encumbrances_enterprise", "enterprise", "id"),
    sa.Index("encumbrances_due", "state", "expire_us"),
)

# Which encumbrances stand on a declaration.
encumbered = sa.Table(
    "encumbered",
    metadata,
    sa.Column("declaration", TEXT, primary_key=True),
    sa.Column("encumbrance", TEXT, primary_key=True),
    sqlite_with_rowid=False,
)

# Payments applied to declarations: each once.
proceeds = sa.Table(
    "proceeds",
    metadata,
    sa.Column("declaration", TEXT, primary_key=True),
    sa.Column("payment", TEXT, primary_key=True),
    sa.Column("response", records.BYTES, nullable=False),
)

# Lists, summaries, sales and pools of cross-border e-commerce.
for room in (list_tables, summary_tables, sale_tables, pool_tables):
    for own in room.metadata.sorted_tables:
        own.to_metadata(metadata)
