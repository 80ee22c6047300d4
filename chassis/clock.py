"""Time is injected: microseconds since the epoch, UTC. Nothing else in Aval reads a clock."""

import datetime
import time
from typing import Protocol

MICROSECONDS = 1_000_000


class Clock(Protocol):
    """Tells the time."""

    def now_us(self) -> int:
        """Returns microseconds since 1970-01-01T00:00:00Z."""
        ...


def to_text(us: int) -> str:
    """Returns a time as text: 1767225600000000 is "2026-01-01T00:00:00+00:00"."""
    return datetime.datetime.fromtimestamp(us // MICROSECONDS, datetime.UTC).isoformat()


class SystemClock:
    """The machine's clock."""

    def now_us(self) -> int:
        """Returns microseconds since the epoch by the machine."""
        return time.time_ns() // 1000


class ManualClock:
    """A clock that stands still until it is moved: for tests and the simulation."""

    def __init__(self, now_us: int) -> None:
        self._now_us = now_us

    def now_us(self) -> int:
        """Returns the time it was set to."""
        return self._now_us

    def advance(self, microseconds: int) -> None:
        """Moves on; never back."""
        assert microseconds >= 0
        self._now_us += microseconds


def day(time_us: int, zone: datetime.tzinfo) -> datetime.date:
    """Returns the calendar day of a time in a zone: 16:00 UTC on 1 March is 2 March at UTC+8."""
    return datetime.datetime.fromtimestamp(time_us // MICROSECONDS, tz=zone).date()
