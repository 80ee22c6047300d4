"""The tables of the declarations service."""

import sqlalchemy as sa

from chassis import records, sealing
from chassis.records import TEXT
from services.declarations.consent.model import Consent, Disclosure
from services.declarations.declaration.model import Declaration, Version
from services.declarations.encumbrance.model import Encumbrance
from services.declarations.retail.order.model import Order
from services.declarations.retail.payment.model import Payment
from services.declarations.retail.waybill.model import Waybill

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

# retail: documents of cross-border e-commerce; orders, waybills and payments are tied by order number.
retail_orders = records.table(
    "retail_orders",
    Order,
    metadata,
    sa.Index("retail_orders_number", "order_number"),
    sa.Index("retail_orders_enterprise", "enterprise", "id"),
)

retail_waybills = records.table(
    "retail_waybills", Waybill, metadata, sa.Index("retail_waybills_number", "order_number")
)

retail_payments = records.table(
    "retail_payments", Payment, metadata, sa.Index("retail_payments_number", "order_number")
)

# Which waybill carries which order, as lists say; also before the one or the other has come.
retail_links = sa.Table(
    "retail_links",
    metadata,
    sa.Column("order_id", TEXT, primary_key=True),
    sa.Column("waybill_id", TEXT, primary_key=True),
    sa.Index("retail_links_waybill", "waybill_id"),
    sqlite_with_rowid=False,
)
# consent: who learned what of an enterprise's data.
disclosures = records.table("disclosures", Disclosure, metadata, sa.Index("disclosures_enterprise", "enterprise", "id"))
