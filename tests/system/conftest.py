"""One platform that played its story, for all tests that only come to its door; its store as the story left it."""

import pathlib
from collections.abc import Iterator

import pytest

from chassis.testing import PostgreSQL
from tests.system.support import Door, aval, copy_stores, up

# The folder in the platform's own that has the copy of the store.
TOLD = "told"


@pytest.fixture(scope="session")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """`aval up --demo` on SQLite, after the story."""
    folder = tmp_path_factory.mktemp("platform")
    with up(folder) as running:
        running.wait_for("Serving")
        copy_stores(folder / "store", folder / TOLD / "store")
        opened = Door(folder)
        yield opened
        opened.close()


@pytest.fixture
def told_folder(door: Door, tmp_path: pathlib.Path) -> pathlib.Path:
    """A folder of the test's own with the store of a platform that played its story and did nothing else."""
    copy_stores(door.layout.folder / TOLD / "store", tmp_path / "store")
    return tmp_path


@pytest.fixture(scope="session")
def story_database(postgresql_server: PostgreSQL) -> str:
    """The address of a PostgreSQL database after the story, to be copied."""
    url = postgresql_server.new_database()
    done = aval("demo", "--database", url)
    assert done.returncode == 0, done.stdout
    return url


@pytest.fixture
def told_database(story_database: str, postgresql_server: PostgreSQL) -> str:
    """The address of a database of the test's own, after the story."""
    return postgresql_server.new_database(template=story_database.rpartition("/")[2])
