"""The tables that a release brings along: those of data/dated_tables.csv, and data/calendars.

A store gets them when it is prepared.
"""

import csv
from collections.abc import Iterator
from importlib.resources import files

import sqlalchemy as sa

from trade.calendars import packaged_names
from trade.dated_tables import store
from trade.dated_tables.kinds import CALENDARS
from trade.dated_tables.model import Table

# Before anybody loaded anything: a table of the release came with the store.
PACKAGED_US = 0
# Each row of a packaged calendar names its own source.
SAID_BY_ROWS = "as each row says"


def tables() -> Iterator[Table]:
    """Yields the packaged tables."""
    folder = files("trade").joinpath("data")
    for name, version in packaged_names():
        content = folder.joinpath("calendars", f"{name}.{version}.csv").read_bytes()
        yield Table(name=f"{CALENDARS}{name}", version=version, source=SAID_BY_ROWS, content=content)
    listed = folder.joinpath("dated_tables.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(listed.splitlines()):
        content = folder.joinpath(row["file"]).read_bytes()
        yield Table(name=row["name"], version=int(row["version"]), source=row["source"], content=content)


def prepare(connection: sa.Connection) -> None:
    """Puts each packaged table into a store that has no such version and none that is newer; safe to repeat."""
    newest = {edition.name: edition.version for edition in store.editions(connection)}
    for table in tables():
        if newest.get(table.name, 0) < table.version:
            store.add(connection, table, PACKAGED_US)
