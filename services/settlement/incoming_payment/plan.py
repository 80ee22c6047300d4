"""The call that a payment in owes others next, by its state. Pure."""

import enum
from collections.abc import Callable, Mapping, Sequence

from aval.credit_insurance.v1 import credit_insurance_pb2
from aval.declarations.v1 import declarations_pb2
from aval.loans.v1 import loans_pb2

from chassis import money
from chassis.rpc import date
from chassis.tasks import Call
from services.settlement.incoming_payment import model
from services.settlement.incoming_payment.model import IncomingPayment, State

# Settlement itself asks: a payment isn't a wish of the bank or the exporter.
TENANT = "services/settlement"


class Step(enum.StrEnum):
    """The calls it owes; each is followed by the declaration or the encumbrance that it is about."""

    MATCH = "match"
    APPLY = "apply"
    COLLECT = "collect"
    RESTORE = "restore"
    CONFIRM = "confirm"
    RELEASE = "release"


def owed(payment: IncomingPayment) -> Call | None:
    """Returns the call that a payment owes now; None where it waits for a person or is at an end."""
    calls = (call for plan in PLANS.get(payment.state, ()) if (call := plan(payment)))
    return next(calls, None)


def _match(payment: IncomingPayment) -> Call | None:
    """Asks in the name of the bank that received it: who may not know of a declaration learns nothing of it."""
    for part in payment.parts:
        if part.owed is None:
            request = declarations_pb2.GetReceivableRequest(name=part.declaration)
            step = f"{Step.MATCH} {part.declaration}"
            return Call(step, "declarations", "GetReceivable", request, payment.bank)
    return None


def _apply(payment: IncomingPayment) -> Call | None:
    for part in payment.parts:
        if part.amount and not part.is_applied:
            request = declarations_pb2.ApplyProceedsRequest(
                asset=part.declaration, payment=payment.name, amount=money.to_proto(part.amount)
            )
            return Call(f"{Step.APPLY} {part.declaration}", "declarations", "ApplyProceeds", request, TENANT)
    return None


def _collect(payment: IncomingPayment) -> Call | None:
    """Asks the next lender to fix its repayment: in turn, since each takes from what the others left.

    A lender for whom they leave nothing isn't asked.
    """
    for collection in payment.collections:
        if collection.amount is None and (most := model.collectable(payment, collection)):
            request = loans_pb2.CreateRepaymentRequest(
                repayment_id=collection.repayment_id,
                loan=collection.loan,
                payment=payment.name,
                amount=money.to_proto(most),
                date=date(payment.value_date),
                encumbrance=collection.encumbrance,
                settled=money.to_proto(collection.settled_total),
                settled_by_payment=money.to_proto(collection.settled),
            )
            step = f"{Step.COLLECT} {collection.encumbrance}"
            return Call(step, "loans", "CreateRepayment", request, collection.bank)
    return None


def _restore(payment: IncomingPayment) -> Call | None:
    for collection in payment.collections:
        if collection.awaits_restoration:
            request = declarations_pb2.RestoreEncumbranceRequest(
                name=collection.encumbrance,
                payment=payment.name,
                amount=money.to_proto(collection.to_restore),
                assets=[asset.asset for asset in collection.assets],
            )
            step = f"{Step.RESTORE} {collection.encumbrance}"
            return Call(step, "declarations", "RestoreEncumbrance", request, collection.bank)
    return None


def _confirm(payment: IncomingPayment) -> Call | None:
    """Tells the lender that its money has moved, and how much the register put back before.

    All that is to be put back has been by then: no payment is swept that still owes a restoration.
    """
    for collection in payment.collections:
        if collection.awaits_confirmation:
            restored = collection.restored or collection.settled.zero()
            request = loans_pb2.ConfirmRepaymentRequest(
                repayment_id=collection.repayment_id, restored=money.to_proto(restored)
            )
            step = f"{Step.CONFIRM} {collection.encumbrance}"
            return Call(step, "loans", "ConfirmRepayment", request, collection.bank)
    return None


def _release(payment: IncomingPayment) -> Call | None:
    for part in payment.parts:
        if part.amount and not part.is_released:
            request = credit_insurance_pb2.ReleaseExposureRequest(
                declaration=part.declaration, payment=payment.name, amount=money.to_proto(part.amount)
            )
            return Call(f"{Step.RELEASE} {part.declaration}", "credit_insurance", "ReleaseExposure", request, TENANT)
    return None


_COLLECTING = (_collect, _restore)
PLANS: Mapping[State, Sequence[Callable[[IncomingPayment], Call | None]]] = {
    State.RECEIVED: (_match,),
    State.MATCHED: (_apply,),
    State.APPLIED: _COLLECTING,
    State.COLLECTING: _COLLECTING,
    State.SWEPT: (_confirm,),
    State.CONFIRMED: (_release,),
}
