"""Covered shipments on the wire."""

from aval.credit_insurance.v1 import credit_insurance_pb2

from chassis import money, rpc
from chassis.money import Money
from services.credit_insurance.covered_shipment.model import CoveredShipment
from services.credit_insurance.covered_shipment.terms import Terms


def to_proto(shipment: CoveredShipment, exposure: Money) -> credit_insurance_pb2.CoveredShipment:
    """Returns the wire form, with the exposure that the ledger has."""
    message = credit_insurance_pb2.CoveredShipment(
        name=shipment.name,
        buyer_limit=shipment.buyer_limit,
        declaration=shipment.declaration,
        invoice_amount=money.to_proto(shipment.invoice_amount),
        shipment_date=rpc.date(shipment.shipment_date),
        due_date=rpc.date(shipment.due_date),
        insurer=shipment.insurer,
        enterprise=shipment.enterprise,
        covered_amount=money.to_proto(shipment.covered_amount),
        premium=money.to_proto(shipment.premium),
        premium_rate=rpc.decimal(shipment.premium_rate),
        premium_rate_source=shipment.premium_rate_source,
        insured_ratio=rpc.decimal(shipment.insured_ratio),
        state=shipment.state.value,
        refusal_reason=shipment.refusal_reason,
        etag=str(shipment.revision),
        exposure=money.to_proto(exposure),
    )
    message.create_time.FromMicroseconds(shipment.create_us)
    return message


def terms(message: credit_insurance_pb2.CoveredShipment) -> Terms:
    """Returns the terms of a checked message."""
    return Terms(
        declaration=message.declaration,
        invoice_amount=money.from_proto(message.invoice_amount),
        shipment_date=rpc.to_date(message.shipment_date),
        due_date=rpc.to_date(message.due_date),
    )
