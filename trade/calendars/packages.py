"""The calendars that come with Aval: trade/data/calendars/{name}.{version}.csv. A version never changes."""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from trade.calendars import rows
from trade.calendars.model import Calendar

FOLDER = files("trade").joinpath("data", "calendars")


@cache
def packaged_names() -> Sequence[tuple[str, int]]:
    """Returns the names and versions of all packaged calendars: ("CN.working", 1) is among them."""
    stems = [file.name.removesuffix(".csv") for file in FOLDER.iterdir() if file.name.endswith(".csv")]
    return sorted((name, int(version)) for name, _, version in (stem.rpartition(".") for stem in stems))


@cache
def packaged(name: str, version: int = 0) -> Calendar:
    """Returns a packaged calendar, read once; its newest version where none is named. Raises LookupError for others."""
    versions = [number for each, number in packaged_names() if each == name]
    number = version or max(versions, default=0)
    if number not in versions:
        raise LookupError(f"{name} {version}".removesuffix(" 0"))
    text = FOLDER.joinpath(f"{name}.{number}.csv").read_text(encoding="utf-8")
    return rows.read(name, number, text)
