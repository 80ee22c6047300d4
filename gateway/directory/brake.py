"""How attempts that fail are slowed down: each waits its turn, nobody is locked out."""

from dataclasses import dataclass

from chassis.clock import MICROSECONDS

FIRST_DELAY_US = MICROSECONDS // 2
# Beyond this many doublings every delay is the longest.
MOST_DOUBLINGS = 20
# How many of the longest delays somebody waits for; who comes even later is told when to come again.
LONGEST_WAIT_DELAYS = 2


@dataclass(frozen=True, slots=True)
class Brake:
    """So many failures without delay, then half a second, doubled for each, up to the longest delay."""

    free: int
    longest_delay_us: int
    window_us: int

    @property
    def longest_wait_us(self) -> int:
        """Returns the longest that an attempt waits for its turn."""
        return LONGEST_WAIT_DELAYS * self.longest_delay_us

    def delay_us(self, failures: int) -> int:
        """Returns how long after the latest attempt the next one has its turn. Of 5 free: 4 give 0, 5 0.5 s, 6 1 s."""
        if failures < self.free:
            return 0
        return min(FIRST_DELAY_US << min(failures - self.free, MOST_DOUBLINGS), self.longest_delay_us)

    def turn_us(self, failures: int, latest_us: int, now_us: int) -> int:
        """Returns when an attempt has its turn: attempts at the same time have theirs one after the other."""
        return max(now_us, latest_us + self.delay_us(failures))
