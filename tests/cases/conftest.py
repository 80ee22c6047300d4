"""Where the given files are."""

import pathlib

import pytest

from tests.cases.given import USUAL, VARIABLE
from tests.support import given_folder


@pytest.fixture(scope="session")
def files() -> pathlib.Path:
    """The folder of given files. Without it the tests are skipped, but where data is required they fail."""
    return given_folder(VARIABLE, USUAL) / "files"
