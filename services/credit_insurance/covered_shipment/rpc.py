"""Covered shipments on the wire."""

from aval.credit_insurance.v1 import credit_insurance_pb2

from chassis import money, rpc
from chassis.money import Money
from services.credit_insurance.buyer_limit.model import BuyerLimit
from services.credit_insurance.covered_shipment import model
from services.credit_insurance.covered_shipment.model import CoveredShipment, State
from services.credit_insurance.policy.model import Policy
from services.credit_insurance.premium_rates import PremiumRate


def to_proto(shipment: CoveredShipment, exposure: Money) -> credit_insurance_pb2.CoveredShipment:
    """The wire form, with the exposure that the ledger has."""
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


def asked(
    message: credit_insurance_pb2.CoveredShipment,
    identifier: str,
    limit: BuyerLimit,
    policy: Policy,
    rate: PremiumRate,
    now_us: int,
) -> CoveredShipment:
    """The shipment that a checked message asks for, its whole invoice covered."""
    invoice = money.from_proto(message.invoice_amount)
    return CoveredShipment(
        identifier,
        limit.name,
        policy.name,
        message.declaration,
        policy.insurer,
        policy.enterprise,
        invoice,
        rpc.to_date(message.shipment_date),
        rpc.to_date(message.due_date),
        invoice,
        model.premium(invoice, rate.rate),
        rate.rate,
        rate.source,
        policy.insured_ratio,
        State.DECLARED,
        "",
        1,
        now_us,
    )
