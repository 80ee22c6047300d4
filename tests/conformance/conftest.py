"""One world a database, for the whole suite."""

import pathlib
from collections.abc import AsyncIterator

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
