"""Buyer limits: how much an insurer stands for one buyer's debts at a time."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from chassis.money import Money
from chassis.participants import Participant
from trade.roles import Role


class State(enum.StrEnum):
    """Where it stands; names of the proto's enum."""

    REQUESTED = "REQUESTED"
    PENDING_APPROVAL = "PENDING_APPROVAL"
    IN_FORCE = "IN_FORCE"
    REFUSED = "REFUSED"
    ENDED = "ENDED"


class Verb(enum.StrEnum):
    """The things that can be done to it."""

    DECIDE = "decide"
    APPROVE = "approve"
    APPROVE_REFUSAL = "approve refusal"
    END = "end"


TRANSITIONS: Mapping[tuple[State, Verb], State] = {
    (State.REQUESTED, Verb.DECIDE): State.PENDING_APPROVAL,
    (State.PENDING_APPROVAL, Verb.APPROVE): State.IN_FORCE,
    (State.PENDING_APPROVAL, Verb.APPROVE_REFUSAL): State.REFUSED,
    (State.IN_FORCE, Verb.END): State.ENDED,
}
# With the last day of its period.
ENDING = (State.IN_FORCE, TRANSITIONS[State.IN_FORCE, Verb.END])


@dataclass(frozen=True, slots=True, kw_only=True)
class BuyerLimit:
    """`amount` and the dates are the proposal, frozen once proposed; `refuse` proposes to refuse."""

    id: str
    policy: str
    insurer: str
    enterprise: str
    buyer_name: str
    buyer_country: str
    requested_amount: Money
    amount: Money | None = None
    payment_term_days: int
    start_date: date | None = None
    end_date: date | None = None
    refuse: bool = False
    state: State = State.REQUESTED
    maker: str = ""
    checker: str = ""
    revision: int = 1
    create_us: int

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"buyerLimits/{self.id}"

    @property
    def participants(self) -> tuple[Participant, ...]:
        """The tenants that take part, and as what."""
        return Participant(self.insurer, Role.INSURER), Participant(self.enterprise, Role.ENTERPRISE)

    def in_force(self, on: date) -> bool:
        """Returns whether a shipment of that day may use it; one that has ended counts for its days."""
        if self.state not in ENDING or self.start_date is None or self.end_date is None:
            return False
        return self.start_date <= on <= self.end_date
