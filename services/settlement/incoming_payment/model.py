"""A buyer's payment on its way: matched, applied, its repayments fixed, swept, confirmed, completed.

    step                 refused by the other service
    RECEIVED   match     UNMATCHED with the reason: nothing has happened yet
    MATCHED    apply     UNMATCHED with the reason: nothing was applied
    APPLIED,   collect   nothing is owed (the loan is over or unknown): its part goes to the exporter;
    COLLECTING           otherwise (a drawdown is still under way) UNMATCHED with the reason: the lender's part
                         must neither go to the exporter nor be lost. The repayments fixed so far stand. A person
                         matches with the same declaration, and it goes on from there
    SWEPT      confirm   the point of no return is behind: noted with the collection, goes on
    CONFIRMED  release   noted with the payment, goes on

The money is in suspense from the first moment until it is swept, UNMATCHED included, and leaves it whole.
"""

import datetime
import enum
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aval.credit_insurance.v1 import credit_insurance_pb2
from aval.declarations.v1 import declarations_pb2
from aval.loans.v1 import loans_pb2

from chassis import ids, money
from chassis.errors import DomainError
from chassis.money import Money, total
from chassis.rpc import date
from chassis.tasks import Call
from ledger.model import Transfer
from services.settlement.account import model as account_model
from services.settlement.account.model import Kind

# Settlement itself asks: a payment isn't a wish of the bank or the exporter.
TENANT = "services/settlement"
DECLARATION_MISSING = "DECLARATION_MISSING"
DECLARATIONS_SEVERAL = "DECLARATIONS_SEVERAL"
DECLARATION_OF_ANOTHER = "DECLARATION_OF_ANOTHER"
CURRENCY_DIFFERS = "CURRENCY_DIFFERS"
# Where a loan's repayment is refused because nothing is owed: states of loans.Loan, and reasons.
OWES_NOTHING_STATES = {"REPAID", "CLOSED", "CANCELLED", "CANCELLING"}
OWES_NOTHING_REASONS = {"NOT_FOUND", "NOTHING_OWED"}

# Office (4), year (4), direction (0 or 1), sequence (9): the customs number among other digits.
_NUMBER = re.compile(r"(?<![0-9])[0-9]{4}(?:19|20)[0-9]{2}[01][0-9]{9}(?![0-9])")


class State(enum.StrEnum):
    """Where a payment stands; names of the proto's enum."""

    RECEIVED = "RECEIVED"
    MATCHED = "MATCHED"
    APPLIED = "APPLIED"
    COLLECTING = "COLLECTING"
    SWEPT = "SWEPT"
    CONFIRMED = "CONFIRMED"
    COMPLETED = "COMPLETED"
    UNMATCHED = "UNMATCHED"


class Verb(enum.StrEnum):
    """What happens to it."""

    MATCH = "match"
    PARK = "park"
    NAME = "name"
    APPLY = "apply"
    COLLECT = "collect"
    SWEEP = "sweep"
    CONFIRM = "confirm"
    COMPLETE = "complete"


TRANSITIONS: Mapping[tuple[State, Verb], State] = {
    (State.RECEIVED, Verb.MATCH): State.MATCHED,
    (State.RECEIVED, Verb.PARK): State.UNMATCHED,
    (State.UNMATCHED, Verb.NAME): State.RECEIVED,
    (State.MATCHED, Verb.APPLY): State.APPLIED,
    (State.MATCHED, Verb.PARK): State.UNMATCHED,
    (State.APPLIED, Verb.COLLECT): State.COLLECTING,
    (State.APPLIED, Verb.PARK): State.UNMATCHED,
    (State.APPLIED, Verb.SWEEP): State.SWEPT,
    (State.COLLECTING, Verb.COLLECT): State.COLLECTING,
    (State.COLLECTING, Verb.PARK): State.UNMATCHED,
    (State.COLLECTING, Verb.SWEEP): State.SWEPT,
    (State.SWEPT, Verb.CONFIRM): State.CONFIRMED,
    (State.CONFIRMED, Verb.COMPLETE): State.COMPLETED,
}
# The money has left suspense.
BEHIND_NO_RETURN = {State.SWEPT, State.CONFIRMED, State.COMPLETED}


class Step(enum.StrEnum):
    """The calls it owes; those about a loan are followed by its name."""

    MATCH = "match"
    APPLY = "apply"
    COLLECT = "collect"
    CONFIRM = "confirm"
    RELEASE = "release"


