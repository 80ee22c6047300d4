"""A buyer's payment on its way: matched, applied, its repayments fixed, swept, confirmed, completed.

    step                 refused by the other service
    RECEIVED   match     UNMATCHED with the reason: nothing has happened yet
    MATCHED    apply     UNMATCHED with the reason: nothing more was applied
    APPLIED,   collect   nothing is owed to this holder (the loan is over, or isn't the one that its encumbrance
    COLLECTING           secures): its part goes to the exporter; otherwise (a drawdown is still under way) UNMATCHED
                         with the reason: the lender's part must neither go to the exporter nor be lost. The
                         repayments fixed so far stand. A person matches with the same declarations, and it goes on
               restore   noted with the collection: the encumbrance isn't there any more
    SWEPT      confirm   the point of no return is behind: noted with the collection, goes on
    CONFIRMED  release   asked again until the insurer has counted it

The money is in suspense from the first moment until it is swept, UNMATCHED included, and leaves it whole. Two persons
may credit or return what is UNMATCHED and applied to nothing.
"""

import datetime
import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
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
from ledger.model import Transfer, chained
from services.settlement.account import model as account_model
from services.settlement.account.model import Kind
from services.settlement.incoming_payment import division
from services.settlement.incoming_payment.division import Collection, Part, SettledAsset

# The type of message that brings a payment. A UETR is unique to its bank and type: a cover's pacs.009 bears it too.
PACS_008 = "pacs.008"

# Settlement itself asks: a payment isn't a wish of the bank or the exporter.
TENANT = "services/settlement"
DECLARATION_MISSING = "DECLARATION_MISSING"
# One reason for what doesn't exist, belongs to another, or wasn't consented to: a bank learns nothing by paying a cent.
DECLARATION_NOT_FOUND = "DECLARATION_NOT_FOUND"
CURRENCY_DIFFERS = "CURRENCY_DIFFERS"
# Where a loan's repayment is refused because nothing is owed: states of loans.Loan, and reasons.
OWES_NOTHING_STATES = {"REPAID", "CLOSED", "CANCELLED", "CANCELLING"}
OWES_NOTHING_REASONS = {"NOT_FOUND", "NOTHING_OWED"}
# A reference of the register that may be a loan of its holder: the lenders' book says whether it is.
LOANS = "loans/"


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
    CREDITED = "CREDITED"
    RETURNED = "RETURNED"


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
    PREPARE = "prepare"
    REJECT = "reject"
    CREDIT = "credit"
    RETURN = "return"


