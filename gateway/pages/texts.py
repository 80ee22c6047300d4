"""The pages' texts: one catalogue for each language, with the same keys."""

import pathlib
import tomllib
from collections.abc import Mapping
from functools import cache

FOLDER = pathlib.Path(__file__).parent / "texts"


@cache
def texts(language: str) -> Mapping[str, str]:
    """Returns a language's catalogue."""
    return tomllib.loads((FOLDER / f"{language}.toml").read_text(encoding="utf-8"))
