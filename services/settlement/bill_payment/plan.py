"""The call that the payment of a bill owes the register next, by its state. Pure."""

import enum
from collections.abc import Callable, Mapping

from aval.declarations.v1 import records_pb2

from chassis.tasks import Call
from services.settlement.bill_payment.model import BillPayment, State

# Settlement itself asks: the register's calls on bills are the services' own.
TENANT = "services/settlement"


class Step(enum.StrEnum):
    """The calls it owes."""

    CLAIM = "claim"
    RELEASE = "release"
    CONFIRM = "confirm"


def owed(payment: BillPayment) -> Call | None:
    """Returns the call that a payment owes now; None where it is at an end."""
    plan = PLANS.get(payment.state)
    return plan(payment) if plan else None


def _claim(payment: BillPayment) -> Call:
    request = records_pb2.ClaimBillRequest(
        name=payment.bill,
        payment=payment.name,
        enterprise=payment.enterprise,
        currency_code=payment.currency,
    )
    return Call(Step.CLAIM, "declarations", "ClaimBill", request, TENANT)


def _release(payment: BillPayment) -> Call:
    request = records_pb2.ReleaseBillRequest(name=payment.bill, payment=payment.name)
    return Call(Step.RELEASE, "declarations", "ReleaseBill", request, TENANT)


def _confirm(payment: BillPayment) -> Call:
    request = records_pb2.ConfirmBillPaidRequest(
        name=payment.bill, payment=payment.name, transfer=payment.transfer_name
    )
    return Call(Step.CONFIRM, "declarations", "ConfirmBillPaid", request, TENANT)


PLANS: Mapping[State, Callable[[BillPayment], Call]] = {
    State.CLAIMING: _claim,
    State.RELEASING: _release,
    State.POSTED: _confirm,
}
