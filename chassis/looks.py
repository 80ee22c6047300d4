"""What callers were shown lately: a replayed stream shows the same, and needn't be written down page by page."""

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
    """What each principal was shown, until when that is the same look. In memory: forgotten, it is written again."""

    until_us: dict[Key, int] = field(default_factory=dict)

    def look(self, caller: Caller, now_us: int) -> "Look":
        """A new look of a caller's."""
        return Look(self, (caller.tenant, caller.principal), now_us)


@dataclass(slots=True)
class Look:
    """One read of a caller's, and what it shows that isn't written down yet."""

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
        """What was fresh is written down: it was shown."""
        if len(self.lately.until_us) + len(self.fresh) > MOST_KEPT:
            self.lately.until_us.clear()
        self.lately.until_us.update(dict.fromkeys(self.fresh, self.now_us + SAME_LOOK_US))
