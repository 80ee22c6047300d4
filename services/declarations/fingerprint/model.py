"""A registration: the documents behind one financing, blind, and where the financing stands."""

import datetime
import enum
from collections.abc import Mapping
from dataclasses import dataclass

from chassis.clock import MICROSECONDS
from chassis.money import Money
from services.declarations.fingerprint.tokens import Comparing
from trade.calendars import CHINA

DAY_SECONDS = 86_400
# How much earlier a day begins in China.
_EAST_US = CHINA.utcoffset(None) // datetime.timedelta(microseconds=1)


class State(enum.StrEnum):
    """The states of a registration's financing; names of the proto's enum."""

    REGISTERED = "REGISTERED"
    FINANCED = "FINANCED"
    REPAID = "REPAID"
    CANCELLED = "CANCELLED"


class Verb(enum.StrEnum):
    """The verbs by which its holder reports on it."""

    FINANCE = "finance"
    REPAY = "repay"
    CANCEL = "cancel"


TRANSITIONS: Mapping[tuple[State, Verb], State] = {
    (State.REGISTERED, Verb.FINANCE): State.FINANCED,
    (State.FINANCED, Verb.REPAY): State.REPAID,
    (State.REGISTERED, Verb.CANCEL): State.CANCELLED,
    (State.FINANCED, Verb.CANCEL): State.CANCELLED,
}
# The states in which a holder is told when a later registration matches.
ALERTED = frozenset({State.REGISTERED, State.FINANCED, State.REPAID})


@dataclass(frozen=True, slots=True)
class Registration:
    """A registration's row.

    `listed`: sorts by time; `kinds`: of the documents, in order; `digest`: a token of the content.
    """

    id: str
    listed: str
    holder: str
    applicant: str
    amount: Money
    kinds: tuple[str, ...]
    state: State
    digest: bytes
    create_us: int
    revision: int

    @property
    def name(self) -> str:
        """Returns its resource name."""
        return f"registrations/{self.id}"


@dataclass(frozen=True, slots=True)
class RegisteredDocument:
    """A document of a registration: nothing but tokens to compare with.

    Its id is their salt; `position` is its place within its registration.
    """

    id: str
    registration: str
    position: int
    comparing: Comparing


@dataclass(frozen=True, slots=True)
class Candidate:
    """A registered document that was found, and what may be told of its registration."""

    document: RegisteredDocument
    holder: str
    state: State
    create_us: int

    @property
    def registration(self) -> str:
        """Returns the registration's resource name."""
        return f"registrations/{self.document.registration}"


def document_id(registration: str, position: int) -> str:
    """Returns the id of a registration's document."""
    return f"{registration}/{position}"


class Span(enum.StrEnum):
    """A time over which answered documents are counted."""

    MINUTE = "minute"
    DAY = "day"


# The term (data/document_terms.csv) that limits each span, and its length in seconds.
LIMITS: Mapping[Span, tuple[str, int]] = {
    Span.MINUTE: ("documents_per_minute_max", 60),
    Span.DAY: ("documents_per_day_max", DAY_SECONDS),
}


def window_start_us(span: Span, now_us: int) -> int:
    """Returns when the present window of a span began: whole minutes, and business days in China.

    A day's window begins at 16:00 UTC.
    """
    length_us = LIMITS[span][1] * MICROSECONDS
    return (now_us + _EAST_US) // length_us * length_us - _EAST_US


def window_end_us(span: Span, now_us: int) -> int:
    """Returns when the next window of a span begins."""
    return window_start_us(span, now_us) + LIMITS[span][1] * MICROSECONDS
