"""Looks: what callers were shown lately.

A replayed stream shows the same, which needn't be written down page by page.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field

from chassis.clock import MICROSECONDS
from chassis.identity import Caller

# As long as an outsider's stream lasts: whoever follows one after the other is written down anew with each.
SAME_LOOK_US = 300 * MICROSECONDS
MOST_KEPT = 100_000

Key = tuple[str, str, Hashable]


@dataclass(slots=True)
class Lately:
    """The things that each principal was shown, and until when they count as the same look.

    They are in memory: a forgotten one is written again.
    """

    until_us: dict[Key, int] = field(default_factory=dict)

    def look(self, caller: Caller, now_us: int) -> "Look":
        """Begins a look of a caller's."""
        return Look(self, (caller.tenant, caller.principal), now_us)


@dataclass(slots=True)
class Look:
    """A caller's read, and what it shows that isn't written down yet."""

    lately: Lately
    caller: tuple[str, str]
    now_us: int
    fresh: list[Key] = field(default_factory=list)

    def is_fresh(self, shown: Hashable) -> bool:
        """Whether it wasn't shown lately; then it is kept once `keep` says that it is written down."""
        key = (*self.caller, shown)
        if self.lately.until_us.get(key, 0) > self.now_us:
            return False
        self.fresh.append(key)
        return True

    def keep(self) -> None:
        """Notes that the fresh ones are written down and were shown."""
        if len(self.lately.until_us) + len(self.fresh) > MOST_KEPT:
            self.lately.until_us.clear()
        self.lately.until_us.update(dict.fromkeys(self.fresh, self.now_us + SAME_LOOK_US))
