"""Of several versions of a document the one sent last counts, in whatever order they arrive. Pure."""

import enum
from dataclasses import dataclass


class Change(enum.StrEnum):
    """What a document does to what is known (appType), in the order in which it counts within one second."""

    NEW = "NEW"
    MODIFY = "MODIFY"
    DELETE = "DELETE"


class Step(enum.StrEnum):
    """What becomes of an arriving version."""

    ADD = "ADD"
    REPLACE = "REPLACE"
    # The same content again, sent later: only the time moves.
    TOUCH = "TOUCH"
    KEEP = "KEEP"
    REFUSE = "REFUSE"


_RANKS = {Change.NEW: 0, Change.MODIFY: 1, Change.DELETE: 2}


@dataclass(frozen=True, slots=True)
class Version:
    """What a version says of itself: when it was sent (microseconds since 1970 UTC), what it does, what it says."""

    send_us: int
    change: Change
    digest: bytes

    @property
    def is_deleted(self) -> bool:
        """Whether the document is taken back."""
        return self.change == Change.DELETE

    @property
    def _time(self) -> tuple[int, int]:
        return self.send_us, _RANKS[self.change]

    def says_the_same(self, other: "Version") -> bool:
        """Whether nothing would change; a deletion is one, whatever else stands in it."""
        return self.is_deleted == other.is_deleted and (self.is_deleted or self.digest == other.digest)

    def is_later(self, other: "Version") -> bool:
        """Whether it was sent later, or counts above it within the same second."""
        return self._time > other._time

    @property
    def order(self) -> tuple[int, int, bytes]:
        """Sorts versions by time, then by what they do, then by what they say: the same way in any order."""
        return (*self._time, self.digest)

    def comes_after(self, other: "Version") -> bool:
        """As is_later; of two changes of one moment the content decides."""
        return self.order > other.order


def step(known: Version | None, arriving: Version) -> Step:
    """What an arriving version does. A new document is refused where another stands under its number."""
    if known is None:
        return Step.ADD
    if arriving.says_the_same(known):
        return Step.TOUCH if arriving.is_later(known) else Step.KEEP
    if arriving.change == Change.NEW and known.change == Change.NEW:
        return Step.REFUSE
    if not arriving.comes_after(known):
        return Step.KEEP
    if arriving.change == Change.NEW and not known.is_deleted:
        return Step.REFUSE
    return Step.REPLACE
