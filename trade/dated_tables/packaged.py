"""The tables that a release brings along, by data/dated_tables.csv; a store gets them when it is prepared."""

import csv
from collections.abc import Iterator
from importlib.resources import files

import sqlalchemy as sa

from trade.dated_tables import store
from trade.dated_tables.model import Table

# Before anybody loaded anything: a table of the release came with the store.
PACKAGED_US = 0


def tables() -> Iterator[Table]:
    """Yields the packaged tables."""
    folder = files("trade").joinpath("data")
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
