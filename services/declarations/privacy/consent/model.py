"""Consent: an institution sees an enterprise's data only while its consent stands, and each look is written down."""

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field


class State(enum.StrEnum):
    """The states of a consent; names of the proto's enum."""

    ACTIVE = "ACTIVE"
    REVOKED = "REVOKED"


class Verb(enum.StrEnum):
    """The verbs that change a consent."""

    REVOKE = "revoke"


TRANSITIONS: Mapping[tuple[State, Verb], State] = {(State.ACTIVE, Verb.REVOKE): State.REVOKED}


class Purpose(enum.StrEnum):
    """The uses of the data; names of the proto's enum."""

    FINANCING = "FINANCING"
    INSURANCE = "INSURANCE"
    SETTLEMENT = "SETTLEMENT"
    RISK_ASSESSMENT = "RISK_ASSESSMENT"
    PERSONAL_DATA = "PERSONAL_DATA"


# Where the enterprise names none. Persons never consented to by saying nothing.
USUAL_PURPOSES = tuple(purpose for purpose in Purpose if purpose is not Purpose.PERSONAL_DATA)


@dataclass(frozen=True, slots=True)
class Consent:
    """An enterprise's consent to one institution, for purposes, until a time."""

    id: str
    enterprise: str
    institution: str
    purpose: str
    expire_us: int
    state: State
    revision: int
    create_us: int
    # None: given before purposes were named.
    purposes: tuple[Purpose, ...] | None = None

    @property
    def name(self) -> str:
        """Returns its resource name."""
        return f"consents/{self.id}"

    @property
    def allowed(self) -> tuple[Purpose, ...]:
        """Returns the purposes for which the institution may use the data."""
        return self.purposes or USUAL_PURPOSES

    def counts(self, now_us: int) -> bool:
        """Returns whether the institution may see now."""
        return self.state is State.ACTIVE and now_us < self.expire_us

    def allows(self, purpose: Purpose | None) -> bool:
        """Returns whether the consent is for the purpose; None: for seeing at all."""
        return purpose is None or purpose in self.allowed


def granting(consents: Iterable[Consent], purpose: Purpose | None) -> dict[str, Consent]:
    """Returns by enterprise the consent that lets see for the purpose: where there are several, the longest."""
    allowing = (consent for consent in consents if consent.allows(purpose))
    return {
        consent.enterprise: consent for consent in sorted(allowing, key=lambda consent: (consent.expire_us, consent.id))
    }


@dataclass(frozen=True, slots=True)
class GivenConsents:
    """The consents that some enterprises have given, to whomever: for a batch of many institutions' calls."""

    consents: Mapping[str, Sequence[Consent]]
    _known: dict[tuple[str, Purpose], Mapping[str, Consent]] = field(default_factory=dict)

    def to(self, institution: str, purpose: Purpose) -> Mapping[str, Consent]:
        """Returns by enterprise the consent that lets the institution see for the purpose."""
        key = institution, purpose
        if key not in self._known:
            self._known[key] = granting(self.consents.get(institution, ()), purpose)
        return self._known[key]


@dataclass(frozen=True, slots=True)
class Disclosure:
    """A record that a reader learned something from an enterprise's data. The principal is for audits alone."""

    id: str
    enterprise: str
    reader: str
    principal: str
    consent: str
    purposes: tuple[Purpose, ...]
    method: str
    resources: tuple[str, ...]
    reason: str
    create_us: int
