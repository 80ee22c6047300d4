"""The tables of the declarations service."""

import sqlalchemy as sa

from chassis import records, sealing
from chassis.records import TEXT
from services.declarations.bill.model import Bill
from services.declarations.breach.model import Breach
from services.declarations.consent.model import Consent, Disclosure
from services.declarations.declaration.model import Declaration, Version
from services.declarations.draft.model import Draft, Message
from services.declarations.encumbrance.model import Encumbrance
from services.declarations.fingerprint.model import Registration
from services.declarations.insight.filters.model import SavedFilter
from services.declarations.insight.norms.model import Norm
from services.declarations.intake.model import RefusedDocument
from services.declarations.pool.model import Member, Movement, Pool
from services.declarations.preshipment.model import PreShipment
from services.declarations.rebate.model import Rebate
from services.declarations.records.model import PermitUse, Record
from services.declarations.reference.model import ReferenceRecord
from services.declarations.retail.list.model import RetailList
from services.declarations.retail.order.model import Order
from services.declarations.retail.payment.model import Payment
from services.declarations.retail.sale.model import WarehouseSale
from services.declarations.retail.summary.model import RetailSummary
from services.declarations.retail.waybill.model import Waybill

metadata = sa.MetaData()

# The customs number is the key; what isn't searched lives in the stored body. Lists go by day and number, of an
# enterprise or of all; what filters pick most stands in both indexes too, so that they are met within them.
PLACE = ("declared_on", "id")
PICKED = ("trade_mode", "destination_country", "commodity_code")
declarations = records.table(
    "declarations",
    Declaration,
    metadata,
    # Rows without a unified number cost nothing.
    sa.Index(
        "declarations_unified_number",
        "unified_number",
        postgresql_where=sa.text("unified_number <> ''"),
        sqlite_where=sa.text("unified_number <> ''"),
    ),
    sa.Index("declarations_enterprise", "enterprise", *PLACE, *PICKED),
    sa.Index("declarations_day", *PLACE, *PICKED),
)

# What declarations said before they were amended, with what filters pick by: lists as of a time look here too.
declaration_versions = sa.Table(
    "declaration_versions",
    metadata,
    *records.columns(Version, keys=("declaration", "version")),
    sa.Index("declaration_versions_day", "declared_on", "declaration"),
    sa.Index("declaration_versions_enterprise", "enterprise", "declared_on", "declaration"),
    sqlite_with_rowid=False,
)

