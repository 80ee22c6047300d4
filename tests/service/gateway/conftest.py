"""The gateway's world on both databases."""

import pytest

from chassis.testing import PostgreSQL
from tests.gateway_world import cheap_passwords, costly_passwords, world

__all__ = ["cheap_passwords", "costly_passwords", "database", "world"]


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path_factory.mktemp('gateway-store')}"
    server: PostgreSQL = request.getfixturevalue("postgresql_server")
    return server.new_database()
