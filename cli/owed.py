"""`aval owed`: the calls that the services of a platform owe each other, and those that wait for a person."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from chassis import clock, owed
from chassis.clock import MICROSECONDS
from chassis.owed import OwedCall, State
from cli import stores

MOST_LINES = 50


class NothingParked(ValueError):
    """A resource has no call that waits for a person."""


def report(database: str, now_us: int) -> dict[str, Any]:
    """Returns every owed call of a platform's stores, the worst first, and how many there are of each state."""
    calls = sorted(_calls(database, now_us), key=lambda call: list(State).index(call["state"]))
    counts = Counter(call["state"] for call in calls)
    return {"ok": True, "counts": {state: counts[state] for state in State}, "calls": calls}


def _calls(database: str, now_us: int) -> Iterator[dict[str, Any]]:
    with stores.opened(database) as opened:
        for service, store in opened:
            with store.read() as connection:
                if sa.inspect(connection).has_table("tasks"):
                    yield from (_told(service.name, call, now_us) for call in owed.calls(connection))


def _told(service: str, call: OwedCall, now_us: int) -> dict[str, Any]:
    return {
        "service": service,
        "resource": call.resource,
        "branch": call.branch,
        "step": call.step,
        "peer": call.peer,
        "state": call.state(now_us),
        "since": clock.to_text(call.since_us),
        "age_seconds": max(now_us - call.since_us, 0) // MICROSECONDS,
        "not_before": clock.to_text(call.not_before_us) if call.not_before_us else None,
        "next_attempt": None if call.parked is not None else clock.to_text(call.due_us),
        "attempts": call.attempts,
        "failure": call.failure,
        "parked": call.parked,
    }


def lines(told: Mapping[str, Any]) -> Sequence[str]:
    """Returns a report for a person: the worst calls, and how many there are of each state."""
    calls = told["calls"]
    more = [f"and {len(calls) - MOST_LINES} more: --json lists all"] if len(calls) > MOST_LINES else []
    counts = ", ".join(f"{count} {state.lower()}" for state, count in told["counts"].items())
    return [*(_line(call) for call in calls[:MOST_LINES]), *more, counts]


def _line(call: Mapping[str, Any]) -> str:
    """Returns a call as a line: "LATE loans -> settlement: loans/1 pay since 2026-01-01T…, 3 attempts, UNAVAILABLE"."""
    branch = f" ({call['branch']})" if call["branch"] else ""
    why = [text for text in (call["failure"], call["parked"]) if text]
    what = f"{call['resource']}{branch} {call['step']} since {call['since']}"
    return ", ".join(
        [f"{call['state']:8}{call['service']} -> {call['peer']}: {what}, {call['attempts']} attempts", *why]
    )


def retry(database: str, resource: str, now_us: int) -> dict[str, Any]:
    """Makes the parked calls of a resource due at once, also while the platform runs. Raises NothingParked."""
    retried = 0
    with stores.opened(database) as opened:
        for _service, store in opened:
            with store.write() as connection:
                if sa.inspect(connection).has_table("tasks"):
                    retried += owed.retry(connection, resource, now_us)
    if not retried:
        raise NothingParked(f"{resource} has no parked call; `aval owed` lists those that there are")
    return {"ok": True, "retried": retried}