@dataclass(frozen=True, slots=True)
class Collection:
    """A loan that a payment repays: how much of its encumbrance was settled, and what the lender's book takes.

    `amount` (interest and principal) is None until the lender has fixed it; zero where it refused.
    """

    loan: str
    bank: str
    settled: Money
    repayment_id: str
    amount: Money | None = None
    interest: Money | None = None
    refusal: str = ""
    is_confirmed: bool = False

    @property
    def principal(self) -> Money:
        """The part that isn't interest."""
        assert self.amount is not None
        assert self.interest is not None
        return self.amount - self.interest

    @property
    def awaits_confirmation(self) -> bool:
        """Whether the lender has yet to book what it fixed."""
        return bool(self.amount) and not self.is_confirmed


@dataclass(frozen=True, slots=True)
class IncomingPayment:
    """A payment for an exporter's account. `declaration` is a resource name, empty while none is known.

    `remainder` is what goes to the exporter, known once it is swept; `reason` says why it is parked or what
    was refused behind the point of no return.
    """

    id: str
    bank: str
    uetr: str
    end_to_end_id: str
    amount: Money
    debtor_name: str
    creditor_account: str
    enterprise: str
    remittance_information: str
    remittance_documents: tuple[str, ...]
    declaration: str
    is_applied: bool
    state: State
    collections: tuple[Collection, ...]
    remainder: Money | None
    reason: str
    value_date: datetime.date
    create_us: int
    revision: int

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"incomingPayments/{self.id}"

    @property
    def collected(self) -> Money:
        """What the lenders have fixed so far."""
        return total([one.amount for one in self.collections if one.amount is not None], self.amount.currency)


def declaration_in(texts: Sequence[str]) -> tuple[str, str]:
    """(declaration, "") where the texts name exactly one; otherwise ("", why none)."""
    numbers = {number for text in texts for number in _NUMBER.findall(text)}
    if len(numbers) == 1:
        return f"declarations/{numbers.pop()}", ""
    return "", DECLARATIONS_SEVERAL if numbers else DECLARATION_MISSING


def plan(payment: IncomingPayment) -> Call | None:
    """The call a payment owes."""
    planned = _PLANS.get(payment.state)
    return planned(payment) if planned else None


def _plan_match(payment: IncomingPayment) -> Call:
    request = declarations_pb2.GetDeclarationRequest(name=payment.declaration)
    return Call(Step.MATCH, "declarations", "GetDeclaration", request, TENANT)


def _plan_apply(payment: IncomingPayment) -> Call:
    request = declarations_pb2.ApplyProceedsRequest(
        asset=payment.declaration, payment=payment.name, amount=money.to_proto(payment.amount)
    )
    return Call(Step.APPLY, "declarations", "ApplyProceeds", request, TENANT)


def _plan_collect(payment: IncomingPayment) -> Call | None:
    """The next lender fixes its repayment: one after another, since each takes from what the others left."""
    for one in payment.collections:
        if one.amount is None:
            request = loans_pb2.CreateRepaymentRequest(
                repayment_id=one.repayment_id,
                loan=one.loan,
                payment=payment.name,
                amount=money.to_proto(collectable(payment, one)),
                date=date(payment.value_date),
            )
            return Call(_about(Step.COLLECT, one), "loans", "CreateRepayment", request, one.bank)
    return None


def _plan_confirm(payment: IncomingPayment) -> Call | None:
    for one in payment.collections:
        if one.awaits_confirmation:
            request = loans_pb2.ConfirmRepaymentRequest(repayment_id=one.repayment_id)
            return Call(_about(Step.CONFIRM, one), "loans", "ConfirmRepayment", request, one.bank)
    return None


def _plan_release(payment: IncomingPayment) -> Call:
    request = credit_insurance_pb2.ReleaseExposureRequest(
        declaration=payment.declaration, payment=payment.name, amount=money.to_proto(payment.amount)
    )
    return Call(Step.RELEASE, "credit_insurance", "ReleaseExposure", request, TENANT)


_PLANS: Mapping[State, Any] = {
    State.RECEIVED: _plan_match,
    State.MATCHED: _plan_apply,
    State.APPLIED: _plan_collect,
    State.COLLECTING: _plan_collect,
    State.SWEPT: _plan_confirm,
    State.CONFIRMED: _plan_release,
}


