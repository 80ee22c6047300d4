"""Consent: an institution sees an enterprise's declarations only while one stands."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass


class State(enum.StrEnum):
    """Whether it counts; names of the proto's enum."""

    ACTIVE = "ACTIVE"
    REVOKED = "REVOKED"


class Verb(enum.StrEnum):
    """What can be done to it."""

    REVOKE = "revoke"


TRANSITIONS: Mapping[tuple[State, Verb], State] = {(State.ACTIVE, Verb.REVOKE): State.REVOKED}


@dataclass(frozen=True, slots=True)
class Consent:
    """One enterprise's consent to one institution, for a purpose, until a time."""

    id: str
    enterprise: str
    institution: str
    purpose: str
    expire_us: int
    state: State
    revision: int
    create_us: int

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"consents/{self.id}"

    def counts(self, now_us: int) -> bool:
        """Whether the institution may see now."""
        return self.state is State.ACTIVE and now_us < self.expire_us
