"""Covered shipments on the wire."""

from aval.credit_insurance.v1 import credit_insurance_pb2

from chassis import wire
from chassis.money import Money
from services.credit_insurance.covered_shipment.model import CoveredShipment, ExposurePayment
from services.credit_insurance.covered_shipment.terms import Terms
from trade import breach


def to_proto(shipment: CoveredShipment, exposure: Money) -> credit_insurance_pb2.CoveredShipment:
    """Returns the wire form, with the exposure that the ledger has."""
    standing = map(breach.to_proto, shipment.breaches)
    return wire.fill(credit_insurance_pb2.CoveredShipment, shipment, exposure=exposure, breaches=standing)


def terms(message: credit_insurance_pb2.CoveredShipment) -> Terms:
    """Returns the terms of a checked message."""
    return wire.read(Terms, message)


def payment(request: credit_insurance_pb2.ReleaseExposureRequest) -> ExposurePayment:
    """Returns the payment that a checked request tells of."""
    return wire.read(ExposurePayment, request)
