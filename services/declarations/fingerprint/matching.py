"""Scores a registered document against one that is asked about: by which tokens agree, nothing else."""

import enum
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from services.declarations.fingerprint import terms
from services.declarations.fingerprint.document import Document
from services.declarations.fingerprint.tokens import NUMBER, SKELETON, WHOLE, Blinder, Comparing, Found, Tolerance

WHOLLY_SAME = 100


class Tier(enum.StrEnum):
    """How sure; names of the proto's enum."""

    EXACT = "EXACT"
    NEAR = "NEAR"


@dataclass(frozen=True, slots=True)
class Agreement:
    """A finding token that both have: what it stands for in the asked document and in the stored one."""

    asked: Found
    stored_position: int


@dataclass(frozen=True, slots=True)
class Score:
    """How alike two documents are: 0 to 100, and the codes of the reasons."""

    points: int
    reasons: tuple[str, ...]

    @property
    def tier(self) -> Tier:
        """EXACT if everything agrees that documents of the kind have."""
        return Tier.EXACT if self.points == WHOLLY_SAME else Tier.NEAR


def number_reason(agreements: Collection[Agreement]) -> str | None:
    """How the numbers agree; one character more, less, other or swapped is one edit."""
    if any(one.asked.by == NUMBER for one in agreements):
        return "NUMBER_SAME"
    edits = {(one.asked.position, one.stored_position) for one in agreements if one.asked.by == SKELETON}
    if (WHOLE, WHOLE) in edits:
        return "NUMBER_FOLDED"
    # Without its first one here and without its second one there, and the other way round.
    if any(other == one + 1 and (other, one) in edits for one, other in edits if WHOLE not in (one, other)):
        return "NUMBER_TRANSPOSED"
    if any(WHOLE in edit for edit in edits):
        return "NUMBER_LENGTHENED"
    return "NUMBER_SUBSTITUTED" if any(one == other for one, other in edits) else None


@dataclass(frozen=True, slots=True)
class Question:
    """A document that is asked about, on a business day."""

    document: Document
    blinder: Blinder
    tolerance: Tolerance
    on: date

    def score(self, agreements: Collection[Agreement], stored: Comparing, salt: str) -> Score:
        """How alike a stored document is, found by these agreements; its id is the salt."""
        reasons = tuple(self._reasons(agreements, stored, salt))
        kind = self.document.kind
        return Score(sum(terms.points(kind, reason, self.on) for reason in reasons), reasons)

    def _reasons(self, agreements: Collection[Agreement], stored: Comparing, salt: str) -> Iterator[str]:
        document, blinder = self.document, self.blinder
        if reason := number_reason(agreements):
            yield reason
        if not set(stored.parties).isdisjoint(blinder.parties(document, salt)):
            yield "PARTY_SAME"
        if stored.amount and document.amount:
            yield from self._amount(stored, salt)
        if stored.day and document.date:
            yield from self._date(stored, salt)

    def _amount(self, stored: Comparing, salt: str) -> Iterator[str]:
        if stored.amount in self.blinder.amounts(self.document, salt):
            yield "AMOUNT_SAME"
        elif stored.amount_step in self.blinder.amount_steps(self.document, salt, self.tolerance):
            yield "AMOUNT_NEAR"

    def _date(self, stored: Comparing, salt: str) -> Iterator[str]:
        near = self.blinder.days(self.document, salt, self.tolerance)
        if stored.day == near[self.tolerance.days]:
            yield "DATE_SAME"
        elif stored.day in near:
            yield "DATE_NEAR"


def agreements(asked: dict[int, set[Found]], hits: Iterable[tuple[int, int]]) -> set[Agreement]:
    """What the stored tokens (with their positions) of one document agree in."""
    return {Agreement(found, position) for token, position in hits for found in asked.get(token, ())}
