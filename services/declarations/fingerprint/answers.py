"""What the register knows of documents that are asked about: found by tokens, scored, the best first."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from services.declarations.fingerprint import matching, terms
from services.declarations.fingerprint.document import Document
from services.declarations.fingerprint.matching import Question, Score
from services.declarations.fingerprint.model import Candidate
from services.declarations.fingerprint.store import Hit
from services.declarations.fingerprint.tokens import Blinder, Found

Stored = Mapping[str, Candidate]


@dataclass(frozen=True, slots=True)
class Match:
    """A stored document that is alike enough to be told."""

    score: Score
    other: Candidate


@dataclass(frozen=True, slots=True)
class Inquiry:
    """Documents that are asked about together, each with the tokens that find its like."""

    questions: Sequence[Question]
    asked: Sequence[Mapping[int, set[Found]]]

    @classmethod
    def of(cls, documents: Iterable[Document], blinder: Blinder, on: date) -> "Inquiry":
        """An inquiry on a business day."""
        tolerance = terms.tolerance(on)
        questions = [Question(document, blinder, tolerance, on) for document in documents]
        return cls(questions, [blinder.finding(question.document, tolerance) for question in questions])

    @property
    def tokens(self) -> set[int]:
        """All that are looked for."""
        return set().union(*self.asked)

    def matches(self, hits: Iterable[Hit], stored: Stored) -> list[list[Match]]:
        """The matches of each document."""
        where: dict[int, list[Hit]] = {}
        for hit in hits:
            where.setdefault(hit.token, []).append(hit)
        return [
            _matches(question, asked, where, stored) for question, asked in zip(self.questions, self.asked, strict=True)
        ]


def _matches(
    question: Question, asked: Mapping[int, set[Found]], where: Mapping[int, Sequence[Hit]], stored: Stored
) -> list[Match]:
    """Those with a score that is told, the best first, in an order that tells nothing."""
    agreements: dict[str, set[matching.Agreement]] = {}
    for token, meanings in asked.items():
        for hit in where.get(token, ()):
            found = agreements.setdefault(hit.document, set())
            found.update(matching.Agreement(meaning, hit.position) for meaning in meanings)
    least = terms.number("near_score_min", question.on)
    scored = [
        Match(question.score(agreed, other.document.comparing, other.document.id, least), other)
        for other, agreed in ((stored[identifier], agreed) for identifier, agreed in agreements.items())
    ]
    told = [match for match in scored if match.score.points >= least]
    return sorted(told, key=lambda match: (-match.score.points, match.other.document.id))