# Receipts, also those that came before their declaration; `status` is where all receipts known at its arrival, so many
# as `receipts`, left the declaration.
receipts = sa.Table(
    "receipts",
    metadata,
    sa.Column("declaration", TEXT, primary_key=True),
    sa.Column("notice_us", sa.BigInteger, primary_key=True),
    sa.Column("channel_code", TEXT, primary_key=True),
    sa.Column("note", TEXT, nullable=False),
    sa.Column("arrive_us", sa.BigInteger, nullable=False),
    sa.Column("status", TEXT, nullable=False),
    sa.Column("receipts", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# draft: declarations before they have a customs number, all their messages, and what is known of their numbers.
DRAFT_PLACE = ("create_date", "id")
drafts = records.table(
    "drafts",
    Draft,
    metadata,
    sa.Index("drafts_enterprise", "enterprise", *DRAFT_PLACE),
    sa.Index("drafts_day", *DRAFT_PLACE),
    sa.Index("drafts_client_number", "client_number"),
    sa.Index("drafts_unified_number", "unified_number"),
    sa.Index("drafts_declaration", "declaration"),
    sa.Index("drafts_state", "state", "wait"),
)
draft_messages = records.table("draft_messages", Message, metadata, sa.Index("draft_messages_draft", "draft"))

# The unified number that the window gave to a client's own number.
client_numbers = sa.Table(
    "client_numbers",
    metadata,
    sa.Column("client_number", TEXT, primary_key=True),
    sa.Column("unified_number", TEXT, nullable=False),
    sqlite_with_rowid=False,
)

# The customs numbers told of `unified/{number}` or `client/{enterprise}/{number}`, and when customs first told each
# (microseconds since 1970 UTC, 0 where no notice did).
customs_numbers = sa.Table(
    "customs_numbers",
    metadata,
    sa.Column("number", TEXT, primary_key=True),
    sa.Column("declaration", TEXT, primary_key=True),
    sa.Column("notice_us", sa.BigInteger, nullable=False),
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

# Which encumbrances stand, or stood, on an asset.
encumbered = sa.Table(
    "encumbered",
    metadata,
    sa.Column("asset", TEXT, primary_key=True),
    sa.Column("encumbrance", TEXT, primary_key=True),
    sa.Column("stands", sa.Boolean, nullable=False),
    sa.Index("encumbered_standing", "asset", "stands"),
    sqlite_with_rowid=False,
)

# Who bars whom on an asset: how many encumbrances of each kind stand there, however many that are.
holdings = sa.Table(
    "holdings",
    metadata,
    sa.Column("asset", TEXT, primary_key=True),
    sa.Column("asset_class", TEXT, primary_key=True),
    sa.Column("holder", TEXT, primary_key=True),
    sa.Column("pari_passu", sa.Boolean, primary_key=True),
    sa.Column("standing", sa.BigInteger, nullable=False),
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

# Assets of which something was paid before payments counted against what is insurable; encumbrance.carrying empties it.
uncounted_payments = sa.Table("uncounted_payments", metadata, sa.Column("asset", TEXT, primary_key=True))

# insight/: what is derived from declarations. Rebuilt from the log at any time.

# What was counted of a list (by its id), and of a declaration (by its number) whose first content no longer says it:
# amended, rejected, deleted.
counted = sa.Table(
    "counted",
    metadata,
    sa.Column("document", TEXT, primary_key=True),
    sa.Column("contribution", TEXT, nullable=False),
    sqlite_with_rowid=False,
)


def _dimensions() -> list[sa.Column[str]]:
    names = ("month", "direction", "trade_mode", "country", "chapter", "currency")
    return [sa.Column(name, TEXT, primary_key=True) for name in names]


# Totals over all enterprises, by the outcomes that tell how a document counts; `changed` is the position of the log at
# which a cell was last counted.
statistics_cells = sa.Table(
    "statistics_cells",
    metadata,
    *_dimensions(),
    sa.Column("outcome", TEXT, primary_key=True),
    sa.Column("documents", sa.BigInteger, nullable=False),
    sa.Column("minor_units", sa.BigInteger, nullable=False),
    sa.Column("changed", sa.BigInteger, nullable=False),
    sa.Index("statistics_cells_changed", "changed"),
    sqlite_with_rowid=False,
)

# The same for each enterprise, told apart by buyer too, and by the outcomes that count nowhere.
enterprise_totals = sa.Table(
    "enterprise_totals",
    metadata,
    sa.Column("enterprise", TEXT, primary_key=True),
    *_dimensions(),
    sa.Column("outcome", TEXT, primary_key=True),
    sa.Column("buyer", TEXT, primary_key=True),
    sa.Column("documents", sa.BigInteger, nullable=False),
    sa.Column("minor_units", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# What no total tells of an enterprise, and when its portrait is due (0: it isn't).
enterprise_facts = sa.Table(
    "enterprise_facts",
    metadata,
    sa.Column("enterprise", TEXT, primary_key=True),
    sa.Column("amendments", sa.BigInteger, nullable=False),
    sa.Column("holds", sa.BigInteger, nullable=False),
    sa.Column("due_us", sa.BigInteger, nullable=False),
    sa.Column("assess_us", sa.BigInteger, nullable=False),
    sa.Index("enterprise_facts_due", "due_us"),
)

# How often which unit price was declared: 32-bit counts, little-endian, of the buckets from the first on.
price_counts = sa.Table(
    "price_counts",
    metadata,
    sa.Column("commodity_code", TEXT, primary_key=True),
    sa.Column("unit", TEXT, primary_key=True),
    sa.Column("currency", TEXT, primary_key=True),
    sa.Column("first_bucket", sa.BigInteger, nullable=False),
    sa.Column("counts", records.BYTES, nullable=False),
    # Bits that stand for sellers: at least so many there are.
    sa.Column("sellers", sa.BigInteger, nullable=False),
)

# Norms of unit prices by HS code of 10, 8 or 6 digits, unit and currency, as last published.
price_norms = records.table("price_norms", Norm, metadata)

# One row: up to which commodity code norms were last looked at, and when.
norm_progress = sa.Table(
    "norm_progress",
    metadata,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("commodity_code", TEXT, nullable=False),
    sa.Column("run_us", sa.BigInteger, nullable=False),
)

trade_findings = sa.Table(
    "trade_findings",
    metadata,
    sa.Column("id", TEXT, primary_key=True),
    sa.Column("enterprise", TEXT, nullable=False),
    sa.Column("declaration", TEXT, nullable=False),
    sa.Column("line_number", sa.BigInteger, nullable=False),
    sa.Column("code", TEXT, nullable=False),
    sa.Column("facts", TEXT, nullable=False),
    sa.Column("find_us", sa.BigInteger, nullable=False),
    sa.Index("trade_findings_enterprise", "enterprise", "id"),
    sa.Index("trade_findings_declaration", "declaration"),
)

# Portraits with all that they were computed from.
risk_portraits = sa.Table(
    "risk_portraits",
    metadata,
    sa.Column("enterprise", TEXT, primary_key=True),
    sa.Column("score", sa.BigInteger, nullable=False),
    sa.Column("assess_date", TEXT, nullable=False),
    sa.Column("inputs", TEXT, nullable=False),
    sa.Column("assess_us", sa.BigInteger, nullable=False),
    sa.Column("as_of_us", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
)

saved_filters = records.table("saved_filters", SavedFilter, metadata, sa.Index("saved_filters_tenant", "tenant", "id"))
# Records beside the declarations: every version of each, of which one counts.
beside = records.table(
    "records",
    Record,
    metadata,
    sa.Index("records_version", "record", "notice_us", unique=True),
    # One counts: two writers at once can't both supersede the same version.
    sa.Index(
        "records_newest",
        "record",
        unique=True,
        sqlite_where=sa.text("is_newest"),
        postgresql_where=sa.text("is_newest"),
    ),
    sa.Index("records_enterprise", "enterprise", "kind"),
    sa.Index("records_declaration", "declaration", "kind"),
)

# What else a version is about: a transport document, an invoice, a warehouse, a port.
record_subjects = sa.Table(
    "record_subjects",
    metadata,
    sa.Column("subject", TEXT, primary_key=True),
    sa.Column("version", TEXT, primary_key=True),
    sqlite_with_rowid=False,
)

# What declarations take of permits, numbered for each enterprise.
permit_uses = sa.Table(
    "permit_uses",
    metadata,
    *records.columns(PermitUse, keys=("enterprise", "position")),
    sa.Index("permit_uses_declaration", "declaration"),
    sa.Index("permit_uses_permit", "permit", "enterprise"),
    sqlite_with_rowid=False,
)

# Bills, as their payments leave them.
bills = records.table("bills", Bill, metadata)
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
    sa.Column("netted_currency", TEXT, nullable=False),
    sa.Column("netted_minor_units", sa.BigInteger, nullable=False),
    sa.Column("hold_number", sa.BigInteger, nullable=False),
    sa.Column("exchange_rate", TEXT),
    sa.Column("haircut", TEXT),
    sa.Index("shipped_under_pre_shipment", "pre_shipment", "declaration"),
)

rebates = records.table("rebates", Rebate, metadata, sa.Index("rebates_enterprise", "enterprise", "id"))
# intake: refused documents and rows, the reasons to find them by; how they were told and their contents, sealed.
refused_documents = records.table(
    "refused_documents",
    RefusedDocument,
    metadata,
    sa.Index("refused_documents_sender", "sender", "id"),
    sa.Index("refused_documents_digest", "sender", "digest", unique=True),
    sa.Index(
        "refused_documents_waiting",
        "sender",
        "subject",
        sqlite_where=sa.text("state = 'REFUSED'"),
        postgresql_where=sa.text("state = 'REFUSED'"),
    ),
    sa.Index("refused_documents_time", "last_us"),
)
refused_reasons = sa.Table(
    "refused_reasons",
    metadata,
    sa.Column("document", TEXT, primary_key=True),
    sa.Column("reason", TEXT, primary_key=True),
    sa.Index("refused_reasons_reason", "reason", "document"),
    sqlite_with_rowid=False,
)
refused_told = sealing.table("refused_told", metadata)
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
    sa.Index("reference_records_arrival", "create_us", "id"),
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


# retail: lists, summaries, sales; pools.
def _orphans(table: str) -> sa.Index:
    """Documents of merchants that are no enterprise: only those are in it."""
    condition = sa.text("enterprise = ''")
    return sa.Index(f"{table}_orphans", "merchant_code", postgresql_where=condition, sqlite_where=condition)


# Merchants that were registered, until none of their documents is without its enterprise.
merchant_adoptions = sa.Table(
    "merchant_adoptions",
    metadata,
    sa.Column("merchant_code", TEXT, primary_key=True),
    sa.Column("expect_us", sa.BigInteger, nullable=False),
    sa.Index("merchant_adoptions_due", "expect_us", "merchant_code"),
    sqlite_with_rowid=False,
)

# Keyed by what never changes; the numbers that customs and the window give are unique once given.
retail_lists = records.table(
    "retail_lists",
    RetailList,
    metadata,
    sa.Index("retail_lists_list_number", "list_number", unique=True),
    sa.Index("retail_lists_pre_number", "pre_number", unique=True),
    sa.Index("retail_lists_enterprise_number", "enterprise_number"),
    sa.Index("retail_lists_order", "order_number", "platform_code"),
    sa.Index("retail_lists_waybill", "waybill"),
    sa.Index("retail_lists_enterprise", "enterprise", "id"),
    sa.Index("retail_lists_status", "enterprise", "status", "id"),
    _orphans("retail_lists"),
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
    sa.Column("waybill", TEXT, nullable=False),
    sa.Column("notice_us", sa.BigInteger, nullable=False),
    sa.Column("code", TEXT, nullable=False),
    sa.Column("note", TEXT, nullable=False),
    sa.Index("retail_waiting_list_number", "list_number"),
    sa.Index("retail_waiting_pre_number", "pre_number"),
    sa.Index("retail_waiting_enterprise_number", "enterprise_number"),
    sa.Index("retail_waiting_waybill", "waybill"),
)

retail_summaries = records.table(
    "retail_summaries",
    RetailSummary,
    metadata,
    sa.Index("retail_summaries_enterprise", "enterprise", "id"),
    sa.Index("retail_summaries_declaration", "declaration"),
    _orphans("retail_summaries"),
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
    sa.Column("response", records.BYTES, nullable=False),
)

# Sales out of overseas warehouses, and of bonded goods in stores.
warehouse_sales = records.table(
    "warehouse_sales",
    WarehouseSale,
    metadata,
    sa.Index("warehouse_sales_declaration", "declaration", "id"),
)

# The key is the list: its goods are sold once.
store_sales = sa.Table(
    "store_sales",
    metadata,
    sa.Column("list", TEXT, primary_key=True),
    sa.Column("store", TEXT, nullable=False),
    sa.Column("handover", TEXT, nullable=False),
    sa.Column("sale_us", sa.BigInteger, nullable=False),
)
# retail: documents of cross-border e-commerce; orders, waybills and payments are tied by order number.
retail_orders = records.table(
    "retail_orders",
    Order,
    metadata,
    sa.Index("retail_orders_number", "order_number"),
    sa.Index("retail_orders_enterprise", "enterprise", "id"),
    _orphans("retail_orders"),
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
