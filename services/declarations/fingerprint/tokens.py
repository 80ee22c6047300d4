"""Blind tokens: the register keeps them of a document instead of the document.

Two kinds. *Finding* tokens are equal for documents that have something in common, so that an index finds them: the
number, its folded forms, those with one character left out (equal ones among these are one edit apart), and party with
amount and week. *Comparing* tokens are salted with the document's own id, so that no two documents share one: only
whoever presents the values again can tell whether they agree. Nearness lies in the question, not in the store: the
asker makes the tokens of all days and all amounts near his own.
"""

import datetime
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from functools import cache, lru_cache

from services.declarations.fingerprint import canonical
from services.declarations.fingerprint.document import Document

# HMAC with a key that only the service holds (chassis.keyring), by purpose and content.
Token = Callable[[str, bytes], bytes]
# Rises when the canonical forms change: tokens of two versions never agree. Names bear versions of their own.
VERSION = "1"
# Finding tokens have 64 bits: one that agrees by chance costs a comparison. Comparing tokens have 128. Eight of them
# are the suite's number in every suite but the first (chassis.suites).
FINDING_BYTES, COMPARING_BYTES = 8, 16
# The position of a whole number among those with a character left out.
WHOLE = -1
# Nearly any two shorter numbers would be one edit apart.
EDITED_LENGTH_MIN = 5
# Amounts are equal steps of their logarithm: coarse ones to find, fine ones to compare.
COARSE, FINE = Decimal("1.01"), Decimal("1.001")
# Logarithms are rounded the same everywhere.
LOGARITHMS = Context(prec=28)
WEEK_DAYS = 7


@dataclass(frozen=True, slots=True)
class Tolerance:
    """The bounds of nearness: a ratio of amounts (0.01 is 1 %), and days."""

    amount: Decimal
    days: int

    def steps(self, ratio: Decimal) -> int:
        """Returns how many steps of a ratio two near amounts may be apart.

        For example 1 % is one step of 1.01 and ten of 1.001.
        """
        reach = LOGARITHMS.divide(LOGARITHMS.ln(1 + self.amount), _logarithm(ratio))
        return int(reach.to_integral_value(ROUND_CEILING))

    @property
    def weeks(self) -> int:
        """Returns how many weeks two near days may be apart: one for 3 days, two for 10."""
        return -(-self.days // WEEK_DAYS)


EXACTLY = Tolerance(Decimal(0), 0)


@cache
def _logarithm(ratio: Decimal) -> Decimal:
    return LOGARITHMS.ln(ratio)


@lru_cache
def step(minor_units: int, ratio: Decimal) -> int:
    """Returns the step of a positive amount: amounts within (ratio - 1) lie in the same or in neighbouring steps.

    For example 10000 and 10030 lie in step 925 of 1.01, 10100 in step 926.
    """
    logarithm = LOGARITHMS.ln(Decimal(minor_units))
    return int(LOGARITHMS.divide(logarithm, _logarithm(ratio)).to_integral_value(ROUND_FLOOR))


def _near(centre: int, reach: int) -> range:
    return range(centre - reach, centre + reach + 1)


NUMBER, SKELETON, BLOCK = "number", "skeleton", "block"


@dataclass(frozen=True, slots=True)
class Meaning:
    """The meaning of a finding token. `position`: the character left out of the number, or WHOLE."""

    by: str
    position: int = WHOLE


@dataclass(frozen=True, slots=True)
class Comparing:
    """The comparing tokens of one stored document, in hexadecimal; empty where it hasn't the value."""

    parties: tuple[str, ...]
    amount: str
    amount_step: str
    day: str


@dataclass(frozen=True, slots=True)
class Blinder:
    """Makes the tokens of documents of the same kinds by one key."""

    token: Token

    def _blind(self, purpose: str, *content: object) -> bytes:
        # No canonical form has white space: lines part them without doubt.
        encoded = "\n".join(map(str, content)).encode("utf-8", "surrogatepass")
        return self.token(f"fingerprint/{VERSION}/{purpose}", encoded)

    def finding(self, document: Document, tolerance: Tolerance = EXACTLY) -> dict[int, set[Meaning]]:
        """Returns the finding tokens with their meanings: without tolerance to store, with it to ask for."""
        meanings_by_token: dict[int, set[Meaning]] = {}
        for scope in document.scopes:
            for meaning, content in _contents(document, tolerance):
                token = self._blind(meaning.by, document.kind, scope, *content)[:FINDING_BYTES]
                meanings_by_token.setdefault(int.from_bytes(token, signed=True), set()).add(meaning)
        return meanings_by_token

    def comparing(self, document: Document, salt: str) -> Comparing:
        """Returns the tokens that are stored to compare with, salted with the document's id."""
        return Comparing(
            self.parties(document, salt),
            *self.amounts(document, salt),
            *self.amount_steps(document, salt, EXACTLY),
            *self.days(document, salt, EXACTLY),
        )

    def _salted(self, salt: str, *content: object) -> str:
        return self._blind("comparing", salt, *content)[:COMPARING_BYTES].hex()

    def parties(self, document: Document, salt: str) -> tuple[str, ...]:
        """Returns the tokens of the other party's identities."""
        return tuple(self._salted(salt, "party", party) for party in document.parties)

    def amounts(self, document: Document, salt: str) -> tuple[str, ...]:
        """Returns the token of the amount."""
        amount = document.amount
        return (self._salted(salt, "amount", amount.currency, amount.minor_units),) if amount else ("",)

    def amount_steps(self, document: Document, salt: str, tolerance: Tolerance) -> tuple[str, ...]:
        """Returns the tokens of the amount's step and of those within the tolerance."""
        amount = document.amount
        if amount is None:
            return ("",)
        steps = _near(step(amount.minor_units, FINE), tolerance.steps(FINE))
        return tuple(self._salted(salt, "step", amount.currency, number) for number in steps)

    def days(self, document: Document, salt: str, tolerance: Tolerance) -> tuple[str, ...]:
        """Returns the tokens of the day and of those within the tolerance."""
        if document.date is None:
            return ("",)
        return tuple(self._salted(salt, "day", day) for day in _near(document.date.toordinal(), tolerance.days))


def _contents(document: Document, tolerance: Tolerance) -> Iterator[tuple[Meaning, tuple[object, ...]]]:
    yield Meaning(NUMBER), (canonical.number(document.number),)
    for skeleton in sorted(document.skeletons):
        yield Meaning(SKELETON), (skeleton,)
        if len(skeleton) >= EDITED_LENGTH_MIN:
            for position in range(len(skeleton)):
                yield Meaning(SKELETON, position), (skeleton[:position] + skeleton[position + 1 :],)
    for block in _blocks(document, tolerance):
        yield Meaning(BLOCK), block


def _blocks(document: Document, tolerance: Tolerance) -> Iterator[tuple[object, ...]]:
    """Yields party, step of the amount and week: they find a document that was given another number."""
    if document.amount is None or document.date is None:
        return
    for party in document.parties:
        for amount_step in _near(step(document.amount.minor_units, COARSE), tolerance.steps(COARSE)):
            for week in _near(_week(document.date), tolerance.weeks):
                yield party, document.amount.currency, amount_step, week


def _week(day: datetime.date) -> int:
    return day.toordinal() // WEEK_DAYS
