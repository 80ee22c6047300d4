"""Proof from the rows alone: balances, chains, dense events, tasks that agree with plans."""

import pathlib
import time
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from chassis import migrations, tables
from chassis import verification as chassis_verification
from chassis.database import Database
from chassis.keyring import NO_KEYS, KeyRing
from chassis.service import Service
from cli import agreement, breaches, stores

# Violations of the chain begin with this word.
CHAIN = "chain:"


def verify(database: str, is_whole: bool, rings: pathlib.Path | None = None) -> dict[str, Any]:
    """Returns the report: ok, books, events by service, whether the chains hold, every violation with its place, the
    services whose blobs couldn't be opened, and what is parked: calls that wait for a person, which is no violation.

    `is_whole`: a platform ran on it, so that every service must have its store; an import alone makes
    only that of the declarations. `rings`: the folder of the key rings, where they are at hand.
    """
    books: list[dict[str, Any]] = []
    events: dict[str, int] = {}
    violations: list[str] = []
    filled: dict[str, Database] = {}
    parked: list[dict[str, Any]] = []
    unopened: list[str] = []
    with stores.opened(database, rings) as opened:
        for service, store in opened:
            with store.read() as connection:
                if not sa.inspect(connection).has_table("log_head"):
                    violations += [f"{service.name}: its store is missing"] if is_whole else []
                    continue
                books += [{"service": service.name, **asdict(book)} for book in service.books(connection)]
                events[service.name] = _event_count(connection)
                keys = migrations.ring_of(connection, store.keys)
                violations += _violations(service, connection, keys)
                unopened += [service.name] if keys is NO_KEYS and _has_blobs(connection) else []
                filled[service.name] = store
                parked += [{"service": service.name, **task} for task in chassis_verification.parked(connection)]
        violations += [*agreement.violations(filled, time.time_ns() // 1000), *breaches.violations(filled)]
    chains_ok = not any(CHAIN in violation for violation in violations)
    return {
        "ok": not violations,
        "books": books,
        "events": events,
        "chains_ok": chains_ok,
        "violations": violations,
        "unopened_blobs": unopened,
        "parked": parked,
    }


def _event_count(connection: sa.Connection) -> int:
    return int(connection.execute(sa.select(sa.func.count()).select_from(tables.events)).scalar_one())


def _has_blobs(connection: sa.Connection) -> bool:
    return connection.execute(sa.select(tables.blobs.c.id).limit(1)).first() is not None


def _violations(service: Service, connection: sa.Connection, keys: KeyRing) -> list[str]:
    return [f"{service.name}: {violation}" for violation in chassis_verification.violations(service, connection, keys)]


def is_untouched(database: str) -> bool:
    """Whether no service has told anything yet: nothing of its business has a date."""
    with stores.opened(database) as opened:
        return all(_is_untouched(store) for _service, store in opened)


def _is_untouched(store: Database) -> bool:
    with store.read() as connection:
        return _event_count(connection) == 0


def is_empty(database: str) -> bool:
    """Whether there is nothing to verify: the platform never ran on this store."""
    store = Database(database, "declarations")
    try:
        with store.read() as connection:
            return not sa.inspect(connection).has_table("log_head")
    finally:
        store.close()
