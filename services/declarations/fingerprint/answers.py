"""What the register knows of documents that are asked about: found by tokens, scored, the best first."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from services.declarations.fingerprint import matching, terms
from services.declarations.fingerprint.document import Document
from services.declarations.fingerprint.matching import Question, Score
from services.declarations.fingerprint.model import Candidate, Registration
from services.declarations.fingerprint.tokens import Blinder, Found


class Hit(NamedTuple):
    """A finding token that a registered document has."""

    token: int
    document: str
    position: int


@dataclass(frozen=True, slots=True)
class Match:
    """A registered document that is alike enough to be told."""

    score: Score
    other: Candidate


@dataclass(frozen=True, slots=True)
class Answer:
    """The matches of each document; the registration as it stands; what is to be kept of its documents if it is new."""

    matches: Sequence[Sequence[Match]]
    registration: Registration | None = None
    hits: Sequence[Hit] = ()
    candidates: Sequence[Candidate] = ()


@dataclass(slots=True)
class Shelf:
    """The registered documents that are looked at: where their tokens stand, and themselves by id."""

    hits: dict[int, list[Hit]]
    candidates: dict[str, Candidate]

    @classmethod
    def of(cls, hits: Iterable[Hit], candidates: Mapping[str, Candidate]) -> "Shelf":
        """A shelf of what is stored."""
        shelf = cls({}, dict(candidates))
        shelf.add(hits, ())
        return shelf

    def add(self, hits: Iterable[Hit], candidates: Iterable[Candidate]) -> None:
        """Puts more on it."""
        for hit in hits:
            self.hits.setdefault(hit.token, []).append(hit)
        self.candidates.update((candidate.document.id, candidate) for candidate in candidates)


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

    def matches(self, shelf: Shelf, apart_from: str) -> list[list[Match]]:
        """The matches of each document, without those of one registration (its id)."""
        return [
            _matches(question, asked, shelf, apart_from)
            for question, asked in zip(self.questions, self.asked, strict=True)
        ]


def _matches(question: Question, asked: Mapping[int, set[Found]], shelf: Shelf, apart_from: str) -> list[Match]:
    """Those with a score that is told, the best first, in an order that tells nothing."""
    least = terms.number("near_score_min", question.on)
    found = []
    for identifier, hits in _by_document(asked, shelf).items():
        other = shelf.candidates[identifier]
        if other.document.registration != apart_from:
            agreements = matching.agreements(asked, ((hit.token, hit.position) for hit in hits))
            score = question.score(agreements, other.document.comparing, identifier, least)
            found.append(Match(score, other))
    told = (match for match in found if match.score.points >= least)
    return sorted(told, key=lambda match: (-match.score.points, match.other.document.id))


def _by_document(asked: Iterable[int], shelf: Shelf) -> dict[str, list[Hit]]:
    hits: dict[str, list[Hit]] = {}
    for token in asked:
        for hit in shelf.hits.get(token, ()):
            hits.setdefault(hit.document, []).append(hit)
    return hits