def _about(step: Step, collection: Collection) -> str:
    return f"{step.value} {collection.loan}"


def collectable(payment: IncomingPayment, collection: Collection) -> Money:
    """The most a lender may take, interest on top of principal: what is left, less what was settled of the others
    that are still to come."""
    others = [one.settled for one in payment.collections if one.amount is None and one.loan != collection.loan]
    return payment.amount - payment.collected - total(others, payment.amount.currency)


def mismatch(payment: IncomingPayment, declaration: declarations_pb2.Declaration) -> str:
    """Why a declaration isn't the payment's; empty if it is."""
    if declaration.enterprise != payment.enterprise:
        return DECLARATION_OF_ANOTHER
    return "" if declaration.declared_value.currency_code == payment.amount.currency else CURRENCY_DIFFERS


def with_settled(
    payment: IncomingPayment, settled: Sequence[declarations_pb2.SettledEncumbrance]
) -> tuple[Collection, ...]:
    """The loans to collect for: those fixed before, and those whose encumbrance the payment settled."""
    known = {one.loan for one in payment.collections}
    amounts: dict[tuple[str, str], Money] = {}
    for one in settled:
        key = (one.reference, one.holder)
        if one.reference.startswith("loans/") and one.reference not in known:
            amounts[key] = amounts.get(key, payment.amount.zero()) + money.from_proto(one.amount)
    fresh = [
        Collection(loan, bank, amount, ids.derived(payment.name, loan, "repayment"))
        for (loan, bank), amount in amounts.items()
    ]
    return (*payment.collections, *fresh)


def with_collection(payment: IncomingPayment, loan: str, **changes: Any) -> IncomingPayment:
    """The payment with one of its collections changed."""
    collections = tuple(replace(one, **changes) if one.loan == loan else one for one in payment.collections)
    return replace(payment, collections=collections)


def owes_nothing(refusal: DomainError) -> bool:
    """Whether a lender refused because the loan has nothing to repay."""
    return refusal.reason in OWES_NOTHING_REASONS or refusal.metadata.get("state") in OWES_NOTHING_STATES


def receive_transfer(payment: IncomingPayment) -> Transfer:
    """The money comes in."""
    nostro, suspense = (
        account_model.own(payment.bank, payment.amount.currency, kind) for kind in (Kind.NOSTRO, Kind.SUSPENSE)
    )
    return _transfer(payment, "receive", nostro, suspense, payment.amount)


def _transfer(payment: IncomingPayment, code: str, debit: str, credit: str, amount: Money, loan: str = "") -> Transfer:
    identifier = ids.derived(payment.name, code, loan)
    return Transfer(identifier, debit, credit, amount.minor_units, code=code, reference=payment.name)


def sweep_transfers(payment: IncomingPayment) -> list[Transfer]:
    """The point of no return: lenders and exporter get theirs, all or nothing."""
    parts = [transfer for one in payment.collections if one.amount for transfer in _repayment(payment, one)]
    rest = payment.amount - payment.collected
    suspense = account_model.own(payment.bank, rest.currency, Kind.SUSPENSE)
    if rest:
        parts.append(_transfer(payment, "remainder", suspense, payment.creditor_account, rest))
    return [replace(part, linked=True) for part in parts[:-1]] + parts[-1:]


def _repayment(payment: IncomingPayment, one: Collection) -> list[Transfer]:
    """To the lender's own accounts; to another bank's account here, mirrored in that bank's own books."""
    assert one.amount is not None
    assert one.interest is not None
    currency = one.amount.currency
    source = account_model.own(payment.bank, currency, Kind.SUSPENSE)
    abroad = []
    if one.bank != payment.bank:
        held = lender_account(payment, one)
        abroad = [_transfer(payment, "repayment", source, held, one.amount, one.loan)]
        source = account_model.own(one.bank, currency, Kind.NOSTRO)
    shares = (("principal", Kind.LENDING, one.principal), ("interest", Kind.INCOME, one.interest))
    return abroad + [
        _transfer(payment, code, source, account_model.own(one.bank, currency, kind), amount, one.loan)
        for code, kind, amount in shares
        if amount
    ]


def lender_account(payment: IncomingPayment, one: Collection) -> str:
    """The current account of another lender at the receiving bank."""
    return account_model.identifier(payment.bank, one.bank, payment.amount.currency, Kind.CURRENT)
