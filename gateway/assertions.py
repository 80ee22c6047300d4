"""Assertions, signed once and used again until they are a minute old: a signature costs more than a call."""

from chassis.clock import MICROSECONDS, Clock
from chassis.identity import Caller, Signer

# Far below the five minutes they are valid for.
RENEWAL_US = 60 * MICROSECONDS
MOST_KEPT = 10_000


class Assertions:
    """Says to each service who calls."""

    def __init__(self, signer: Signer, clock: Clock) -> None:
        self._signer, self._clock = signer, clock
        self._kept: dict[tuple[Caller, str], tuple[int, str]] = {}

    def of(self, caller: Caller, service: str) -> str:
        """Returns the caller's assertion for a service."""
        now_us = self._clock.now_us()
        kept = self._kept.get((caller, service))
        if kept is None or kept[0] <= now_us:
            kept = self._kept[caller, service] = self._sign(caller, service, now_us)
        return kept[1]

    def _sign(self, caller: Caller, service: str, now_us: int) -> tuple[int, str]:
        if len(self._kept) >= MOST_KEPT:
            self._kept.clear()
        return now_us + RENEWAL_US, self._signer.assertion(caller, service, now_us)
