"""Scores a registered document against a document that is asked about, by which tokens agree and nothing else."""

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
    Meaning,
    Tolerance,
)

WHOLLY_SAME = 100


class Tier(enum.StrEnum):
    """The tiers of a match; names of the proto's enum."""

    EXACT = "EXACT"
    NEAR = "NEAR"


@dataclass(frozen=True, slots=True)
class Agreement:
    """A finding token that both have: its meaning in the document asked about, and its position in the stored one."""

    meaning: Meaning
    stored_position: int


@dataclass(frozen=True, slots=True)
class Score:
    """The likeness of two documents: 0 to 100, and the codes of the reasons."""

    points: int
    reasons: tuple[str, ...]

    @property
    def tier(self) -> Tier:
        """Returns EXACT if everything agrees that documents of the kind have, else NEAR."""
        return Tier.EXACT if self.points == WHOLLY_SAME else Tier.NEAR


def number_reason(agreements: Collection[Agreement]) -> str | None:
    """Returns how the numbers agree, None where they don't; one character more, less, other or swapped is one edit.

    2026-12 and 202612 are NUMBER_FOLDED, 202612 and 202621 NUMBER_TRANSPOSED, 202612 and 2026112 NUMBER_LENGTHENED,
    202612 and 202613 NUMBER_SUBSTITUTED.
    """
    if any(agreement.meaning.by == NUMBER for agreement in agreements):
        return "NUMBER_SAME"
    edits = {
        (agreement.meaning.position, agreement.stored_position)
        for agreement in agreements
        if agreement.meaning.by == SKELETON
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
    """An aspect in which documents may be near: its reasons, its stored token, and the tokens of all near values."""

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
        """Returns how alike a stored document is, found by these agreements; its id is the salt.

        Equal aspects are looked at first, as they cost least; near ones while `least` can be reached.
        """
        reasons = list(self._same(agreements, stored, salt))
        possible = [nearness for nearness in NEARNESSES if nearness.same not in reasons and nearness.stored(stored)]
        while possible and self._points([*reasons, *(nearness.near for nearness in possible)]) >= least:
            nearness = possible.pop(0)
            if nearness.stored(stored) in nearness.tokens(self.blinder, self.document, salt, self.tolerance):
                reasons.append(nearness.near)
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


def agreements(meanings_by_token: Mapping[int, set[Meaning]], hits: Iterable[tuple[int, int]]) -> set[Agreement]:
    """Returns the agreements of one document's stored tokens (with their positions) with those asked about."""
    return {Agreement(meaning, position) for token, position in hits for meaning in meanings_by_token.get(token, ())}
