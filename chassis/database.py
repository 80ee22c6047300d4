"""One way to a service's store, on SQLite and on PostgreSQL.

SQLite: one file a service, WAL, full durability. PostgreSQL: one database, each service its own
schema and role. Differences between the dialects live here or in the one store module of a hot path.
"""

import contextlib
import hashlib
import os
import pathlib
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy import event, exc, pool
from sqlalchemy.dialects import postgresql, sqlite

from chassis import private
from chassis.keyring import NO_KEYS, KeyRing

# What a database may refuse: hot paths speak to the driver, whose errors come unwrapped.
Failure = (exc.DBAPIError, psycopg.Error, sqlite3.Error)

# Of these, what may go away by itself: the store is out of reach, or another transaction was in the way.
PASSING = (exc.OperationalError, exc.InterfaceError, psycopg.OperationalError, sqlite3.OperationalError)
# Of these, what says that another transaction was in the way.
_IN_THE_WAY = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure, psycopg.errors.LockNotAvailable)

BUSY_MILLISECONDS = 30_000
LOCK_ROLES = 0x6176616C
SQLITE_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    f"busy_timeout={BUSY_MILLISECONDS}",
    "cache_size=-65536",
    "wal_autocheckpoint=16000",
)
# Plans made while a table was still empty would be kept: the writer always takes the index.
WRITER_SETTINGS = (
    "enable_seqscan=off",
    "enable_hashjoin=off",
    "enable_mergejoin=off",
    "plan_cache_mode=force_generic_plan",
)


def is_contention(failure: Exception) -> bool:
    """Whether another transaction was in the way; the same again may well succeed."""
    return isinstance(getattr(failure, "orig", failure), _IN_THE_WAY)


