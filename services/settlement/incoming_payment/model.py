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
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aval.declarations.v1 import declarations_pb2

from chassis import ids, money
from chassis.errors import DomainError
from chassis.money import Money, total
from chassis.participants import Participant
from ledger.model import Transfer, chained
from services.settlement.account import model as account_model
from services.settlement.account.model import Kind
from services.settlement.incoming_payment import division
from services.settlement.incoming_payment.division import Collection, Part, SettledAsset
from trade.roles import Role

# The type of message that brings a payment. A UETR is unique to its bank and type: a cover's pacs.009 bears it too.
PACS_008 = "pacs.008"

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
    """A step of its way."""

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


class Outlet(enum.StrEnum):
    """The ways out for money that is for no declaration; names of the proto's enum."""

    CREDIT = "CREDIT"
    RETURN = "RETURN"


OUTLETS: Mapping[Outlet, Verb] = {Outlet.CREDIT: Verb.CREDIT, Outlet.RETURN: Verb.RETURN}


@dataclass(frozen=True, slots=True)
class Resolution:
    """The way out that a maker prepared for money that is for no declaration, why, and the checker who approved it."""

    kind: Outlet
    reason: str
    maker: str
    checker: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
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
    state: State = State.RECEIVED
    collections: tuple[Collection, ...] = ()
    remainder: Money | None = None
    reason: str = ""
    value_date: datetime.date
    create_us: int
    revision: int = 1
    resolution: Resolution | None = None
    message_type: str = PACS_008

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"incomingPayments/{self.id}"

    @property
    def participants(self) -> tuple[Participant, ...]:
        """The tenants that take part, and as what."""
        return Participant(self.bank, Role.BANK), Participant(self.enterprise, Role.ENTERPRISE)

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
        """The sum that the lenders have fixed so far."""
        fixed = [collection.amount for collection in self.collections if collection.amount is not None]
        return total(fixed, self.amount.currency)


def named(payment: IncomingPayment, declarations: Iterable[str]) -> tuple[Part, ...]:
    """Returns the parts of a payment for these declarations; what was applied keeps its amount."""
    applied = {part.declaration: part for part in payment.parts if payment.is_applied}
    return tuple(applied.get(declaration, Part(declaration)) for declaration in declarations)


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
    collections = {collection.encumbrance: collection for collection in payment.collections}
    for line in settled:
        if line.reference.startswith(LOANS):
            collection = collections.get(line.encumbrance) or _collection(payment, line)
            collections[line.encumbrance] = _with_asset(collection, declaration, line)
    return replace(payment, collections=tuple(collections.values()))


def _with_asset(collection: Collection, declaration: str, settled: declarations_pb2.SettledEncumbrance) -> Collection:
    asset = SettledAsset(declaration, settled.asset, money.from_proto(settled.amount))
    settled_total = max(money.from_proto(settled.settled_total), collection.settled_total)
    return replace(collection, assets=(*collection.assets, asset), settled_total=settled_total)


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
        replace(collection, **changes) if collection.encumbrance == encumbrance else collection
        for collection in payment.collections
    )
    return replace(payment, collections=collections)


def collection_of(payment: IncomingPayment, encumbrance: str) -> Collection:
    """Returns the collection of an encumbrance. Raises StopIteration where the payment has none."""
    return next(collection for collection in payment.collections if collection.encumbrance == encumbrance)


def may_see_lender(payment: IncomingPayment, collection: Collection, tenant: str) -> bool:
    """Whether a tenant may see to whom a collection goes and for which loan: the exporter and the lender do."""
    return tenant in (payment.enterprise, collection.bank)


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
    collected = [collection for collection in payment.collections if collection.amount]
    parts = [transfer for collection in collected for transfer in _repayment(payment, collection)]
    rest = payment.amount - payment.collected
    if rest:
        parts.append(_transfer(payment, "remainder", _suspense(payment), payment.creditor_account, rest))
    return chained(parts)


def _repayment(payment: IncomingPayment, collection: Collection) -> list[Transfer]:
    """Pays the lender's own accounts, or another bank's account here, mirrored in that bank's own books."""
    assert collection.amount is not None
    assert collection.interest is not None
    currency, source, abroad = collection.amount.currency, _suspense(payment), []
    if collection.bank != payment.bank:
        held = lender_account(payment, collection)
        abroad = [_transfer(payment, "repayment", source, held, collection.amount, collection.encumbrance)]
        source = account_model.own(collection.bank, currency, Kind.NOSTRO)
    shares = (("principal", Kind.LENDING, collection.principal), ("interest", Kind.INCOME, collection.interest))
    own = {kind: account_model.own(collection.bank, currency, kind) for _, kind, _ in shares}
    return abroad + [
        _transfer(payment, code, source, own[kind], amount, collection.encumbrance)
        for code, kind, amount in shares
        if amount
    ]


def lender_account(payment: IncomingPayment, collection: Collection) -> str:
    """Returns the current account of another lender at the receiving bank."""
    return account_model.identifier(payment.bank, collection.bank, payment.amount.currency, Kind.CURRENT)


def credit_transfer(payment: IncomingPayment) -> Transfer:
    """Money that is for no declaration goes to the account it is for."""
    return _transfer(payment, "credit", _suspense(payment), payment.creditor_account, payment.amount)


def return_transfer(payment: IncomingPayment) -> Transfer:
    """Sends money that is for no declaration back out of the nostro it came into; it counts from today."""
    returned = _transfer(payment, "return", _suspense(payment), _nostro(payment), payment.amount)
    return replace(returned, value_date=None)
