"""A payment of a bill: claimed at the register, posted here, confirmed there.

    step                 refused by the register
    CLAIMING   claim     REFUSED with the reason: another payment has the bill, or it is paid or taken back
    RELEASING  release   REFUSED all the same: nothing was paid
    POSTED     confirm   the point of no return is behind: noted with the payment, PAID here

The money moves in the transaction that takes the register's answer to the claim, and only then. A claimed bill that
can't be paid, for want of money or since no ledger could move it, is given up: RELEASING, and the bill is open again.
"""

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from aval.declarations.v1 import records_pb2

from chassis import ids
from chassis.money import LARGEST, Money
from chassis.tasks import Call
from ledger.model import Transfer
from services.settlement.account.model import OWNERS, Kind

# Settlement itself asks: the register's calls on bills are the services' own.
TENANT = "services/settlement"
INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
PAYEE_IS_PAYER = "PAYEE_IS_PAYER"
PAYEE_UNKNOWN = "PAYEE_UNKNOWN"
CURRENCY_DIFFERS = "CURRENCY_DIFFERS"
AMOUNT_UNPAYABLE = "AMOUNT_UNPAYABLE"


class State(enum.StrEnum):
    """Where it stands; names of the proto's enum."""

    CLAIMING = "CLAIMING"
    POSTED = "POSTED"
    PAID = "PAID"
    RELEASING = "RELEASING"
    REFUSED = "REFUSED"


class Verb(enum.StrEnum):
    """What happens to it."""

    POST = "post"
    GIVE_UP = "give up"
    REFUSE = "refuse"
    CONFIRM = "confirm"


TRANSITIONS: Mapping[tuple[State, Verb], State] = {
    (State.CLAIMING, Verb.POST): State.POSTED,
    (State.CLAIMING, Verb.GIVE_UP): State.RELEASING,
    (State.CLAIMING, Verb.REFUSE): State.REFUSED,
    (State.RELEASING, Verb.REFUSE): State.REFUSED,
    (State.POSTED, Verb.CONFIRM): State.PAID,
}
FINISHED = (State.PAID, State.REFUSED)
MOVED = (State.POSTED, State.PAID)


class Step(enum.StrEnum):
    """The calls it owes."""

    CLAIM = "claim"
    RELEASE = "release"
    CONFIRM = "confirm"


@dataclass(frozen=True, slots=True)
class BillPayment:
    """`amount`, the part of it that is a late fee, and `payee` are known once the bill is claimed; `bill` is a record's
    resource name."""

    id: str
    bill: str
    bank: str
    enterprise: str
    debit_account: str
    currency: str
    payee: str
    amount: Money | None
    late_fee: Money | None
    state: State
    reason: str
    create_us: int
    revision: int

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"billPayments/{self.id}"

    @property
    def transfer_id(self) -> str:
        """The ledger transfer that moves the money: one a payment, whatever happens."""
        return ids.derived(self.name, "pay")

    @property
    def transfer_name(self) -> str:
        """That transfer's resource name."""
        return f"transfers/{self.transfer_id}"


def plan(payment: BillPayment) -> Call | None:
    """The call that a payment owes."""
    planned = PLANS.get(payment.state)
    return planned(payment) if planned else None


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


def unpayable(payment: BillPayment, payee: str, amounts: Sequence[Money]) -> str:
    """Why no ledger could move what a claimed bill asks for; empty if one can.

    A bill of 0.00, or of an enterprise to itself, comes to nothing: AMOUNT_UNPAYABLE, PAYEE_IS_PAYER.
    """
    checks = (
        (payee == payment.enterprise, PAYEE_IS_PAYER),
        (not payee.startswith(OWNERS[Kind.CURRENT]), PAYEE_UNKNOWN),
        (any(amount.currency != payment.currency for amount in amounts), CURRENCY_DIFFERS),
        (not 0 < sum(amount.minor_units for amount in amounts) <= LARGEST, AMOUNT_UNPAYABLE),
    )
    return next((reason for is_wrong, reason in checks if is_wrong), "")


def pay_transfer(payment: BillPayment, payee_account: str) -> Transfer:
    """The money goes to the payee."""
    assert payment.amount is not None
    return Transfer(
        payment.transfer_id,
        payment.debit_account,
        payee_account,
        payment.amount.minor_units,
        code="bill",
        reference=payment.name,
    )
