"""The tables of the declarations service."""

import sqlalchemy as sa

from chassis import records, sealing
from chassis.records import TEXT
from services.declarations.consent.model import Consent
from services.declarations.declaration.model import Declaration, Version
from services.declarations.encumbrance.model import Encumbrance
from services.declarations.intake.model import RefusedDocument
from services.declarations.reference.model import ReferenceRecord

metadata = sa.MetaData()

# The customs number is the key; what isn't searched lives in the stored body.
declarations = records.table(
    "declarations",
    Declaration,
    metadata,
    sa.Index("declarations_enterprise", "enterprise", "id"),
    # Rows without a unified number cost nothing.
    sa.Index(
        "declarations_unified_number",
        "unified_number",
        postgresql_where=sa.text("unified_number <> ''"),
        sqlite_where=sa.text("unified_number <> ''"),
    ),
)

# What declarations said before they were amended.
declaration_versions = sa.Table(
    "declaration_versions",
    metadata,
    *records.columns(Version, keys=("declaration", "version")),
    sqlite_with_rowid=False,
)

# Receipts, also those that came before their declaration.
receipts = sa.Table(
    "receipts",
    metadata,
    sa.Column("declaration", TEXT, primary_key=True),
    sa.Column("notice_us", sa.BigInteger, primary_key=True),
    sa.Column("channel_code", TEXT, primary_key=True),
    sa.Column("note", TEXT, nullable=False),
    sa.Column("arrive_us", sa.BigInteger, nullable=False),
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

# personal: the natural persons of a document (a serialised PersonalData), sealed.
personal_data = sealing.table("personal_data", metadata)

# intake: refused documents, the reasons to find them by, their contents, sealed.
refused_documents = records.table(
    "refused_documents",
    RefusedDocument,
    metadata,
    sa.Index("refused_documents_sender", "sender", "id"),
    sa.Index("refused_documents_digest", "sender", "digest", unique=True),
)
refused_reasons = sa.Table(
    "refused_reasons",
    metadata,
    sa.Column("document", TEXT, primary_key=True),
    sa.Column("reason", TEXT, primary_key=True),
    sa.Index("refused_reasons_reason", "reason", "document"),
    sqlite_with_rowid=False,
)
refused_contents = sealing.table("refused_contents", metadata)

# Receipts that name only a unified number, until its declaration comes.
waiting_receipts = sa.Table(
    "waiting_receipts",
    metadata,
    sa.Column("unified_number", TEXT, primary_key=True),
    sa.Column("notice_us", sa.BigInteger, primary_key=True),
    sa.Column("channel_code", TEXT, primary_key=True),
    sa.Column("note", TEXT, nullable=False),
    sqlite_with_rowid=False,
)

# reference: records of foreign trade, for price norms.
reference_records = records.table(
    "reference_records",
    ReferenceRecord,
    metadata,
    sa.Index("reference_records_commodity", "commodity_code", "record_date"),
)
