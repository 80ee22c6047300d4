"""A payment of a bill: claimed at the register, posted here, confirmed there.

    step                 refused by the register
    CLAIMING   claim     REFUSED with the reason: another payment has the bill, or it is paid or taken back
    RELEASING  release   REFUSED all the same: nothing was paid
    POSTED     confirm   the point of no return is behind: noted with the payment, PAID here

The money moves in the transaction that takes the register's answer to the claim, and only then. A claimed bill that
can't be paid, for want of money or since no ledger could move it, is given up: RELEASING, and the bill is open again.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from chassis import ids
from chassis.money import LARGEST, Money
from chassis.participants import Participant
from ledger import model as ledger_model
from ledger.model import Transfer
from services.settlement.account import model as account_model
from services.settlement.account.model import OWNERS, Kind
from trade.roles import Role

INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
PAYEE_IS_PAYER = "PAYEE_IS_PAYER"
PAYEE_UNKNOWN = "PAYEE_UNKNOWN"
CURRENCY_DIFFERS = "CURRENCY_DIFFERS"
AMOUNT_UNPAYABLE = "AMOUNT_UNPAYABLE"
LEDGER_REFUSED = "LEDGER_REFUSED"


class State(enum.StrEnum):
    """Where it stands; names of the proto's enum."""

    CLAIMING = "CLAIMING"
    POSTED = "POSTED"
    PAID = "PAID"
    RELEASING = "RELEASING"
    REFUSED = "REFUSED"


class Verb(enum.StrEnum):
    """A step of its way."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class BillPayment:
    """`amount`, the part of it that is a late fee, and `payee` are known once the bill is claimed; `bill` is a record's
    resource name."""

    id: str
    bill: str
    bank: str
    enterprise: str
    debit_account: str
    currency: str
    payee: str = ""
    amount: Money | None = None
    late_fee: Money | None = None
    state: State = State.CLAIMING
    reason: str = ""
    create_us: int
    revision: int = 1

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"billPayments/{self.id}"

    @property
    def participants(self) -> tuple[Participant, ...]:
        """The tenants that take part, and as what."""
        return Participant(self.enterprise, Role.ENTERPRISE), Participant(self.bank, Role.BANK)

    @property
    def transfer_id(self) -> str:
        """The ledger transfer that moves the money: a single one, whatever happens."""
        return ids.derived(self.name, "pay")

    @property
    def transfer_name(self) -> str:
        """That transfer's resource name."""
        return f"transfers/{self.transfer_id}"


def unpayable(payment: BillPayment, payee: str, amounts: Sequence[Money]) -> str:
    """Returns why no ledger could move what a claimed bill asks for; empty if it can.

    A bill of 0.00, or of an enterprise to itself, comes to nothing: AMOUNT_UNPAYABLE, PAYEE_IS_PAYER.
    """
    checks = (
        (payee == payment.enterprise, PAYEE_IS_PAYER),
        (not payee.startswith(OWNERS[Kind.CURRENT]), PAYEE_UNKNOWN),
        (any(amount.currency != payment.currency for amount in amounts), CURRENCY_DIFFERS),
        (not 0 < sum(amount.minor_units for amount in amounts) <= LARGEST, AMOUNT_UNPAYABLE),
    )
    return next((reason for is_wrong, reason in checks if is_wrong), "")


def payee_account(payment: BillPayment, payee: str) -> str:
    """Returns the account at the payer's bank that a payee is paid on, opened or not."""
    return account_model.identifier(payment.bank, payee, payment.currency, Kind.CURRENT)


def pay_transfer(payment: BillPayment) -> Transfer:
    """Returns the transfer of a claimed bill's money to the payee."""
    assert payment.amount is not None, f"{payment.name} isn't claimed"
    return Transfer(
        payment.transfer_id,
        payment.debit_account,
        payee_account(payment, payment.payee),
        payment.amount.minor_units,
        code="bill",
        reference=payment.name,
    )


def unmovable(payment: BillPayment, accounts: Mapping[str, ledger_model.Account]) -> str:
    """Returns why the ledger doesn't move what a claimed bill asks for, by its accounts as they are; empty if it does.

    A payee without an account gets one with nothing on it. 200.01 from an account with 200.00: INSUFFICIENT_FUNDS.
    """
    transfer, payer = pay_transfer(payment), accounts[payment.debit_account]
    if payer.available_to_debit < transfer.amount:
        return INSUFFICIENT_FUNDS
    fresh = ledger_model.Account(transfer.credit_account, account_model.BOOK, payment.currency)
    payee = accounts.get(transfer.credit_account, fresh)
    state = ledger_model.State({account.id: replace(account) for account in (payer, payee)})
    (result,) = ledger_model.apply(state, [transfer], now_us=0).results
    return "" if result.stands else LEDGER_REFUSED
