"""Dated data: versions of tables loaded into the stores of all services, in one order; listed; checked.

A version goes from store to store. Where a load was cut off, the next one first carries every version that some store
has to those that lack it, so that all stores have all versions in the same order.
"""

import pathlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from chassis.clock import SystemClock
from chassis.database import Database
from chassis.errors import Problem
from cli import dates, stores
from trade.dated_tables import loading
from trade.dated_tables import store as dated_tables_store
from trade.dated_tables.loading import Draft
from trade.dated_tables.model import Edition, Table
from trade.dated_tables.problems import problem
from trade.dated_tables.store import EditionConflict
from trade.tables import dated_tables

# Loads at once wait for each other at the first store; whoever comes second looks again.
ATTEMPTS = 5

# Told of each version that a service has taken.
Told = Callable[[Edition, str], None]
Held = Sequence[tuple[str, Database]]


class TablesRefused(Exception):
    """No file was loaded; the problems of each stand by its path."""

    def __init__(self, problems: Mapping[str, Sequence[Problem]]) -> None:
        super().__init__(f"{sum(map(len, problems.values()))} problems")
        self.problems = problems


def _nothing(_edition: Edition, _service: str) -> None:
    """Tells nobody."""


def drafts(paths: Iterable[pathlib.Path], source: str = "") -> list[Draft]:
    """Returns the files at these paths as drafts. Raises OSError."""
    return [loading.draft(path, path.read_bytes(), source) for path in paths]


def check(drafts: Sequence[Draft]) -> None:
    """Checks files by themselves. Raises TablesRefused."""
    counts = Counter(draft.name for draft in drafts)
    twice = {name: [problem("name", "TABLE_TWICE", name=name)] for name, count in counts.items() if count > 1}
    _refuse({draft.path: [*loading.problems(draft), *twice.get(draft.name, ())] for draft in drafts})


def _refuse(problems: Mapping[str, Sequence[Problem]]) -> None:
    wrong = {path: listed for path, listed in problems.items() if listed}
    if wrong:
        raise TablesRefused(wrong)


def load(database: str, drafts: Sequence[Draft], correction: str = "", told: Told = _nothing) -> list[Edition]:
    """Loads files into every store, or none; returns the versions that are in force then. What is in force stays.

    `correction` says why days that have passed are changed. Raises TablesRefused; EditionConflict while others load.
    """
    check(drafts)
    with stores.opened(database) as opened:
        held = [(service.name, store) for service, store in _in_order(opened) if _has_tables(store)]
        for _ in range(ATTEMPTS - 1):
            try:
                return _load(held, drafts, correction, told)
            except EditionConflict:
                continue
        return _load(held, drafts, correction, told)


def _load(held: Held, drafts: Sequence[Draft], correction: str, told: Told) -> list[Edition]:
    _level(held, told)
    today = max(row.date for row in dates.standing_of(held).values())
    newest = {draft.name: _newest(held[0][1], draft.name) for draft in drafts}
    fresh = [draft for draft in drafts if not _is_in_force(draft, newest[draft.name])]
    _refuse({draft.path: loading.conflicts(draft, newest[draft.name], today, correction) for draft in fresh})
    for draft in fresh:
        before = newest[draft.name]
        _spread(held, loading.table(draft, before.edition if before else None, correction), told)
    return [edition for draft in drafts if (edition := _in_force(held[0][1], draft.name))]


def _level(held: Held, told: Told) -> None:
    """Carries each version that some store has to those that lack it."""
    standing = {service: set(_editions(store)) for service, store in held}
    origins = {edition: store for service, store in held for edition in standing[service]}
    for edition in sorted(origins, key=lambda edition: (edition.name, edition.version)):
        if any(edition not in standing[service] for service, _ in held):
            with origins[edition].read() as connection:
                table = dated_tables_store.version(connection, edition.name, edition.version)
            _spread(held, table, told)


def _spread(held: Held, table: Table, told: Told) -> None:
    """Adds a version to each store that lacks it, in order. Raises EditionConflict."""
    now_us = SystemClock().now_us()
    for service, store in held:
        with store.write() as connection:
            is_new = dated_tables_store.add(connection, table, now_us)
        if is_new:
            told(table.edition, service)


def _is_in_force(draft: Draft, newest: Table | None) -> bool:
    return newest is not None and newest.edition.digest == draft.digest


def _newest(store: Database, name: str) -> Table | None:
    with store.read() as connection:
        edition = dated_tables_store.newest(connection, name)
        return None if edition is None else dated_tables_store.version(connection, name, edition.version)


def _in_force(store: Database, name: str) -> Edition | None:
    with store.read() as connection:
        return dated_tables_store.newest(connection, name)


def _editions(store: Database) -> list[Edition]:
    with store.read() as connection:
        return dated_tables_store.editions(connection)


def listed(database: str) -> list[dict[str, Any]]:
    """Returns all versions with the services that hold each, by name, then version."""
    holders: dict[Edition, list[str]] = {}
    with stores.opened(database) as opened:
        for service, store in _in_order(opened):
            for edition in _editions(store) if _has_tables(store) else ():
                holders.setdefault(edition, []).append(service.name)
    ordered = sorted(holders, key=lambda edition: (edition.name, edition.version))
    return [shown(edition) | {"services": holders[edition]} for edition in ordered]


def shown(edition: Edition) -> dict[str, Any]:
    """Returns a version as the commands print it."""
    return {
        "name": edition.name,
        "version": edition.version,
        "source": edition.source,
        "digest": edition.digest.hex(),
        "correction": edition.correction,
    }


def refused(refusal: TablesRefused) -> list[dict[str, str]]:
    """Returns the problems of files as the commands print them."""
    return [
        {"file": path, "path": each.path, "reason": each.reason, "message": each.english, "chinese": each.chinese}
        for path, problems in refusal.problems.items()
        for each in problems
    ]


def _in_order(opened: stores.Opened) -> stores.Opened:
    """Returns services and stores in the order in which versions go from store to store: that of a close."""
    return sorted(opened, key=lambda pair: dates.ORDER.index(pair[0].name))


def _has_tables(store: Database) -> bool:
    with store.read() as connection:
        return sa.inspect(connection).has_table(dated_tables.name)
