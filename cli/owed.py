"""`aval owed`: the calls that the services of a platform owe each other, the events that wait, and how far each service
follows the others' logs.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from chassis import clock, inbox, owed, parked
from chassis.clock import MICROSECONDS
from chassis.owed import OwedCall, State
from chassis.parked import ParkedEvent
from chassis.service import Service
from cli import stores

MOST_LINES = 50


class NothingParked(ValueError):
    """A resource has no call that waits for a person, and no event that waits."""


def report(database: str, now_us: int) -> dict[str, Any]:
    """Returns every owed call of a platform's stores, the worst first, and how many there are of each state; the events
    that wait; and how far each service follows the others' logs.
    """
    with _snapshots(database) as snapshots:
        calls = [
            _told(service.name, call, now_us)
            for service, connection in snapshots.values()
            for call in owed.calls(connection)
        ]
        events = [
            _told_event(service.name, event, now_us)
            for service, connection in snapshots.values()
            for event in parked.every(connection)
        ]
        followed = list(_followed(snapshots, now_us))
    calls.sort(key=lambda call: list(State).index(call["state"]))
    counts = Counter(call["state"] for call in calls)
    return {
        "ok": True,
        "counts": {state: counts[state] for state in State},
        "calls": calls,
        "events": events,
        "followed": followed,
    }


Snapshots = Mapping[str, tuple[Service, sa.Connection]]


@contextlib.contextmanager
def _snapshots(database: str) -> Iterator[Snapshots]:
    """Every service that has a store, with a snapshot of it.

    A follower's store is read before those that it follows: what comes meanwhile waits in the latter.
    """
    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(stores.opened(database))
        followers_first = sorted(opened, key=lambda pair: not pair[0].subscriptions)
        read = [(service, stack.enter_context(store.read())) for service, store in followers_first]
        yield {service.name: (service, connection) for service, connection in read if _has_tasks(connection)}


def _has_tasks(connection: sa.Connection) -> bool:
    return sa.inspect(connection).has_table("tasks")


def _followed(snapshots: Snapshots, now_us: int) -> Iterator[dict[str, Any]]:
    """Yields the lag of each subscription whose source has a store."""
    for service, connection in snapshots.values():
        for source, reactions in service.subscriptions.items():
            if source in snapshots:
                _, log = snapshots[source]
                yield {"service": service.name, **asdict(inbox.lag(connection, log, source, reactions, now_us))}


def _told_event(service: str, event: ParkedEvent, now_us: int) -> dict[str, Any]:
    return {
        "service": service,
        "source": event.source,
        "resource": event.resource,
        "position": event.position,
        "type": event.type,
        "since": clock.to_text(event.since_us),
        "age_seconds": parked.seconds_waiting(event, now_us),
        "next_attempt": None if event.due_us is None else clock.to_text(event.due_us),
        "attempts": event.attempts,
        "failure": event.failure,
    }


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
    """Returns a report for a person: the worst calls, the events that wait, the services that are behind with events,
    and how many calls there are of each state.
    """
    calls = told["calls"]
    more = [f"and {len(calls) - MOST_LINES} more: --json lists all"] if len(calls) > MOST_LINES else []
    counts = ", ".join(f"{count} {state.lower()}" for state, count in told["counts"].items())
    events = [_event_line(event) for event in told["events"][:MOST_LINES]]
    behind = [_lag_line(lag) for lag in told["followed"] if lag["waiting"]]
    return [*(_line(call) for call in calls[:MOST_LINES]), *more, *events, *behind, counts]


def _event_line(event: Mapping[str, Any]) -> str:
    """Returns an event that waits as a line: "EVENT   declarations -> loans: breaches/1 breach.cured (17) since …"."""
    what = f"{event['resource']} {event['type']} ({event['position']}) since {event['since']}"
    why = event["failure"] or parked.BEHIND
    return f"{'EVENT':8}{event['source']} -> {event['service']}: {what}, {event['attempts']} attempts, {why}"


def _lag_line(lag: Mapping[str, Any]) -> str:
    """Returns a lag as a line: "BEHIND  declarations -> loans: 2 events to take, the oldest 7 seconds old"."""
    what = f"{lag['waiting']} events to take, the oldest {lag['age_seconds']} seconds old"
    return f"{'BEHIND':8}{lag['source']} -> {lag['service']}: {what}"


def _line(call: Mapping[str, Any]) -> str:
    """Returns a call as a line: "LATE loans -> settlement: loans/1 pay since 2026-01-01T…, 3 attempts, UNAVAILABLE"."""
    branch = f" ({call['branch']})" if call["branch"] else ""
    why = [text for text in (call["failure"], call["parked"]) if text]
    what = f"{call['resource']}{branch} {call['step']} since {call['since']}"
    return ", ".join(
        [f"{call['state']:8}{call['service']} -> {call['peer']}: {what}, {call['attempts']} attempts", *why]
    )


def retry(database: str, resource: str, now_us: int) -> dict[str, Any]:
    """Makes the parked calls of a resource due at once, and its waiting events, also while the platform runs.

    Raises NothingParked.
    """
    retried = 0
    with stores.opened(database) as opened:
        for _service, store in opened:
            with store.write() as connection:
                if _has_tasks(connection):
                    retried += owed.retry(connection, resource, now_us) + parked.retry(connection, resource, now_us)
    if not retried:
        raise NothingParked(
            f"{resource} has no parked call and no waiting event; `aval owed` lists those that there are"
        )
    return {"ok": True, "retried": retried}
