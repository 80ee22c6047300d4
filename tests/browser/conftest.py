"""The gateway's world, for a real browser."""

import pytest

from tests.gateway_world import cheap_passwords, world

__all__ = ["cheap_passwords", "database", "world"]


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('browser-store')}"
