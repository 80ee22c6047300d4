"""The call that a covered shipment owes others next, by its state. Pure."""

from collections.abc import Callable, Mapping

from aval.declarations.v1 import declarations_pb2
from aval.settlement.v1 import settlement_pb2

from chassis import money
from chassis.tasks import Call
from services.credit_insurance.covered_shipment.model import CoveredShipment, State

RESERVE = "reserve value"
CONFIRM = "confirm value"
COLLECT = "collect premium"
RELEASE = "release value"
LOOK = "look at value"


def _reserve(shipment: CoveredShipment) -> Call:
    """Reserves the whole invoice, though perhaps a part is covered: its premium is that of the whole."""
    item = declarations_pb2.EncumberedValue(asset=shipment.declaration, amount=money.to_proto(shipment.invoice_amount))
    encumbrance = declarations_pb2.Encumbrance(
        asset_class=declarations_pb2.Encumbrance.INSURANCE, items=[item], reference=shipment.name
    )
    request = declarations_pb2.ReserveEncumbranceRequest(
        encumbrance_id=shipment.encumbrance_id, encumbrance=encumbrance
    )
    return Call(RESERVE, "declarations", "ReserveEncumbrance", request, shipment.insurer)


def _confirm(shipment: CoveredShipment) -> Call:
    """Confirms the part that is covered."""
    assert shipment.insured_value is not None, f"{shipment.name} has nothing reserved"
    item = declarations_pb2.EncumberedValue(asset=shipment.declaration, amount=money.to_proto(shipment.insured_value))
    request = declarations_pb2.ConfirmEncumbranceRequest(name=f"encumbrances/{shipment.encumbrance_id}", items=[item])
    return Call(CONFIRM, "declarations", "ConfirmEncumbrance", request, shipment.insurer)


def _release(shipment: CoveredShipment) -> Call:
    request = declarations_pb2.ReleaseEncumbranceRequest(name=f"encumbrances/{shipment.encumbrance_id}")
    return Call(RELEASE, "declarations", "ReleaseEncumbrance", request, shipment.insurer)


def _collect(shipment: CoveredShipment) -> Call:
    request = settlement_pb2.CollectPremiumRequest(
        covered_shipment=shipment.name,
        insurer=shipment.insurer,
        enterprise=shipment.enterprise,
        amount=money.to_proto(shipment.premium),
    )
    return Call(COLLECT, "settlement", "CollectPremium", request, shipment.insurer)


def _look(shipment: CoveredShipment) -> Call | None:
    """Looks at the register on the day that the sweep has set, while cover is in force."""
    if shipment.look_date is None:
        return None
    request = declarations_pb2.GetEncumbranceRequest(name=f"encumbrances/{shipment.encumbrance_id}")
    return Call(LOOK, "declarations", "GetEncumbrance", request, shipment.insurer)


# The other states owe nothing.
PLANS: Mapping[State, Callable[[CoveredShipment], Call | None]] = {
    State.DECLARED: _reserve,
    State.VALUE_RESERVED: _confirm,
    State.VALUE_MARKED: _collect,
    State.CANCELLING: _release,
    State.COVERED: _look,
    State.PAID: _release,
}


def owed(shipment: CoveredShipment) -> Call | None:
    """Returns the call that a shipment owes now; None where it waits for somebody or is at an end."""
    plan = PLANS.get(shipment.state)
    return plan(shipment) if plan else None
