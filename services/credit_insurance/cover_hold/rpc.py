"""Cover holds on the wire."""

from aval.credit_insurance.v1 import credit_insurance_pb2

from chassis import money, rpc
from services.credit_insurance.cover_hold.model import CoverHold, State
from services.credit_insurance.covered_shipment.model import CoveredShipment


def to_proto(hold: CoverHold) -> credit_insurance_pb2.CoverHold:
    """The wire form."""
    message = credit_insurance_pb2.CoverHold(
        name=hold.name,
        bank=hold.bank,
        declaration=hold.declaration,
        covered_shipment=hold.covered_shipment,
        state=hold.state.value,
    )
    if hold.amount is not None and hold.insured_ratio is not None:
        message.amount.CopyFrom(money.to_proto(hold.amount))
        message.insured_ratio.CopyFrom(rpc.decimal(hold.insured_ratio))
    return message


def asked(request: credit_insurance_pb2.HoldCoverRequest, shipment: CoveredShipment, now_us: int) -> CoverHold:
    """The hold that a request asks for on a shipment."""
    return CoverHold(
        request.cover_hold_id,
        request.bank,
        request.loan,
        request.declaration,
        shipment.name,
        shipment.insurer,
        shipment.enterprise,
        money.from_proto(request.amount),
        shipment.insured_ratio,
        State.HELD,
        1,
        now_us,
    )