TRANSITIONS: Mapping[tuple[State, Verb], State] = {
    (State.RECEIVED, Verb.MATCH): State.MATCHED,
    (State.RECEIVED, Verb.PARK): State.UNMATCHED,
    (State.UNMATCHED, Verb.NAME): State.RECEIVED,
    (State.UNMATCHED, Verb.PREPARE): State.UNMATCHED,
    (State.UNMATCHED, Verb.REJECT): State.UNMATCHED,
    (State.UNMATCHED, Verb.CREDIT): State.CREDITED,
    (State.UNMATCHED, Verb.RETURN): State.RETURNED,
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
# States in which it owes a call.
OWING = {State.RECEIVED, State.MATCHED, State.APPLIED, State.COLLECTING, State.SWEPT, State.CONFIRMED}
# The money has left suspense.
BEHIND_NO_RETURN = {State.SWEPT, State.CONFIRMED, State.COMPLETED, State.CREDITED, State.RETURNED}


class Step(enum.StrEnum):
    """The calls it owes; each is followed by the declaration or the encumbrance that it is about."""

    MATCH = "match"
    APPLY = "apply"
    COLLECT = "collect"
    RESTORE = "restore"
    CONFIRM = "confirm"
    RELEASE = "release"


class Outlet(enum.StrEnum):
    """What becomes of money that is for no declaration; names of the proto's enum."""

    CREDIT = "CREDIT"
    RETURN = "RETURN"


OUTLETS: Mapping[Outlet, Verb] = {Outlet.CREDIT: Verb.CREDIT, Outlet.RETURN: Verb.RETURN}


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a maker prepared for money that is for no declaration, why, and the checker who approved it."""

    kind: Outlet
    reason: str
    maker: str
    checker: str = ""


@dataclass(frozen=True, slots=True)
class IncomingPayment:
    """A payment for an exporter's account. `parts` are the declarations it pays, empty while none is known.

    `remainder` is what goes to the exporter, known once it is swept; `reason` says why it is parked.
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
    parts: tuple[Part, ...]
    state: State
    collections: tuple[Collection, ...]
    remainder: Money | None
    reason: str
    value_date: datetime.date
    create_us: int
    revision: int
    resolution: Resolution | None = None
    message_type: str = PACS_008

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"incomingPayments/{self.id}"

    @property
    def declarations(self) -> tuple[str, ...]:
        """The declarations it pays."""
        return tuple(part.declaration for part in self.parts)

    @property
    def is_applied(self) -> bool:
        """Whether it counts for a declaration already: then it stays with its declarations."""
        return any(part.is_applied for part in self.parts)

    @property
    def collected(self) -> Money:
        """What the lenders have fixed so far."""
        return total([one.amount for one in self.collections if one.amount is not None], self.amount.currency)


def named(payment: IncomingPayment, declarations: Iterable[str]) -> tuple[Part, ...]:
    """Returns the parts of a payment for these declarations; what was applied keeps its amount."""
    applied = {part.declaration: part for part in payment.parts if payment.is_applied}
    return tuple(applied.get(declaration, Part(declaration)) for declaration in declarations)


def plan(payment: IncomingPayment) -> Call | None:
    """Returns the call a payment owes; None where it waits for a person or is at an end."""
    calls = (call for planned in _PLANS.get(payment.state, ()) if (call := planned(payment)))
    return next(calls, None)


def _plan_match(payment: IncomingPayment) -> Call | None:
    """Asks in the name of the bank that received it: who may not know of a declaration learns nothing of it."""
    for part in payment.parts:
        if part.owed is None:
            request = declarations_pb2.GetReceivableRequest(name=part.declaration)
            step = f"{Step.MATCH} {part.declaration}"
            return Call(step, "declarations", "GetReceivable", request, payment.bank)
    return None


def _plan_apply(payment: IncomingPayment) -> Call | None:
    for part in payment.parts:
        if part.amount and not part.is_applied:
            request = declarations_pb2.ApplyProceedsRequest(
                asset=part.declaration, payment=payment.name, amount=money.to_proto(part.amount)
            )
            return Call(f"{Step.APPLY} {part.declaration}", "declarations", "ApplyProceeds", request, TENANT)
    return None


def _plan_collect(payment: IncomingPayment) -> Call | None:
    """The next lender fixes its repayment: one after another, since each takes from what the others left.

    A lender for whom they leave nothing isn't asked.
    """
    for one in payment.collections:
        if one.amount is None and (most := collectable(payment, one)):
            request = loans_pb2.CreateRepaymentRequest(
                repayment_id=one.repayment_id,
                loan=one.loan,
                payment=payment.name,
                amount=money.to_proto(most),
                date=date(payment.value_date),
                encumbrance=one.encumbrance,
                settled=money.to_proto(one.settled_total),
                settled_by_payment=money.to_proto(one.settled),
            )
            return Call(f"{Step.COLLECT} {one.encumbrance}", "loans", "CreateRepayment", request, one.bank)
    return None


def _plan_restore(payment: IncomingPayment) -> Call | None:
    for one in payment.collections:
        if one.awaits_restoration:
            request = declarations_pb2.RestoreEncumbranceRequest(
                name=one.encumbrance,
                payment=payment.name,
                amount=money.to_proto(one.to_restore),
                assets=[asset.asset for asset in one.assets],
            )
            return Call(f"{Step.RESTORE} {one.encumbrance}", "declarations", "RestoreEncumbrance", request, one.bank)
    return None


def _plan_confirm(payment: IncomingPayment) -> Call | None:
    for one in payment.collections:
        if one.awaits_confirmation:
            request = loans_pb2.ConfirmRepaymentRequest(repayment_id=one.repayment_id)
            return Call(f"{Step.CONFIRM} {one.encumbrance}", "loans", "ConfirmRepayment", request, one.bank)
    return None


def _plan_release(payment: IncomingPayment) -> Call | None:
    for part in payment.parts:
        if part.amount and not part.is_released:
            request = credit_insurance_pb2.ReleaseExposureRequest(
                declaration=part.declaration, payment=payment.name, amount=money.to_proto(part.amount)
            )
            return Call(f"{Step.RELEASE} {part.declaration}", "credit_insurance", "ReleaseExposure", request, TENANT)
    return None


_COLLECTING = (_plan_collect, _plan_restore)
_PLANS: Mapping[State, Sequence[Callable[[IncomingPayment], Call | None]]] = {
    State.RECEIVED: (_plan_match,),
    State.MATCHED: (_plan_apply,),
    State.APPLIED: _COLLECTING,
    State.COLLECTING: _COLLECTING,
    State.SWEPT: (_plan_confirm,),
    State.CONFIRMED: (_plan_release,),
}


def collectable(payment: IncomingPayment, collection: Collection) -> Money:
    """Returns the most that the lender of a collection may take of the payment."""
    return division.collectable(payment.amount, payment.parts, payment.collections, collection)


def mismatch(payment: IncomingPayment, receivable: declarations_pb2.Receivable) -> str:
    """Returns why a declaration isn't the payment's; empty if it is."""
    if receivable.enterprise != payment.enterprise:
        return DECLARATION_NOT_FOUND
    return "" if receivable.unpaid.currency_code == payment.amount.currency else CURRENCY_DIFFERS


def with_part(payment: IncomingPayment, declaration: str, **changes: Any) -> IncomingPayment:
    """Returns the payment with the part of one declaration changed."""
    parts = tuple(replace(part, **changes) if part.declaration == declaration else part for part in payment.parts)
    return replace(payment, parts=parts)


def with_amounts(payment: IncomingPayment) -> IncomingPayment:
    """Returns the payment divided over its declarations by what each owes; a division that stands is kept."""
    if any(part.amount is not None for part in payment.parts):
        return payment
    owed = [part.owed or payment.amount.zero() for part in payment.parts]
    amounts = division.divided(payment.amount, owed)
    parts = tuple(replace(part, amount=amount) for part, amount in zip(payment.parts, amounts, strict=True))
    return replace(payment, parts=parts)


def with_settled(
    payment: IncomingPayment, declaration: str, settled: Sequence[declarations_pb2.SettledEncumbrance]
) -> IncomingPayment:
    """Returns the payment with what one of its parts settled added to its collections, encumbrance by encumbrance.

    Only a loan of the platform, which its borrower has accepted, gives its bank a part of the money.
    """
    collections = {one.encumbrance: one for one in payment.collections}
    for one in settled:
        if one.reference.startswith(LOANS):
            known = collections.get(one.encumbrance) or _collection(payment, one)
            asset = SettledAsset(declaration, one.asset, money.from_proto(one.amount))
            settled_total = max(money.from_proto(one.settled_total), known.settled_total)
            collections[one.encumbrance] = replace(known, assets=(*known.assets, asset), settled_total=settled_total)
    return replace(payment, collections=tuple(collections.values()))


def _collection(payment: IncomingPayment, settled: declarations_pb2.SettledEncumbrance) -> Collection:
    return Collection(
        encumbrance=settled.encumbrance,
        loan=settled.reference,
        bank=settled.holder,
        reference=ids.derived(payment.name, settled.encumbrance, "reference"),
        repayment_id=ids.derived(payment.name, settled.encumbrance, "repayment"),
        assets=(),
        settled_total=payment.amount.zero(),
    )


def with_collection(payment: IncomingPayment, encumbrance: str, **changes: Any) -> IncomingPayment:
    """Returns the payment with the collection of one encumbrance changed."""
    collections = tuple(
        replace(one, **changes) if one.encumbrance == encumbrance else one for one in payment.collections
    )
    return replace(payment, collections=collections)


def collection_of(payment: IncomingPayment, encumbrance: str) -> Collection:
    """Returns the collection of an encumbrance. Raises StopIteration where the payment has none."""
    return next(one for one in payment.collections if one.encumbrance == encumbrance)


def owes_nothing(refusal: DomainError) -> bool:
    """Whether a lender refused because the loan has nothing to repay."""
    return refusal.reason in OWES_NOTHING_REASONS or refusal.metadata.get("state") in OWES_NOTHING_STATES


def receive_transfer(payment: IncomingPayment) -> Transfer:
    """The money comes in."""
    nostro, suspense = _nostro(payment), _suspense(payment)
    return _transfer(payment, "receive", nostro, suspense, payment.amount)


def _nostro(payment: IncomingPayment) -> str:
    return account_model.own(payment.bank, payment.amount.currency, Kind.NOSTRO)


def _suspense(payment: IncomingPayment) -> str:
    return account_model.own(payment.bank, payment.amount.currency, Kind.SUSPENSE)


def _transfer(payment: IncomingPayment, code: str, debit: str, credit: str, amount: Money, about: str = "") -> Transfer:
    """Returns a transfer of the payment, which counts from the payment's own value date."""
    return Transfer(
        ids.derived(payment.name, code, about),
        debit,
        credit,
        amount.minor_units,
        code=code,
        reference=payment.name,
        value_date=payment.value_date,
    )


def sweep_transfers(payment: IncomingPayment) -> list[Transfer]:
    """The point of no return: lenders and exporter get theirs, all or nothing."""
    parts = [transfer for one in payment.collections if one.amount for transfer in _repayment(payment, one)]
    rest = payment.amount - payment.collected
    if rest:
        parts.append(_transfer(payment, "remainder", _suspense(payment), payment.creditor_account, rest))
    return chained(parts)


def _repayment(payment: IncomingPayment, one: Collection) -> list[Transfer]:
    """To the lender's own accounts; to another bank's account here, mirrored in that bank's own books."""
    assert one.amount is not None
    assert one.interest is not None
    currency, source, abroad = one.amount.currency, _suspense(payment), []
    if one.bank != payment.bank:
        held = lender_account(payment, one)
        abroad = [_transfer(payment, "repayment", source, held, one.amount, one.encumbrance)]
        source = account_model.own(one.bank, currency, Kind.NOSTRO)
    shares = (("principal", Kind.LENDING, one.principal), ("interest", Kind.INCOME, one.interest))
    return abroad + [
        _transfer(payment, code, source, account_model.own(one.bank, currency, kind), amount, one.encumbrance)
        for code, kind, amount in shares
        if amount
    ]


def lender_account(payment: IncomingPayment, one: Collection) -> str:
    """The current account of another lender at the receiving bank."""
    return account_model.identifier(payment.bank, one.bank, payment.amount.currency, Kind.CURRENT)


def credit_transfer(payment: IncomingPayment) -> Transfer:
    """Money that is for no declaration goes to the account it is for."""
    return _transfer(payment, "credit", _suspense(payment), payment.creditor_account, payment.amount)


def return_transfer(payment: IncomingPayment) -> Transfer:
    """Sends money that is for no declaration back out of the nostro it came into; it counts from today."""
    returned = _transfer(payment, "return", _suspense(payment), _nostro(payment), payment.amount)
    return replace(returned, value_date=None)
