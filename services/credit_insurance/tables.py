"""The tables of the credit insurance service."""

import sqlalchemy as sa

from chassis import records
from services.credit_insurance.buyer_limit.model import BuyerLimit
from services.credit_insurance.cover_hold.model import CoverHold
from services.credit_insurance.covered_shipment.model import CoveredShipment, ExposurePayment
from services.credit_insurance.policy.model import Policy

metadata = sa.MetaData()

policies = records.table(
    "policies",
    Policy,
    metadata,
    sa.Index("policies_end", "state", "end_date"),
)

buyer_limits = records.table(
    "buyer_limits",
    BuyerLimit,
    metadata,
    sa.Index("buyer_limits_end", "state", "end_date"),
)

covered_shipments = records.table(
    "covered_shipments",
    CoveredShipment,
    metadata,
    sa.Index("covered_shipments_declaration", "declaration", "state"),
    sa.Index("covered_shipments_state", "state", "id"),
)

cover_holds = records.table(
    "cover_holds", CoverHold, metadata, sa.Index("cover_holds_shipment", "covered_shipment", "state")
)

# Payments of declarations, covered or not: each once.
exposure_payments = sa.Table(
    "exposure_payments", metadata, *records.columns(ExposurePayment, keys=("declaration", "payment"))
)
