"""Newest schemas for the empty stores of tests and benches: the steps run once a process, later stores get a copy.

A copy is what the steps made, byte for byte on SQLite, statement for statement on PostgreSQL. Nothing else is in
it: the migration that follows finds no step to run, and begins the log and binds the ring as in any fresh store.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any

import psycopg
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from sqlalchemy import event

from chassis import migrations
from chassis.database import Database, lock

Branches = tuple[str, ...]
# What only asks leaves nothing to repeat.
QUESTIONS = ("SELECT", "SHOW", "SET")

_files: dict[Branches, bytes] = {}
_scripts: dict[Branches, bytes] = {}


def lay(store: Database, folders: Sequence[str]) -> None:
    """Puts the newest schema of the branches into a store; one that has tables is left as it is."""
    branches = tuple(map(str, folders))
    if store.dialect == "sqlite":
        _lay_file(store, branches)
        return
    store.create_schema()
    with store.write() as connection:
        lock(connection, [f"migrations/{store.schema}"])
        if sa.inspect(connection).get_table_names(store.schema):
            return
        if branches in _scripts:
            _driver(connection).execute(_scripts[branches])
        else:
            _scripts[branches] = _recorded(store, connection, branches)


def lay_beside(url: str, schema: str, folders: Sequence[str]) -> None:
    """Does the same for a store that another connection will open; one in memory has no other."""
    store = Database(url, schema)
    if not store.in_memory:
        lay(store, folders)
    store.close()


def _lay_file(store: Database, branches: Branches) -> None:
    raw = store._writing.raw_connection()
    try:
        target: Any = raw.driver_connection
        if target.execute("SELECT 1 FROM sqlite_master").fetchone():
            return
        with sqlite3.connect(":memory:") as source:
            source.deserialize(_file(branches))
            source.backup(target)
        source.close()
    finally:
        raw.close()


def _file(branches: Branches) -> bytes:
    """Returns the bytes of a store that the steps made."""
    if branches not in _files:
        made = Database("sqlite://", "copied")
        with made.write() as connection:
            _run(connection, branches, made)
        raw = made._writing.raw_connection()
        driver: Any = raw.driver_connection
        _files[branches] = driver.serialize()
        raw.close()
        made.close()
    return _files[branches]


def _recorded(store: Database, connection: sa.Connection, branches: Branches) -> bytes:
    """Runs the steps and returns the statements that they made."""
    statements: list[bytes] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        if not statement.lstrip().upper().startswith(QUESTIONS):
            text = psycopg.ClientCursor(_driver(connection)).mogrify(statement.encode(), parameters or None)
            statements.append(text.encode())

    event.listen(connection, "before_cursor_execute", note)
    _run(connection, branches, store)
    event.remove(connection, "before_cursor_execute", note)
    return b";\n".join(statements)


def _run(connection: sa.Connection, branches: Branches, store: Database) -> None:
    script = ScriptDirectory.from_config(migrations.configuration(branches))
    migrations._run(connection, script, store.keys)


def _driver(connection: sa.Connection) -> Any:
    """Returns the driver's own connection."""
    return connection.connection.driver_connection
