"""Scores a registered document against one that is asked about: by which tokens agree, nothing else."""

import enum
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from services.declarations.fingerprint import terms
from services.declarations.fingerprint.document import Document
from services.declarations.fingerprint.tokens import (
    EXACTLY,
    NUMBER,
    SKELETON,
    WHOLE,
    Blinder,
    Comparing,
    Found,
    Tolerance,
)

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
    if any(agreement.asked.by == NUMBER for agreement in agreements):
        return "NUMBER_SAME"
    edits = {
        (agreement.asked.position, agreement.stored_position)
        for agreement in agreements
        if agreement.asked.by == SKELETON
    }
    if (WHOLE, WHOLE) in edits:
        return "NUMBER_FOLDED"
    # Without its first one here and without its second one there, and the other way round.
    if any(other == number + 1 and (other, number) in edits for number, other in edits if WHOLE not in (number, other)):
        return "NUMBER_TRANSPOSED"
    if any(WHOLE in edit for edit in edits):
        return "NUMBER_LENGTHENED"
    return "NUMBER_SUBSTITUTED" if any(number == other for number, other in edits) else None


@dataclass(frozen=True, slots=True)
class Nearness:
    """An aspect in which documents may be near: its reasons, what is stored of it, the tokens of all that is near."""

    same: str
    near: str
    stored: Callable[[Comparing], str]
    tokens: Callable[[Blinder, Document, str, Tolerance], Collection[str]]


NEARNESSES = (
    Nearness("AMOUNT_SAME", "AMOUNT_NEAR", lambda stored: stored.amount_step, Blinder.amount_steps),
    Nearness("DATE_SAME", "DATE_NEAR", lambda stored: stored.day, Blinder.days),
)


@dataclass(frozen=True, slots=True)
class Question:
    """A document that is asked about, on a business day."""

    document: Document
    blinder: Blinder
    tolerance: Tolerance
    on: date

    def score(self, agreements: Collection[Agreement], stored: Comparing, salt: str, least: int = 0) -> Score:
        """How alike a stored document is, found by these agreements; its id is the salt.

        What is the same is looked at first, as it costs least; what is only near, while `least` can be reached.
        """
        reasons = list(self._same(agreements, stored, salt))
        possible = [nearness for nearness in NEARNESSES if nearness.same not in reasons and nearness.stored(stored)]
        while possible and self._points([*reasons, *(nearness.near for nearness in possible)]) >= least:
            each_nearness = possible.pop(0)
            if each_nearness.stored(stored) in each_nearness.tokens(self.blinder, self.document, salt, self.tolerance):
                reasons.append(each_nearness.near)
        return Score(self._points(reasons), tuple(reasons))

    def _points(self, reasons: Iterable[str]) -> int:
        kind = self.document.kind
        return sum(terms.points(kind, reason, self.on) for reason in reasons)

    def _same(self, agreements: Collection[Agreement], stored: Comparing, salt: str) -> Iterator[str]:
        document, blinder = self.document, self.blinder
        if reason := number_reason(agreements):
            yield reason
        if not set(stored.parties).isdisjoint(blinder.parties(document, salt)):
            yield "PARTY_SAME"
        if stored.amount and stored.amount in blinder.amounts(document, salt):
            yield "AMOUNT_SAME"
        if stored.day and stored.day in blinder.days(document, salt, EXACTLY):
            yield "DATE_SAME"


def agreements(asked: Mapping[int, set[Found]], hits: Iterable[tuple[int, int]]) -> set[Agreement]:
    """What the stored tokens (with their positions) of one document agree in."""
    return {Agreement(found, position) for token, position in hits for found in asked.get(token, ())}
