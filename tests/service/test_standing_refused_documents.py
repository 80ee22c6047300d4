"""Documents refused before contents were blobs are carried over: the same bytes, for the same sender, sealed anew."""

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

from chassis import keyring, migrations, sealing, tables
from chassis.blobs import proof
from chassis.blobs import store as blob_store
from chassis.database import Database
from services.declarations.intake.refused import store as refused_store
from services.declarations.service import SERVICE
from tests.support import NOW_US, migrate, ring

BEFORE = ("chassis_0005", "declarations_0005", "ledger@head")
LARGE = b"%PDF-1.7 " + bytes(700_000) + b"%%EOF"
# Document, sender, state and content; the content is kept while it waits.
STANDING = [
    ("refused-1", "window", "REFUSED", b"<Strange/>"),
    ("refused-2", "window", "REFUSED", LARGE),
    ("refused-3", "window", "REFUSED", b"<Strange/>"),
    ("refused-4", "windows/anyang", "REFUSED", b"<Strange/>"),
    ("refused-5", "window", "REFUSED", b""),
    ("refused-6", "window", "MENDED", None),
    *((f"refused-a{number:02}", "window", "REFUSED", f"row {number}".encode()) for number in range(40)),
]


def document(identifier: str, sender: str, state: str) -> dict[str, Any]:
    """A row as it was."""
    times = {"attempts": 1, "first_us": NOW_US, "last_us": NOW_US + 1, "revision": 1}
    return {"id": identifier, "sender": sender, "digest": identifier.encode(), "subject": "", "format": "X"} | {
        "state": state,
        **times,
    }


@pytest.fixture
def store(database_url: str) -> Iterator[Database]:
    """A store of declarations as the release before left it."""
    database = Database(database_url, SERVICE.name, ring())
    database.create_schema()
    script = ScriptDirectory.from_config(migrations.configuration(SERVICE.migrations))
    with database.write() as connection:
        options = {
            "fn": lambda revision, _: script._upgrade_revs(BEFORE, revision),  # type: ignore[arg-type]
            "script": script,
            "keys": database.keys,
        }
        context = MigrationContext.configure(connection, opts=options)
        with Operations.context(context):
            context.run_migrations()
        _fill(connection, database.keys)
    yield database
    database.close()


def _fill(connection: sa.Connection, keys: keyring.KeyRing) -> None:
    tables_before = sa.MetaData()
    documents, contents, told = (
        sa.Table(name, tables_before, autoload_with=connection)
        for name in ("refused_documents", "refused_contents", "refused_told")
    )
    for identifier, sender, state, content in STANDING:
        connection.execute(sa.insert(documents).values(document(identifier, sender, state)))
        name = f"refusedDocuments/{identifier}"
        for table, plain in ((contents, content), (told, b"")):
            if plain is not None:
                row = sealing.sealed_row(keys, name, plain)
                connection.execute(
                    sa.insert(table).values(dict(zip(("resource", "key_id", "sealed"), row, strict=True)))
                )


def test_what_was_refused_is_carried_over(store: Database) -> None:
    migrate(store, SERVICE.migrations)
    with store.read() as connection:
        opening = sealing.Opening(connection, store.keys)
        assert list(proof.violations(opening)) == []
        assert refused_store.violations(connection) == []
        for identifier, sender, _, content in STANDING:
            found = refused_store.load(connection, sender, f"refusedDocuments/{identifier}")
            assert found is not None
            assert refused_store.content(opening, found) == (content or b"")
        names = {number: f"refusedDocuments/refused-{number}" for number in range(1, 7)}
        held = {number: blob_store.of_holder(connection, name) for number, name in names.items()}
        assert not sa.inspect(connection).has_table("refused_contents")
        versions = set(connection.scalars(sa.text("SELECT version_num FROM alembic_version")))
    assert held[1] == held[3] != held[4]
    assert held[6] is None
    assert [held[number].media_type for number in (2, 5)] == ["application/pdf", "text/plain"]  # type: ignore[union-attr]
    assert "declarations_0005" not in versions


def test_a_store_is_carried_over_once(store: Database) -> None:
    migrate(store, SERVICE.migrations)
    with store.read() as connection:
        before = connection.execute(sa.select(tables.blobs).order_by(tables.blobs.c.id)).all()
    migrate(store, SERVICE.migrations)
    with store.read() as connection:
        assert connection.execute(sa.select(tables.blobs).order_by(tables.blobs.c.id)).all() == before
