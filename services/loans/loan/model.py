"""A loan: from the exporter's acceptance through the drawdown to the last repayment. Pure rules."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from chassis import ids
from chassis.money import Money, allocate, total
from chassis.participants import Participant
from chassis.states import moved
from services.loans import products
from trade import breach, day_count_bases
from trade.breach import Breach, StandingBreach
from trade.roles import Role

BOOK = "loans"


class State(enum.StrEnum):
    """Where a loan stands; names of the proto's enum."""

    AGREED = "AGREED"
    RESERVING = "RESERVING"
    HOLDING_COVER = "HOLDING_COVER"
    CONFIRMING = "CONFIRMING"
    DISBURSING = "DISBURSING"
    ACTIVE = "ACTIVE"
    REPAID = "REPAID"
    CLOSED = "CLOSED"
    CANCELLING = "CANCELLING"
    CANCELLED = "CANCELLED"


class Verb(enum.StrEnum):
    """A step of its life."""

    SIGN = "sign"
    RESERVE = "reserve"
    COVER = "cover"
    CONFIRM = "confirm"
    DISBURSE = "disburse"
    REFUSE = "refuse"
    REPAY = "repay"
    FINISH = "finish"


# Disbursement is the point of no return: a refused one has moved no money, a done one is never taken back.
TRANSITIONS: Mapping[tuple[State, Verb], State] = {
    (State.AGREED, Verb.SIGN): State.RESERVING,
    (State.RESERVING, Verb.RESERVE): State.HOLDING_COVER,
    (State.HOLDING_COVER, Verb.COVER): State.CONFIRMING,
    (State.CONFIRMING, Verb.CONFIRM): State.DISBURSING,
    (State.DISBURSING, Verb.DISBURSE): State.ACTIVE,
    (State.RESERVING, Verb.REFUSE): State.CANCELLING,
    (State.HOLDING_COVER, Verb.REFUSE): State.CANCELLING,
    (State.CONFIRMING, Verb.REFUSE): State.CANCELLING,
    (State.DISBURSING, Verb.REFUSE): State.CANCELLING,
    (State.CANCELLING, Verb.FINISH): State.CANCELLED,
    (State.ACTIVE, Verb.REPAY): State.REPAID,
    (State.REPAID, Verb.FINISH): State.CLOSED,
}
# The drawdown may be given up: no money has been ordered yet.
STOPPABLE = (State.RESERVING, State.HOLDING_COVER, State.CONFIRMING)
# A breach is shown: money has been ordered, which it stops no more, or it is older than the loan and stops nothing.
SHOWING = (*STOPPABLE, State.DISBURSING, State.ACTIVE)
# Why a drawdown was given up on whose declaration a breach came to stand; the reason with which others are refused.
BREACHED = "DECLARATION_BREACHED"
DISBURSED = (State.ACTIVE, State.REPAID, State.CLOSED)
FINISHED = (State.CLOSED, State.CANCELLED)


@dataclass(frozen=True, slots=True)
class Item:
    """One declaration that stands for the loan: its value as the register gave it, and the part lent on it."""

    declaration: str
    declared: Money | None = None
    available: Money | None = None
    amount: Money | None = None
    is_covered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Loan:
    """A loan. `outstanding` is zero until it is disbursed; `signature` was checked with `public_key`, PEM."""

    id: str
    offer: str
    bank: str
    enterprise: str
    product: str
    items: tuple[Item, ...]
    principal: Money
    fee: Money
    annual_rate: Decimal
    day_count_basis: int
    tenor_days: int
    start_date: date | None = None
    maturity_date: date | None = None
    outstanding: Money
    interest_paid: Money
    state: State = State.AGREED
    cancellation_reason: str = ""
    is_encumbered: bool = False
    contract: bytes
    seal: str
    signature: str = ""
    public_key: str = ""
    revision: int = 1
    create_us: int
    # Whether the maturity rests on a year that its calendar doesn't publish yet.
    is_maturity_provisional: bool = False
    # The breaches of its declarations in which its bank has a share.
    breaches: tuple[StandingBreach, ...] = ()

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"loans/{self.id}"

    @property
    def day_count(self) -> str:
        """The convention that its contract fixed: ACT_365F of a basis of 365."""
        return day_count_bases.of_basis(self.day_count_basis)

    @property
    def participants(self) -> tuple[Participant, ...]:
        """The tenants that take part, and as what."""
        return Participant(self.bank, Role.BANK), Participant(self.enterprise, Role.ENTERPRISE)

    @property
    def encumbrance_id(self) -> str:
        """The id of its encumbrance at the register: ours, known before any answer."""
        return ids.derived(self.name, "encumbrance")

    def cover_hold_id(self, declaration: str) -> str:
        """The id of its hold on the cover of one declaration."""
        return ids.derived(self.name, "cover", declaration)

    @property
    def encumbered_items(self) -> list[tuple[str, Money]]:
        """The declarations that bear a part of the principal, and how much; empty until it is allocated."""
        return [(item.declaration, item.amount) for item in self.items if item.amount]


