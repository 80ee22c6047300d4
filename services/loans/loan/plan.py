"""The call that a loan owes others next, by its state. Pure."""

from collections.abc import Callable, Mapping

from aval.credit_insurance.v1 import credit_insurance_pb2
from aval.declarations.v1 import declarations_pb2
from aval.settlement.v1 import settlement_pb2

from chassis import money
from chassis.tasks import Call
from services.loans.loan import model
from services.loans.loan.model import Item, Loan, State

# A step is a verb, and the declaration where there is one call for each.
VALUE, RESERVE, COVER, CONFIRM, DISBURSE, UNCOVER, RELEASE = (
    "value",
    "reserve",
    "cover",
    "confirm",
    "disburse",
    "uncover",
    "release",
)


def owed(loan: Loan) -> Call | None:
    """Returns the call that the loan owes now; None where it waits for people or is finished."""
    plan = PLANS.get(loan.state)
    return plan(loan) if plan else None


def _reserving(loan: Loan) -> Call:
    """Asks for every declaration's value first, then for the encumbrance on all of them."""
    for item in loan.items:
        if item.declared is None:
            return _value(loan, item)
    return _reserve(loan)


def _value(loan: Loan, item: Item) -> Call:
    request = declarations_pb2.GetDeclarationRequest(name=item.declaration)
    return Call(f"{VALUE} {item.declaration}", "declarations", "GetDeclaration", request, loan.bank)


def _reserve(loan: Loan) -> Call:
    items = [
        declarations_pb2.EncumberedValue(asset=declaration, amount=money.to_proto(amount))
        for declaration, amount in loan.encumbered_items
    ]
    encumbrance = declarations_pb2.Encumbrance(
        asset_class=declarations_pb2.Encumbrance.RECEIVABLE, items=items, reference=loan.name
    )
    request = declarations_pb2.ReserveEncumbranceRequest(encumbrance_id=loan.encumbrance_id, encumbrance=encumbrance)
    return Call(RESERVE, "declarations", "ReserveEncumbrance", request, loan.bank)


def _holding_cover(loan: Loan) -> Call:
    """Asks for cover of as much as is lent, declaration by declaration."""
    item = model.uncovered(loan)
    assert item.amount is not None
    request = credit_insurance_pb2.HoldCoverRequest(
        cover_hold_id=loan.cover_hold_id(item.declaration),
        declaration=item.declaration,
        bank=loan.bank,
        amount=money.to_proto(item.amount),
        loan=loan.name,
    )
    return Call(f"{COVER} {item.declaration}", "credit_insurance", "HoldCover", request, loan.bank)


def _confirming(loan: Loan) -> Call:
    request = declarations_pb2.ConfirmEncumbranceRequest(name=f"encumbrances/{loan.encumbrance_id}")
    return Call(CONFIRM, "declarations", "ConfirmEncumbrance", request, loan.bank)


def _disbursing(loan: Loan) -> Call:
    request = settlement_pb2.DisburseRequest(
        loan=loan.name,
        bank=loan.bank,
        enterprise=loan.enterprise,
        amount=money.to_proto(loan.principal - loan.fee),
        fee=money.to_proto(loan.fee),
    )
    return Call(DISBURSE, "settlement", "Disburse", request, loan.bank)


def _releasing(loan: Loan) -> Call | None:
    """Gives cover back first, then value: the reverse of how they were taken."""
    for item in loan.items:
        if item.is_covered:
            return _uncover(loan, item)
    return _release(loan) if loan.is_encumbered else None


def _uncover(loan: Loan, item: Item) -> Call:
    request = credit_insurance_pb2.ReleaseCoverRequest(cover_hold_id=loan.cover_hold_id(item.declaration))
    return Call(f"{UNCOVER} {item.declaration}", "credit_insurance", "ReleaseCover", request, loan.bank)


def _release(loan: Loan) -> Call:
    request = declarations_pb2.ReleaseEncumbranceRequest(name=f"encumbrances/{loan.encumbrance_id}")
    return Call(RELEASE, "declarations", "ReleaseEncumbrance", request, loan.bank)


PLANS: Mapping[State, Callable[[Loan], Call | None]] = {
    State.RESERVING: _reserving,
    State.HOLDING_COVER: _holding_cover,
    State.CONFIRMING: _confirming,
    State.DISBURSING: _disbursing,
    State.CANCELLING: _releasing,
    State.REPAID: _releasing,
}
