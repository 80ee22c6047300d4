"""Chooses among versions of a document: the one sent last counts, in whatever order they arrive. Pure."""

import enum
from dataclasses import dataclass


class Change(enum.StrEnum):
    """The act of a document on the stored one (appType), in the order in which it counts within one second."""

    NEW = "NEW"
    MODIFY = "MODIFY"
    DELETE = "DELETE"


class Step(enum.StrEnum):
    """The outcome for an arriving version."""

    ADD = "ADD"
    REPLACE = "REPLACE"
    # The same content again, sent later: only the time moves.
    TOUCH = "TOUCH"
    KEEP = "KEEP"
    REFUSE = "REFUSE"


_RANKS = {Change.NEW: 0, Change.MODIFY: 1, Change.DELETE: 2}


@dataclass(frozen=True, slots=True)
class Version:
    """A version's own statement: when it was sent (microseconds since 1970 UTC), its act, and its content's digest."""

    send_us: int
    change: Change
    digest: bytes

    @property
    def is_deleted(self) -> bool:
        """Tells whether the document is taken back."""
        return self.change == Change.DELETE

    @property
    def _time(self) -> tuple[int, int]:
        return self.send_us, _RANKS[self.change]

    def says_the_same(self, other: "Version") -> bool:
        """Tells whether nothing would change; two deletions are the same, whatever else stands in them."""
        return self.is_deleted == other.is_deleted and (self.is_deleted or self.digest == other.digest)

    def is_later(self, other: "Version") -> bool:
        """Tells whether it was sent later, or counts above it within the same second."""
        return self._time > other._time

    @property
    def order(self) -> tuple[int, int, bytes]:
        """The key that sorts versions by time, then by act, then by content: the same way in any order."""
        return (*self._time, self.digest)

    def comes_after(self, other: "Version") -> bool:
        """Tells whether it counts above the other, like is_later; of two changes of one moment the content decides."""
        return self.order > other.order


def step(standing: Version | None, arriving: Version) -> Step:
    """Returns the step for an arriving version. A new document is refused where another stands under its number."""
    if standing is None:
        return Step.ADD
    if arriving.says_the_same(standing):
        return Step.TOUCH if arriving.is_later(standing) else Step.KEEP
    if arriving.change == Change.NEW and standing.change == Change.NEW:
        return Step.REFUSE
    if not arriving.comes_after(standing):
        return Step.KEEP
    if arriving.change == Change.NEW and not standing.is_deleted:
        return Step.REFUSE
    return Step.REPLACE
