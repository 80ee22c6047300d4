"""The gateway's world on both databases."""

from collections.abc import Iterator

import pytest

from chassis.testing import postgresql
from tests.gateway_world import world

__all__ = ["database", "world"]


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('gateway-store')}"
        return
    with postgresql() as server:
        yield server.new_database()
