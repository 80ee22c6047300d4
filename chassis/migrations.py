"""Schemas by Alembic: the chassis, the ledger and each service are branches of their own."""

import pathlib
from collections.abc import Callable, Iterable, Sequence

import sqlalchemy as sa
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

from chassis import eventlog, tables
from chassis.database import Database, lock
from chassis.ids import RandomBytes
from chassis.keyring import NO_KEYS, KeyRing

CHASSIS = pathlib.Path(__file__).parent / "versions"


class UnfitStore(Exception):
    """A process can't work on this store, however often it tries."""


class OtherRing(UnfitStore):
    """The store was filled with another key ring: its sealed values couldn't be read nor its tokens be found."""


class UnknownRevisions(UnfitStore):
    """The store has a schema that this version of Aval doesn't know."""


def configuration(folders: Sequence[str]) -> Config:
    """Alembic's configuration for these branches."""
    config = Config()
    config.set_main_option("script_location", str(CHASSIS.parent))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", "\n".join(map(str, [CHASSIS, *folders])))
    return config


def upgrade(
    store: Database,
    folders: Sequence[str],
    random: RandomBytes,
    prepare: Iterable[Callable[[sa.Connection], None]] = (),
) -> bool:
    """Brings a store to the newest schema of the branches and prepares it; safe to repeat.

    Returns whether a store that had rows was carried over. Raises UnknownRevisions; OtherRing if it was filled with
    another key ring.
    """
    store.create_schema()
    script = ScriptDirectory.from_config(configuration(folders))
    with store.write() as connection:
        # The processes of a service start together; the first one migrates.
        lock(connection, [f"migrations/{store.schema}"])
        context = MigrationContext.configure(connection)
        current = context.get_current_heads()
        _refuse_unknown(store, script, current)
        # The heads alone don't tell: what another branch's step depends on isn't kept among them.
        pending = script._upgrade_revs("heads", current)  # type: ignore[arg-type]
        if pending:
            _run(connection, script, store.keys)
        eventlog.initialise(connection, random(8).hex())
        _belong(connection, store.keys)
        for step in prepare:
            step(connection)
    return bool(current and pending)


def _refuse_unknown(store: Database, script: ScriptDirectory, current: Iterable[str]) -> None:
    unknown = set(current) - {step.revision for step in script.walk_revisions()}
    if unknown:
        raise UnknownRevisions(
            f"the store of {store.schema} has a schema that this version of Aval doesn't know"
            f" ({', '.join(sorted(unknown))}): run the version that wrote it, or start with a fresh store"
        )


def _belong(connection: sa.Connection, keys: KeyRing) -> None:
    """A store belongs to the ring that it is filled with: its tokens are found by no other."""
    if keys is NO_KEYS:
        return
    known = connection.execute(sa.select(tables.key_rings.c.token)).scalar_one_or_none()
    if known is None:
        connection.execute(sa.insert(tables.key_rings).values(id=1, token=keys.token("ring", b"")))
    elif not keys.is_token(known, "ring", b""):
        raise OtherRing("the store was filled with another key ring: bring back the ring that was kept with it")


def ring_of(connection: sa.Connection, keys: KeyRing) -> KeyRing:
    """Returns a ring if the store was filled with it, NO_KEYS otherwise."""
    known = connection.execute(sa.select(tables.key_rings.c.token)).scalar_one_or_none()
    return keys if known is not None and keys.is_token(known, "ring", b"") else NO_KEYS


def _run(connection: sa.Connection, script: ScriptDirectory, keys: KeyRing) -> None:
    """Runs the steps; those that seal find the store's key ring as the context's option `keys`."""

    def steps(revision: object, _context: object) -> object:
        return script._upgrade_revs("heads", revision)  # type: ignore[arg-type]

    context = MigrationContext.configure(connection, opts={"fn": steps, "script": script, "keys": keys})
    with Operations.context(context):
        context.run_migrations()
