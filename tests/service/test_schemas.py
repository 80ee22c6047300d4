"""The migrations give exactly the tables, and running them again, or at once, changes nothing."""

import contextlib
import pathlib
import shutil
import threading

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from chassis import keyring, migrations, tables
from chassis.database import Database
from chassis.keyring import KeyRing
from chassis.migrations import OtherRing, UnknownRevisions
from chassis.testing import PostgreSQL
from ledger import store as ledger_store
from ledger import tables as ledger_tables
from tests.support import Stores, migrate, seeded_random

METADATA = [tables.metadata, ledger_tables.metadata]


def test_the_migrations_give_the_tables(database_url: str) -> None:
    with contextlib.closing(Database(database_url, "books")) as database:
        migrations.upgrade(database, [ledger_store.MIGRATIONS], seeded_random(1))
        with database.write() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, METADATA) == []  # type: ignore[arg-type]


def test_a_table_without_its_migration_is_noticed(store: Stores) -> None:
    with store("books").write() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, METADATA) != []  # type: ignore[arg-type]


def test_running_them_again_keeps_everything(store: Stores) -> None:
    database = store("books", [ledger_store.MIGRATIONS])

    def seen() -> list[object]:
        with database.read() as connection:
            names = sorted(sa.inspect(connection).get_table_names())
            version = sorted(connection.scalars(sa.text("SELECT version_num FROM alembic_version")))
            return [
                names,
                version,
                connection.scalar(sa.select(tables.log_head.c.epoch)),
                ledger_store.head(connection),
            ]

    before = seen()
    migrate(database, [ledger_store.MIGRATIONS])
    assert seen() == before


STEP = """
from alembic import op
revision, down_revision, branch_labels, depends_on = {step!r}, {down!r}, {label!r}, {needs!r}
def upgrade() -> None:
    op.execute("CREATE TABLE {step} (id INTEGER)")
"""


def write_step(folder: pathlib.Path, step: str, down: str | None, needs: str | None = None) -> None:
    """A migration of a branch that is called as its folder."""
    folder.mkdir(exist_ok=True)
    label = None if down else (folder.name,)
    (folder / f"{step}.py").write_text(STEP.format(step=step, down=down, label=label, needs=needs), "utf-8")


def test_branches_go_on_after_one_needed_a_step_of_another(
    database_url: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store whose heads don't name the step that was needed is up to date all the same."""
    base, books = tmp_path / "base", tmp_path / "books"
    shutil.copytree(migrations.CHASSIS, base)
    monkeypatch.setattr(migrations, "CHASSIS", base)
    newest = ScriptDirectory.from_config(migrations.configuration([])).get_heads()[0]
    write_step(books, "books_1", None, needs=newest)
    with contextlib.closing(Database(database_url, "books")) as database:

        def upgrade() -> bool:
            return migrations.upgrade(database, [str(books)], seeded_random(1))

        assert (upgrade(), upgrade()) == (False, False)
        write_step(base, "chassis_later", newest)
        assert (upgrade(), upgrade()) == (True, False)
        write_step(books, "books_2", "books_1", needs="chassis_later")
        assert (upgrade(), upgrade()) == (True, False)
        with database.read() as connection:
            assert {"books_1", "books_2", "chassis_later"} <= set(sa.inspect(connection).get_table_names())


def test_a_schema_of_another_version_is_refused_plainly(store: Stores) -> None:
    database = store("books", [ledger_store.MIGRATIONS])
    with database.write() as connection:
        connection.execute(
            sa.text("UPDATE alembic_version SET version_num = 'ledger_9999' WHERE version_num LIKE 'l%'")
        )
    with pytest.raises(UnknownRevisions, match=r"books has a schema .*ledger_9999"):
        migrate(database, [ledger_store.MIGRATIONS])


def test_a_store_belongs_to_the_ring_that_it_was_filled_with(database_url: str) -> None:
    def opened(ring: KeyRing) -> None:
        database = Database(database_url, "books", ring)
        try:
            migrate(database, [])
        finally:
            database.close()

    first = keyring.generate(seeded_random(1), 0)
    opened(KeyRing(first))
    opened(KeyRing(first.with_new(seeded_random(2), 1)))
    with pytest.raises(OtherRing):
        opened(KeyRing(keyring.generate(seeded_random(3), 0)))


def test_processes_that_start_together_migrate_once(postgresql_server: PostgreSQL) -> None:
    url, failures = postgresql_server.new_database(), []
    databases = [Database(url, "books") for _ in range(4)]
    start = threading.Barrier(len(databases))

    def work(database: Database) -> None:
        start.wait()
        try:
            migrations.upgrade(database, [ledger_store.MIGRATIONS], seeded_random(1))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(database,)) for database in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for database in databases:
        database.close()
    assert failures == []
