"""One platform that played its story, for all tests that only come to its door."""

from collections.abc import Iterator

import pytest

from tests.system.support import Door, up


@pytest.fixture(scope="session")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """`aval up --demo` on SQLite, after the story."""
    folder = tmp_path_factory.mktemp("platform")
    with up(folder) as running:
        running.wait_for("Serving")
        opened = Door(folder)
        yield opened
        opened.close()
