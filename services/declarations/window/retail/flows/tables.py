"""The tables of retail documents, which matching joins."""

import sqlalchemy as sa

from chassis import records
from chassis.records import TEXT
from services.declarations.schema import metadata, orphans_index
from services.declarations.window.retail.flows.model import Order, Payment, Waybill

# retail: documents of cross-border e-commerce; orders, waybills and payments are tied by order number.
retail_orders = records.table(
    "retail_orders",
    Order,
    metadata,
    sa.Index("retail_orders_number", "order_number"),
    sa.Index("retail_orders_enterprise", "enterprise", "id"),
    orphans_index("retail_orders"),
)

retail_waybills = records.table(
    "retail_waybills", Waybill, metadata, sa.Index("retail_waybills_number", "order_number")
)

retail_payments = records.table(
    "retail_payments", Payment, metadata, sa.Index("retail_payments_number", "order_number")
)

# The waybill that carries an order, as lists say; also before the one or the other has come.
retail_links = sa.Table(
    "retail_links",
    metadata,
    sa.Column("order_id", TEXT, primary_key=True),
    sa.Column("waybill_id", TEXT, primary_key=True),
    sa.Index("retail_links_waybill", "waybill_id"),
    sqlite_with_rowid=False,
)
