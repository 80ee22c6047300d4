"""The tables of the declarations service."""

import sqlalchemy as sa

from chassis import records, sealing
from chassis.records import TEXT
from services.declarations.consent.model import Consent
from services.declarations.declaration.model import Declaration, Version
from services.declarations.encumbrance.model import Encumbrance
from services.declarations.fingerprint.model import Registration

metadata = sa.MetaData()

# The customs number is the key; what isn't searched lives in the stored body.
declarations = records.table(
    "declarations", Declaration, metadata, sa.Index("declarations_enterprise", "enterprise", "id")
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

# fingerprint: the documents behind financings, blind.
registrations = records.table(
    "registrations",
    Registration,
    metadata,
    sa.Index("registrations_holder", "holder", "listed"),
    sa.Index("registrations_applicant", "applicant", "listed"),
)

# Tokens to compare with, in hexadecimal, salted with the id; several parties are parted by spaces.
registered_documents = sa.Table(
    "registered_documents",
    metadata,
    sa.Column("id", TEXT, primary_key=True),
    sa.Column("registration", TEXT, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("parties", TEXT, nullable=False),
    sa.Column("amount", TEXT, nullable=False),
    sa.Column("amount_step", TEXT, nullable=False),
    sa.Column("day", TEXT, nullable=False),
)

# Finding tokens. `position`: the character of the number that was left out, -1 for none.
document_tokens = sa.Table(
    "document_tokens",
    metadata,
    sa.Column("token", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("document", TEXT, primary_key=True),
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

# How many documents an institution got answers about in the present window of a span.
answered_documents = sa.Table(
    "answered_documents",
    metadata,
    sa.Column("institution", TEXT, primary_key=True),
    sa.Column("span", TEXT, primary_key=True),
    sa.Column("start_us", sa.BigInteger, nullable=False),
    sa.Column("documents", sa.BigInteger, nullable=False),
    sa.Column("documents_max", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
