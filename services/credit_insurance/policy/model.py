"""Policies: an insurer's undertaking towards an exporter."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from chassis.money import Money
from chassis.participants import Participant
from trade.roles import Role


class State(enum.StrEnum):
    """Where it stands; names of the proto's enum."""

    PENDING_APPROVAL = "PENDING_APPROVAL"
    IN_FORCE = "IN_FORCE"
    ENDED = "ENDED"


class Verb(enum.StrEnum):
    """The things that can be done to it."""

    APPROVE = "approve"
    END = "end"


TRANSITIONS: Mapping[tuple[State, Verb], State] = {
    (State.PENDING_APPROVAL, Verb.APPROVE): State.IN_FORCE,
    (State.IN_FORCE, Verb.END): State.ENDED,
}
# With the last day of its period.
ENDING = (State.IN_FORCE, TRANSITIONS[State.IN_FORCE, Verb.END])


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """`premium_rate` None: by the rate table. Maker and checker are principals."""

    id: str
    insurer: str
    enterprise: str
    insured_ratio: Decimal
    maximum_liability: Money
    start_date: date
    end_date: date
    premium_rate: Decimal | None = None
    state: State = State.PENDING_APPROVAL
    maker: str
    checker: str = ""
    revision: int = 1
    create_us: int

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"policies/{self.id}"

    @property
    def participants(self) -> tuple[Participant, ...]:
        """The tenants that take part, and as what."""
        return Participant(self.insurer, Role.INSURER), Participant(self.enterprise, Role.ENTERPRISE)

    def in_force(self, on: date) -> bool:
        """Returns whether a shipment of that day may be declared under it; one that has ended counts for its days."""
        return self.state in ENDING and self.start_date <= on <= self.end_date
