"""Answers what the register holds on documents that are asked about: found by tokens, scored, the best first."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from services.declarations.fingerprint import matching, terms
from services.declarations.fingerprint.document import Document
from services.declarations.fingerprint.matching import Question, Score
from services.declarations.fingerprint.model import Candidate, Registration
from services.declarations.fingerprint.tokens import Blinder, Meaning


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
    """The matches of each document, the registration as it stands, and the tokens to keep if it is new."""

    matches: Sequence[Sequence[Match]]
    registration: Registration | None = None
    hits: Sequence[Hit] = ()
    candidates: Sequence[Candidate] = ()


@dataclass(slots=True)
class Shelf:
    """The registered documents that are looked at: their tokens' places, and the documents by id."""

    hits: dict[int, list[Hit]]
    candidates: dict[str, Candidate]

    @classmethod
    def of(cls, hits: Iterable[Hit], candidates: Mapping[str, Candidate]) -> "Shelf":
        """Returns a shelf of what is stored."""
        shelf = cls({}, dict(candidates))
        shelf.add(hits, ())
        return shelf

    def add(self, hits: Iterable[Hit], candidates: Iterable[Candidate]) -> None:
        """Puts more documents on the shelf."""
        for hit in hits:
            self.hits.setdefault(hit.token, []).append(hit)
        self.candidates.update((candidate.document.id, candidate) for candidate in candidates)


class Search(NamedTuple):
    """A question by the tokens of one suite, with the tokens that find its like."""

    question: Question
    tokens: Mapping[int, set[Meaning]]


@dataclass(frozen=True, slots=True)
class Inquiry:
    """Documents that are asked about together, each with its searches: one for each suite in which tokens stand."""

    searches: Sequence[Sequence[Search]]

    @classmethod
    def of(cls, documents: Iterable[Document], blinders: Sequence[Blinder], on: date) -> "Inquiry":
        """Returns an inquiry on a business day."""
        tolerance = terms.tolerance(on)
        return cls(
            [
                [
                    Search(Question(document, blinder, tolerance, on), blinder.finding(document, tolerance))
                    for blinder in blinders
                ]
                for document in documents
            ]
        )

    @property
    def tokens(self) -> set[int]:
        """Returns all tokens that are looked for."""
        return {token for searches in self.searches for search in searches for token in search.tokens}

    def matches(self, shelf: Shelf, apart_from: str) -> list[list[Match]]:
        """Returns the matches of each document, without those of one registration (its id)."""
        return [
            _best_first([match for search in searches for match in _matches(search, shelf, apart_from)])
            for searches in self.searches
        ]


def _best_first(matches: Iterable[Match]) -> list[Match]:
    """Returns the matches, the best first, in an order that tells nothing; a document once, as it matches best.

    A document's tokens are of one suite: another's find it by chance alone.
    """
    ordered = sorted(matches, key=lambda match: (-match.score.points, match.other.document.id))
    best: dict[str, Match] = {}
    for match in ordered:
        best.setdefault(match.other.document.id, match)
    return list(best.values())


def _matches(search: Search, shelf: Shelf, apart_from: str) -> Iterator[Match]:
    """Yields the matches with a score that is told."""
    question, least = search.question, terms.number("near_score_min", search.question.on)
    for identifier, hits in _by_document(search.tokens, shelf).items():
        other = shelf.candidates[identifier]
        if other.document.registration != apart_from:
            agreements = matching.agreements(search.tokens, ((hit.token, hit.position) for hit in hits))
            score = question.score(agreements, other.document.comparing, identifier, least)
            if score.points >= least:
                yield Match(score, other)


def _by_document(tokens: Iterable[int], shelf: Shelf) -> dict[str, list[Hit]]:
    hits: dict[str, list[Hit]] = {}
    for token in tokens:
        for hit in shelf.hits.get(token, ()):
            hits.setdefault(hit.document, []).append(hit)
    return hits
