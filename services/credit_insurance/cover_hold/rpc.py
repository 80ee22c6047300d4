"""Cover holds on the wire."""

from aval.credit_insurance.v1 import credit_insurance_pb2

from chassis import wire
from services.credit_insurance.cover_hold.model import CoverHold
from services.credit_insurance.covered_shipment.model import CoveredShipment


def to_proto(hold: CoverHold) -> credit_insurance_pb2.CoverHold:
    """Returns the wire form."""
    return wire.fill(credit_insurance_pb2.CoverHold, hold)


def held(request: credit_insurance_pb2.HoldCoverRequest, shipment: CoveredShipment, now_us: int) -> CoverHold:
    """Returns the hold on a shipment's cover that a checked request asks for."""
    return wire.read(
        CoverHold,
        request,
        id=request.cover_hold_id,
        covered_shipment=shipment.name,
        insurer=shipment.insurer,
        enterprise=shipment.enterprise,
        insured_ratio=shipment.insured_ratio,
        create_us=now_us,
    )
