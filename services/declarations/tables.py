"""The tables of the declarations service."""

import sqlalchemy as sa

from chassis import records, sealing
from chassis.records import TEXT
from services.declarations.breach.model import Breach
from services.declarations.consent.model import Consent, Disclosure
from services.declarations.declaration.model import Declaration, Version
from services.declarations.encumbrance.model import Encumbrance
from services.declarations.preshipment.model import PreShipment
from services.declarations.rebate.model import Rebate
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

# Which encumbrances stand, or stood, on an asset, and who bars whom there.
encumbered = sa.Table(
    "encumbered",
    metadata,
    sa.Column("asset", TEXT, primary_key=True),
    sa.Column("encumbrance", TEXT, primary_key=True),
    sa.Column("asset_class", TEXT, nullable=False),
    sa.Column("holder", TEXT, nullable=False),
    sa.Column("pari_passu", sa.Boolean, nullable=False),
    sa.Column("stands", sa.Boolean, nullable=False),
    sa.Index("encumbered_standing", "asset", "stands", "asset_class", "holder", "pari_passu"),
    sqlite_with_rowid=False,
)

# Payments applied to assets: each once.
proceeds = sa.Table(
    "proceeds",
    metadata,
    sa.Column("asset", TEXT, primary_key=True),
    sa.Column("payment", TEXT, primary_key=True),
    sa.Column("response", records.BYTES, nullable=False),
)

# value/ and breach/

# What freezes an asset, as long as the row is there.
freezes = sa.Table(
    "freezes",
    metadata,
    sa.Column("asset", TEXT, primary_key=True),
    sa.Column("cause", TEXT, primary_key=True),
    sqlite_with_rowid=False,
)

breaches = records.table(
    "breaches",
    Breach,
    metadata,
    sa.Index("breaches_asset", "asset", "state"),
    sa.Index("breaches_enterprise", "enterprise", "id"),
)

# Who has a share of a breach.
breach_holders = sa.Table(
    "breach_holders",
    metadata,
    sa.Column("holder", TEXT, primary_key=True),
    sa.Column("breach", TEXT, primary_key=True),
    sqlite_with_rowid=False,
)

# preshipment/ and rebate/

pre_shipments = records.table(
    "pre_shipments", PreShipment, metadata, sa.Index("pre_shipments_enterprise", "enterprise", "id")
)

# What is shipped under an order or credit; each declaration under one.
shipped_under = sa.Table(
    "shipped_under",
    metadata,
    sa.Column("declaration", TEXT, primary_key=True),
    sa.Column("pre_shipment", TEXT, nullable=False),
    sa.Column("currency", TEXT, nullable=False),
    sa.Column("shipped_minor_units", sa.BigInteger, nullable=False),
    sa.Column("netted_minor_units", sa.BigInteger, nullable=False),
    sa.Column("hold_number", sa.BigInteger, nullable=False),
    sa.Index("shipped_under_pre_shipment", "pre_shipment", "declaration"),
)

rebates = records.table("rebates", Rebate, metadata, sa.Index("rebates_enterprise", "enterprise", "id"))
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
