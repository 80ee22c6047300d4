"""Fixtures that all tests share: a PostgreSQL server, a fresh store on each dialect, real data where there is some."""

import pathlib
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import settings

from chassis import database, testing
from chassis.database import SQLITE_PRAGMAS, Database
from tests.support import Stores, given_folder, migrate, ring

ROOT = pathlib.Path(__file__).parent.parent

settings.register_profile("aval", deadline=None, max_examples=100, print_blob=True)
settings.load_profile("aval")


@pytest.fixture(scope="session", autouse=True)
def unsynced_sqlite() -> Iterator[None]:
    """The stores of this process wait for no disk, as the server doesn't; what proves durability makes them wait."""
    with pytest.MonkeyPatch.context() as patch:
        others = [pragma for pragma in SQLITE_PRAGMAS if not pragma.startswith("synchronous=")]
        # First of all: to begin the log waits too.
        patch.setattr(database, "SQLITE_PRAGMAS", ("synchronous=OFF", *others))
        yield


@pytest.fixture
def synced_sqlite(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stores wait for the disk as those of a platform that runs."""
    monkeypatch.setattr(database, "SQLITE_PRAGMAS", SQLITE_PRAGMAS)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[testing.PostgreSQL]:
    """One server for the session; what proves durability starts its own, with fsync on."""
    with testing.postgresql({"fsync": "off", "full_page_writes": "off"}) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> str:
    """The address of a fresh store, on each dialect in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store'}"
    server: testing.PostgreSQL = request.getfixturevalue("postgresql_server")
    return server.new_database()


@pytest.fixture
def store(database_url: str) -> Iterator[Stores]:
    """`store(name, folders)`: a migrated schema in the fresh store; the same name again is a second process."""
    opened: list[Database] = []

    def open_store(name: str = "books", folders: Sequence[str] = ()) -> Database:
        made = Database(database_url, name, ring())
        opened.append(made)
        migrate(made, folders)
        return made

    yield open_store
    for made in opened:
        made.close()


@pytest.fixture(scope="session")
def real_data() -> pathlib.Path:
    """The folder of real data: AVAL_DATA, or shared/data beside the project. Without it the test is skipped."""
    return given_folder("AVAL_DATA", ROOT.parent / "shared" / "data")
