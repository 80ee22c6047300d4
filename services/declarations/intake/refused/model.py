"""A refused document or row: kept until it was accepted, until its sender gives it up, or until its time is over."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace

from chassis.states import moved


class State(enum.StrEnum):
    """Where a refused document stands."""

    REFUSED = "REFUSED"
    MENDED = "MENDED"
    DISCARDED = "DISCARDED"


class Verb(enum.StrEnum):
    """The things that happen to it: intake refuses or accepts it, its sender discards it."""

    REFUSE = "refuse"
    ACCEPT = "accept"
    DISCARD = "discard"


# What comes again and is refused again is wanted again, whatever became of it before.
TRANSITIONS: Mapping[tuple[State, Verb], State] = {
    (State.REFUSED, Verb.REFUSE): State.REFUSED,
    (State.REFUSED, Verb.ACCEPT): State.MENDED,
    (State.REFUSED, Verb.DISCARD): State.DISCARDED,
    (State.MENDED, Verb.REFUSE): State.REFUSED,
    (State.DISCARDED, Verb.REFUSE): State.REFUSED,
}


@dataclass(frozen=True, slots=True)
class Told:
    """One problem as its sender was told it."""

    path: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class RefusedDocument:
    """The row. What may hold personal data is sealed in tables of its own: the content, and how it was told.

    `digest` is a token of the content first refused. `subject` is a token of the numbers and the time by which a
    row tells what it is a version of; empty for documents, and where a row has no number.
    """

    id: str
    sender: str
    digest: bytes
    subject: str
    format: str
    state: State
    attempts: int
    first_us: int
    last_us: int
    revision: int

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"refusedDocuments/{self.id}"


@dataclass(frozen=True, slots=True)
class Attempt:
    """The outcome of an attempt to take a document: its name at the sender, its format, its problems, and when."""

    document_id: str
    format: str
    problems: tuple[Told, ...]
    now_us: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a document or row that is told by its digest, and its bytes as they are sealed."""

    digest: bytes
    subject: str
    attempt: Attempt
    content: bytes


def refused_again(document: RefusedDocument, attempt: Attempt) -> RefusedDocument:
    """One attempt more, and what it found. WrongState."""
    return replace(
        document,
        format=attempt.format,
        state=moved(TRANSITIONS, document, Verb.REFUSE),
        attempts=document.attempts + 1,
        last_us=attempt.now_us,
    )


def mended(document: RefusedDocument) -> RefusedDocument:
    """Everything in it is accepted. WrongState."""
    return replace(document, state=moved(TRANSITIONS, document, Verb.ACCEPT))


def discarded(document: RefusedDocument) -> RefusedDocument:
    """Given up. WrongState."""
    return replace(document, state=moved(TRANSITIONS, document, Verb.DISCARD))
