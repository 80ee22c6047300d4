"""One world a database, for the whole suite; and how many vectors of others were tried, told at the end."""

import pathlib
from collections.abc import AsyncIterator, Callable

import pytest

from chassis.testing import Platform
from cli.stores import SERVICES
from tests.conformance.world import World


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
async def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder: pathlib.Path = tmp_path_factory.mktemp("conformance")
    database = f"sqlite:///{folder / 'store'}"
    if request.param == "postgresql":
        database = request.getfixturevalue("postgresql_server").new_database()
    platform = Platform(folder, database, SERVICES)
    await platform.start()
    made = World(platform)
    await made.prepare()
    yield made
    await made.close()
    await platform.stop()


VECTORS = pytest.StashKey[dict[str, int]]()


@pytest.fixture
def counted(request: pytest.FixtureRequest) -> Callable[[str, int], None]:
    """`counted(name, number)`: so many vectors of a name were tried and agreed."""

    def count(name: str, number: int) -> None:
        request.config.stash.setdefault(VECTORS, {})[name] = number

    return count


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Writes how many vectors agreed, by their names."""
    for name, number in config.stash.get(VECTORS, {}).items():
        terminalreporter.write_line(f"{name}: {number} vectors agree")