class Database:
    """A service's store. `write` is for the one writer, `read` gives consistent snapshots."""

    def __init__(self, url: str, schema: str, keys: KeyRing = NO_KEYS) -> None:
        """`url`: sqlite:///FOLDER, sqlite:// (in memory, one connection) or postgresql://…; `keys` seal its values."""
        self.url, self.schema, self.keys = url, schema, keys
        self.dialect = "sqlite" if url.startswith("sqlite") else "postgresql"
        self.in_memory = url == "sqlite://"
        self._thread = threading.local()
        # Tells a process its own notices from those of others.
        self.process_name = f"aval_{schema}_{os.getpid()}"
        self._writing = self._engine(writing=True)
        self._reading = self._writing if self.in_memory else self._engine(writing=False)

    def _engine(self, writing: bool) -> sa.Engine:
        if self.dialect == "sqlite":
            return self._sqlite_engine(writing)
        return self._postgresql_engine(writing)

    def _sqlite_engine(self, writing: bool) -> sa.Engine:
        address = "sqlite://"
        if not self.in_memory:
            file = pathlib.Path(self.url.removeprefix("sqlite:///")) / f"{self.schema}.sqlite"
            _keep_private(file)
            address = f"sqlite:///{file}"
        # Statements are kept prepared. Each thread that writes has a connection of its own, or one would join another's
        # transaction; SQLite lets them write in turn.
        options: dict[str, Any] = {"connect_args": {"check_same_thread": False, "cached_statements": 512}}
        # A failed statement's message goes to the log: without the values.
        options["hide_parameters"] = True
        options["poolclass"] = pool.StaticPool if self.in_memory else pool.QueuePool
        engine = sa.create_engine(address, **options)
        event.listen(engine, "connect", _prepare_sqlite)
        begin = "BEGIN IMMEDIATE" if writing else "BEGIN"
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
        return engine

    def _postgresql_engine(self, writing: bool) -> sa.Engine:
        address = "postgresql+psycopg://" + self.url.split("://", 1)[1]
        options: dict[str, Any] = {"pool_size": 4, "max_overflow": 12, "pool_pre_ping": not writing}
        options["hide_parameters"] = True
        if not writing:
            options["isolation_level"] = "REPEATABLE READ"
        engine = sa.create_engine(address, **options)
        settings = [f"search_path={self.schema}", f"application_name='{self.process_name}'"]
        settings += WRITER_SETTINGS if writing else ()

        def prepare(connection: Any, _record: Any) -> None:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s AND pg_has_role(oid, 'member')", [self.role])
                if cursor.fetchone():
                    cursor.execute(f'SET ROLE "{self.role}"')
                for setting in settings:
                    name, value = setting.split("=")
                    cursor.execute(f"SET {name} TO {value}")
            connection.commit()

        event.listen(engine, "connect", prepare)
        return engine

    @property
    def role(self) -> str:
        """Returns the PostgreSQL role that owns the schema and nothing else."""
        return f"aval_{self.schema}"

    def create_schema(self) -> None:
        """Makes the schema and its role on PostgreSQL, where the login may; safe to repeat."""
        if self.dialect == "sqlite":
            return
        address = "postgresql+psycopg://" + self.url.split("://", 1)[1]
        engine = sa.create_engine(address, poolclass=pool.NullPool)
        with engine.begin() as connection:
            # One at a time: roles belong to the whole cluster.
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK_ROLES})")
            owner = self._create_role(connection)
            connection.exec_driver_sql(f'CREATE SCHEMA IF NOT EXISTS "{self.schema}" AUTHORIZATION "{owner}"')
        engine.dispose()
        self._writing.dispose()
        self._reading.dispose()

    def _create_role(self, connection: sa.Connection) -> str:
        """Returns the schema's owner: its own role, or the login itself where that may make no roles."""
        login = str(connection.exec_driver_sql("SELECT current_user").scalar_one())
        member = "SELECT pg_has_role(oid, 'member') FROM pg_roles WHERE rolname = %s"
        is_member = connection.exec_driver_sql(member, (self.role,)).scalar_one_or_none()
        if is_member is None:
            may = "SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user"
            if not connection.exec_driver_sql(may).scalar_one():
                return login
            connection.exec_driver_sql(f'CREATE ROLE "{self.role}" NOLOGIN')
            connection.exec_driver_sql(f'GRANT "{self.role}" TO "{login}"')
            is_member = True
        return self.role if is_member else login

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keeps one connection for all writes of this thread: the writer's, which has no time to ask for it anew."""
        with self._writing.connect() as connection:
            self._thread.connection = connection
            try:
                yield
            finally:
                del self._thread.connection

    @contextlib.contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Gives a durable transaction: committed at the end, rolled back by an exception."""
        held: sa.Connection | None = getattr(self._thread, "connection", None)
        if held is not None:
            with held.begin():
                yield held
            return
        with self._writing.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Gives a consistent snapshot; nothing is written."""
        with self._reading.connect() as connection, connection.begin():
            yield connection

    def close(self) -> None:
        """Ends all connections."""
        self._writing.dispose()
        self._reading.dispose()


def _keep_private(file: pathlib.Path) -> None:
    """Makes a store's file and folder, and leaves them to their owner alone; SQLite's -wal and -shm follow the file."""
    private.keep_folder(file.parent)
    file.touch(mode=private.FILE)
    for ending in ("", "-wal", "-shm"):
        beside = file.with_name(file.name + ending)
        with contextlib.suppress(FileNotFoundError):
            private.keep(beside, private.FILE)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    for pragma in SQLITE_PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def lock(connection: sa.Connection, names: Sequence[str]) -> None:
    """Locks the named rows until commit, in one order for all; SQLite's writer is alone anyway."""
    if names and connection.dialect.name == "postgresql":
        connection.exec_driver_sql(
            "SELECT pg_advisory_xact_lock(key) FROM unnest(%s::bigint[]) AS key",
            (sorted({lock_key(name) for name in names}),),
        )


def try_lock(connection: sa.Connection, name: str) -> bool:
    """Locks a name until commit unless another process has it; SQLite's writer is alone anyway."""
    if connection.dialect.name != "postgresql":
        return True
    return bool(connection.exec_driver_sql("SELECT pg_try_advisory_xact_lock(%s)", (lock_key(name),)).scalar_one())


def lock_shared(connection: sa.Connection, name: str) -> None:
    """Beside all others that take the name shared, never beside one that locks it."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock_shared(%s)", (lock_key(name),))


def lock_key(name: str) -> int:
    """Returns a name as a signed 64-bit key."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)


def insert_for(connection: sa.Connection) -> Any:
    """Returns the dialect's own insert, which knows ON CONFLICT."""
    return postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
