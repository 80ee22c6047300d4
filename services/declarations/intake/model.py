"""A refused document: kept until everything in it was accepted, or until its sender gives it up."""

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
    """What happens to it: intake refuses or accepts it, its sender discards it."""

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
    """The row. The digest is a token of the content first refused; the content is sealed in a table of its own."""

    id: str
    sender: str
    digest: bytes
    document_id: str
    format: str
    problems: tuple[Told, ...]
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
    """What intake made of a document: the sender's name for it, its format, what is wrong with it, and when."""

    document_id: str
    format: str
    problems: tuple[Told, ...]
    now_us: int


def refused_again(document: RefusedDocument, attempt: Attempt) -> RefusedDocument:
    """One attempt more, and what it found. WrongState."""
    return replace(
        document,
        document_id=attempt.document_id,
        format=attempt.format,
        problems=attempt.problems,
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
