"""`aval keys`: the key rings of the services and the gateway, and their rotation while the platform runs.

A rotation adds a key to the ring, which every process takes over by itself, and seals each row anew with
it, a batch at a time. Interrupted, it is taken up where it was; the old key opens rows until it is retired.
"""

import contextlib
import pathlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from chassis import database, keyring, sealing
from chassis.clock import Clock, SystemClock
from chassis.database import Database
from chassis.ids import RandomBytes, system_random
from chassis.keyring import KeyFile
from cli.layout import Layout
from cli.stores import SERVICES
from gateway import store as gateway
from gateway import tables as gateway_tables

ROWS_AT_ONCE = sealing.ROWS_AT_ONCE
# Who has a ring, and which tables it seals.
OWNERS: Mapping[str, Sequence[sa.Table]] = {
    **{service.name: service.sealed for service in SERVICES},
    gateway.SCHEMA: gateway_tables.SEALED,
}

# Called with the service, how many rows are sealed anew, and how many there are to do.
Told = Callable[[str, int, int], None]


class NoRing(Exception):
    """There is no key ring."""


@dataclass(frozen=True)
class Ring:
    """A ring with the store that it seals; `owner` is the service's name, or the gateway's."""

    owner: str
    store: Database
    file: KeyFile

    @property
    def sealed(self) -> Sequence[sa.Table]:
        """The tables of sealed values that there may be."""
        return OWNERS[self.owner]

    def rows_by_key(self) -> dict[str, int]:
        """How many rows each key seals."""
        if not self.sealed:
            return {}
        with self.store.read() as connection:
            return sealing.rows_by_key(connection, self.tables(connection))

    def tables(self, connection: sa.Connection) -> list[sa.Table]:
        """The service's tables of sealed values, those that its store has already."""
        return [table for table in self.sealed if sa.inspect(connection).has_table(table.name)]

    @contextlib.contextmanager
    def nobody_seals(self) -> Iterator[dict[str, int]]:
        """How many rows each key seals, and stays so for the block: who waits to seal will see the ring it leaves."""
        if not self.sealed:
            yield {}
            return
        with self.store.write() as connection:
            database.lock(connection, [sealing.RETIRING])
            yield sealing.rows_by_key(connection, self.tables(connection))

    def old_rows(self) -> int:
        """How many rows the current key doesn't seal."""
        current = self.file.current_id
        return sum(count for key, count in self.rows_by_key().items() if key != current)


@contextlib.contextmanager
def opened(
    layout: Layout, address: str | None, names: Iterable[str], file: pathlib.Path | None
) -> Iterator[list[Ring]]:
    """The rings of the named services, or of all that have one. NoRing where a named one has none."""
    named = set(names)
    found: list[Ring] = []
    try:
        for owner in OWNERS:
            path = file or keyring.file_of(layout.keys, owner)
            if (named and owner not in named) or (not named and not path.exists()):
                continue
            found.append(_ring(owner, address or layout.database_in_use(), path))
        if not found:
            raise NoRing(f"{layout.keys} has no key rings")
        yield found
    finally:
        for ring in found:
            ring.store.close()


def _ring(owner: str, address: str, path: pathlib.Path) -> Ring:
    try:
        file = KeyFile(path)
    except FileNotFoundError as error:
        raise NoRing(f"{path} isn't there") from error
    return Ring(owner, Database(address, owner, file), file)


def listed(ring: Ring) -> dict[str, Any]:
    """A ring's keys, oldest first, with the rows that each seals."""
    rows = ring.rows_by_key()
    keys = ring.file.read()
    use = {key.id: "old" for key in keys.keys} | {keys.current.id: "current"}
    return {
        "service": ring.owner,
        "keys": [
            {
                "id": key.id,
                "create_time": keyring.time_text(key.create_us),
                "use": use.get(key.id, "next"),
                "rows": rows.get(key.id, 0),
            }
            for key in sorted(keys.opening, key=lambda key: key.create_us)
        ],
    }


def prepare(ring: Ring, clock: Clock | None = None, random: RandomBytes = system_random) -> str:
    """Puts the next key into the ring without using it yet; its id."""
    with keyring.changing(ring.file.file):
        keys = ring.file.read().with_next(random, (clock or SystemClock()).now_us())
        ring.file.write(keys)
    assert keys.next is not None
    return keys.next.id


def rotate(ring: Ring, told: Told, clock: Clock | None = None, random: RandomBytes = system_random) -> dict[str, Any]:
    """Adds a key, unless a rotation was left unfinished, and seals every row with the current one."""
    added = _add_key(ring, clock or SystemClock(), random)
    resealed = _reseal(ring, told)
    return {"service": ring.owner, "current": ring.file.current_id, "added": added, "resealed": resealed}


def _add_key(ring: Ring, clock: Clock, random: RandomBytes) -> bool:
    with keyring.changing(ring.file.file):
        if ring.old_rows():
            return False
        ring.file.write(ring.file.read().with_new(random, clock.now_us()))
        return True


def _reseal(ring: Ring, told: Told) -> int:
    """Until no row is left: a transaction that was under way may have sealed with the old key."""
    done = 0
    while left := ring.old_rows():
        for count in _reseal_once(ring):
            done += count
            told(ring.owner, done, max(done, left))
    return done


def _reseal_once(ring: Ring) -> Iterator[int]:
    with ring.store.read() as connection:
        tables = ring.tables(connection)
    for table in tables:
        after, is_over = "", False
        while not is_over:
            started = time.monotonic()
            with ring.store.write() as connection:
                count, after = sealing.reseal(connection, ring.file, table, after, ROWS_AT_ONCE)
            yield count
            is_over = not after
            # Half of the time is the service's own.
            time.sleep(time.monotonic() - started)


def retire(ring: Ring) -> list[str]:
    """Takes the old keys out of the ring that no row uses; their ids."""
    with keyring.changing(ring.file.file), ring.nobody_seals() as used:
        keys = ring.file.read()
        retired = [key.id for key in keys.keys[:-1] if key.id not in used]
        for identifier in retired:
            keys = keys.without(identifier)
        if retired:
            ring.file.write(keys)
    return retired