def with_item(loan: Loan, item: Item) -> Loan:
    """Returns the loan with the item of a declaration replaced."""
    items = tuple(item if standing.declaration == item.declaration else standing for standing in loan.items)
    return replace(loan, items=items)


def allocated(loan: Loan) -> Loan:
    """Returns the loan with its principal divided over its declarations by what each has available, or evenly.

    The register then refuses what it can't bear, and says why.
    """
    weights = [item.available.minor_units if item.available else 0 for item in loan.items]
    parts = allocate(loan.principal, weights if any(weights) else [1] * len(weights))
    items = tuple(replace(item, amount=part) for item, part in zip(loan.items, parts, strict=True))
    return replace(loan, items=items)


def exceeds_advance(loan: Loan, on: date) -> bool:
    """Whether more is lent than the product advances on the declared values."""
    declared = [item.declared for item in loan.items if item.declared is not None]
    rate = products.product(loan.product, on).advance_rate
    return loan.principal > total(declared, loan.principal.currency).times(rate, "ROUND_DOWN")


def refused(loan: Loan, reason: str) -> Loan:
    """Returns the loan given up for a reason; it is over at once where nothing is held."""
    return released(replace(loan, state=moved(TRANSITIONS, loan, Verb.REFUSE), cancellation_reason=reason))


def released(loan: Loan) -> Loan:
    """Returns the loan after it gave something back: finished once its encumbrance, given back last, is gone."""
    if loan.is_encumbered:
        return loan
    return replace(loan, state=moved(TRANSITIONS, loan, Verb.FINISH))


def is_stopped_by(loan: Loan, told: Breach) -> bool:
    """Whether a breach of one of its declarations stops the drawdown.

    An older breach than the loan doesn't: while it stood the register refused to reserve.
    """
    return told.is_open and loan.state in STOPPABLE and loan.create_us <= told.create_us


def stopped(loan: Loan) -> Loan:
    """Returns the drawdown given up while a call may be under way: what that may have taken is given back too."""
    return refused(_as_if_answered(loan), BREACHED)


def _as_if_answered(loan: Loan) -> Loan:
    """Returns the loan as if the call that it owes had gone through. Giving back what isn't held does no harm."""
    if loan.state is State.RESERVING:
        return replace(loan, is_encumbered=all(item.declared is not None for item in loan.items))
    if loan.state is State.HOLDING_COVER:
        return with_item(loan, replace(uncovered(loan), is_covered=True))
    return loan


def uncovered(loan: Loan) -> Item:
    """Returns the first declaration that bears a part of the principal and isn't covered."""
    return next(item for item in loan.items if item.amount and not item.is_covered)


def with_breach(loan: Loan, told: Breach) -> Loan:
    """Returns the loan with what was told of a breach: its bank's share, while that stands."""
    if told.holder != loan.bank or told.asset_class != breach.RECEIVABLE:
        return loan
    is_shown = loan.state in SHOWING
    return replace(loan, breaches=breach.noted(loan.breaches, told, told.open_amount, is_shown=is_shown))


def disbursed(loan: Loan, on: date) -> Loan:
    """Returns the loan paid out on a day, from which interest runs."""
    return replace(
        loan,
        state=moved(TRANSITIONS, loan, Verb.DISBURSE),
        start_date=on,
        maturity_date=on + timedelta(days=loan.tenor_days),
        outstanding=loan.principal,
    )


def released_of_all(loan: Loan) -> Loan:
    """Returns the loan as if it held nothing."""
    items = tuple(replace(item, is_covered=False) for item in loan.items)
    return replace(loan, is_encumbered=False, items=items)
