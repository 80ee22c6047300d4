"""A repayment: what of a collected amount pays which part of a loan, held until the money has moved."""

import enum
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from chassis import ids
from chassis.money import Money, total
from chassis.participants import Participant
from ledger.model import Kind, Transfer, chained
from services.loans.loan.books import Part, funds_id, part_id
from services.loans.loan.model import Loan
from services.loans.products import Component
from trade.roles import Role


class State(enum.StrEnum):
    """Where a repayment stands; names of the proto's enum."""

    PENDING = "PENDING"
    POSTED = "POSTED"
    CANCELLED = "CANCELLED"


class Verb(enum.StrEnum):
    """The things that can be done to it."""

    CONFIRM = "confirm"
    CANCEL = "cancel"


TRANSITIONS: Mapping[tuple[State, Verb], State] = {
    (State.PENDING, Verb.CONFIRM): State.POSTED,
    (State.PENDING, Verb.CANCEL): State.CANCELLED,
}
COUNTED = (State.PENDING, State.POSTED)
# The account that a component of a repayment credits.
ACCOUNTS: Mapping[Component, Part] = {
    Component.INTEREST: Part.INTEREST,
    Component.PRINCIPAL: Part.OUTSTANDING,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Repayment:
    """A repayment by its collector's id; `loan` is a resource name. A tombstone has no loan and no amounts."""

    id: str
    loan: str = ""
    bank: str
    payment: str = ""
    asked: Money | None = None
    interest: Money | None = None
    principal: Money | None = None
    value_date: date | None = None
    state: State = State.PENDING
    revision: int = 1
    create_us: int
    # The principal that is owed after it though its encumbrance was settled for it.
    unsecured: Money | None = None
    # How much of that the register put back, known once the money has moved; None in rows of before.
    restored: Money | None = None
    # The principal that receipts before it left unsecured, and that it is to repay; None in rows of before.
    taken_over: Money | None = None

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"repayments/{self.id}"

    @property
    def participants(self) -> tuple[Participant]:
        """The bank alone."""
        return (Participant(self.bank, Role.BANK),)

    @property
    def interest_part(self) -> Money:
        """The part that is interest."""
        assert self.interest is not None, f"{self.name} is a tombstone"
        return self.interest

    @property
    def principal_part(self) -> Money:
        """The part that is principal."""
        assert self.principal is not None, f"{self.name} is a tombstone"
        return self.principal

    @property
    def amount(self) -> Money | None:
        """Both parts; a tombstone has none."""
        return self.interest_part + self.principal_part if self.loan else None

    @property
    def unsecured_part(self) -> Money | None:
        """The principal that is owed after it though its encumbrance was settled; a tombstone has none."""
        return self.unsecured or self.interest_part.zero() if self.loan else None

    @property
    def left_unsecured(self) -> Money:
        """The principal that it left unsecured; of a row of long before, which doesn't say, at most its interest."""
        return self.interest_part if self.unsecured is None else self.unsecured

    @property
    def restored_part(self) -> Money:
        """How much of that the register put back; of a row of before, which doesn't say, nothing."""
        return self.restored or self.interest_part.zero()

    @property
    def taken_over_part(self) -> Money:
        """The principal of receipts before it that it was to repay; of a row of before, which doesn't say, nothing."""
        return self.taken_over or self.interest_part.zero()

    @property
    def day(self) -> date:
        """Its value date."""
        assert self.value_date is not None, f"{self.name} is a tombstone"
        return self.value_date

    @property
    def parts(self) -> Mapping[Component, Money]:
        """By component."""
        return {Component.INTEREST: self.interest_part, Component.PRINCIPAL: self.principal_part}


def waterfall(amount: Money, owed: Mapping[Component, Money], order: Sequence[Component]) -> dict[Component, Money]:
    """Returns the parts of an amount that pay each component, in order; the rest of it pays nothing.

    100.00 of 30.00 interest and 50.00 principal: 30.00 and 50.00. 40.00 of them: 30.00 and 10.00.
    """
    paid = {}
    for component in order:
        paid[component] = min(amount, owed[component])
        amount -= paid[component]
    return paid


def left_unsecured(counted: Collection[Repayment], currency: str) -> Money:
    """Returns the principal that the repayments that count left unsecured, and that none of them repays.

    25.31 left by the first, of which nothing was put back: 25.31. Taken over by a second that left 10.00: 10.00.
    """
    posted = those_posted(counted)
    return still_unsecured(
        tuple(repayment.left_unsecured for repayment in posted),
        tuple(repayment.restored_part for repayment in posted),
        tuple(repayment.taken_over_part for repayment in counted),
        currency,
    )


def those_posted(counted: Iterable[Repayment]) -> list[Repayment]:
    """Returns the repayments whose money has moved: others leave nothing yet, since that may be put back under way."""
    return [repayment for repayment in counted if repayment.state is State.POSTED]


def still_unsecured(
    unsecured: tuple[Money, ...], restored: tuple[Money, ...], taken_over: tuple[Money, ...], currency: str
) -> Money:
    """Returns what is left of principal left unsecured after what was put back and what later receipts took over.

    Of 290.00 and 10.00, of which 200.00 were put back and 25.00 taken over: 75.00.
    """
    left = total(unsecured, currency) - total(restored, currency) - total(taken_over, currency)
    return max(left, left.zero())


def taken_over(settled_by_payment: Money, settled: Money, repaid: Money, unsecured: Money) -> Money:
    """Returns the principal that a receipt is to repay beyond what it settled itself: what those before it left.

    That is what they left unsecured, and no more than was settled and isn't repaid. The rest is secured by what the
    encumbrance still holds, and is repaid from there; what another receipt settled and has still to repay is that
    one's. Of a loan of 160.00 on two receivables of 80.00 each, none repaid, the first settled by this receipt: 0.00.
    Of 100.00 settled in all, 20.00 by this receipt, after 79.71 of principal were repaid and 0.29 left unsecured: 0.29;
    where these 0.29 were put back since: 0.00.
    """
    left = min(settled - settled_by_payment - repaid, unsecured)
    return max(left, left.zero())


def hold_id(repayment: Repayment, component: Component) -> str:
    """The hold of one component."""
    return ids.derived(repayment.name, component.value, "hold")


def hold_transfers(repayment: Repayment, loan: Loan) -> list[Transfer]:
    """Holds what the repayment takes, all or nothing."""
    funds = funds_id(loan.bank, loan.principal.currency)
    return chained(
        [
            Transfer(
                hold_id(repayment, component),
                funds,
                part_id(loan.name, ACCOUNTS[component]),
                amount.minor_units,
                kind=Kind.PENDING,
                code="repayment",
                reference=repayment.name,
            )
            for component, amount in repayment.parts.items()
            if amount
        ]
    )


def closing_transfers(repayment: Repayment, kind: Kind) -> list[Transfer]:
    """Ends the holds: POST where the money has moved, VOID where it won't."""
    return chained(
        [
            Transfer(
                ids.derived(repayment.name, component.value, kind.value),
                kind=kind,
                pending_id=hold_id(repayment, component),
                code=f"repayment {kind.value}",
                reference=repayment.name,
                value_date=repayment.value_date,
            )
            for component, amount in repayment.parts.items()
            if amount
        ]
    )
