"""A bill of duty, tax or port charges: paid through settlement, once. Pure."""

import datetime
import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace

from chassis.money import Money
from chassis.states import moved


class State(enum.StrEnum):
    """The state of a bill; names of the proto's enum."""

    OPEN = "OPEN"
    PAYING = "PAYING"
    PAID = "PAID"
    CANCELLED = "CANCELLED"


class Verb(enum.StrEnum):
    """The acts that move a bill."""

    CLAIM = "claim"
    RELEASE = "release"
    CONFIRM = "confirm"
    CANCEL = "cancel"
    REINSTATE = "reinstate"


TRANSITIONS: Mapping[tuple[State, Verb], State] = {
    (State.OPEN, Verb.CLAIM): State.PAYING,
    (State.PAYING, Verb.RELEASE): State.OPEN,
    (State.PAYING, Verb.CONFIRM): State.PAID,
    (State.OPEN, Verb.CANCEL): State.CANCELLED,
    (State.CANCELLED, Verb.REINSTATE): State.OPEN,
}


@dataclass(frozen=True, slots=True)
class Bill:
    """`id` is its record's. `payment` is the one that claimed it last, `transfer` settlement's once it is paid.

    From claim to release `claim_date` is the day of the claim and `late_fee` what is paid beside the amount.
    `is_due_provisional` says that the due date rests on a year whose calendar nobody had published.
    """

    id: str
    enterprise: str
    amount: Money
    payee: str
    due_date: datetime.date
    due_rule: str
    state: State
    payment: str
    transfer: str
    claim_date: datetime.date | None
    late_fee: Money | None
    revision: int
    is_due_provisional: bool = False

    @property
    def name(self) -> str:
        """The resource name of the bill's record."""
        return f"records/{self.id}"

    @property
    def terms(self) -> tuple[str, Money, str]:
        """The terms that can't change while the bill is being paid, or after."""
        return self.enterprise, self.amount, self.payee

    @property
    def is_in_payment(self) -> bool:
        """Tells whether its issuer can't change it any more."""
        return self.state in (State.PAYING, State.PAID)


# The issuer's act on its bill, by the state that it gives it.
_ISSUING: Mapping[State, Verb] = {State.CANCELLED: Verb.CANCEL, State.OPEN: Verb.REINSTATE}


def reissued(before: Bill, after: Bill) -> Bill:
    """Returns the bill as its issuer changed it. Raises WrongState where a payment has it."""
    same = before.state is after.state
    state = before.state if same else moved(TRANSITIONS, before, _ISSUING[after.state])
    return replace(after, state=state, revision=before.revision)
