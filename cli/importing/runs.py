"""Where the rows of each key stand in a table, on disk: memory stays bounded, whatever the table has."""

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import islice

AT_ONCE = 10_000
# Lines that a message names; what is more is only said to be more.
MOST_LINES = 10
SEPARATOR = "\x1f"
_SCHEMA = "CREATE TABLE runs (key TEXT NOT NULL, line INTEGER NOT NULL, is_read INTEGER NOT NULL)"
_APART = (
    "CREATE TABLE apart AS SELECT key FROM runs GROUP BY key HAVING count(*) > 1",
    "CREATE UNIQUE INDEX apart_keys ON apart (key)",
    "CREATE TABLE lines AS SELECT key, line, is_read FROM runs JOIN apart USING (key)",
    "CREATE INDEX line_keys ON lines (key, line)",
    "DROP TABLE runs",
)
Key = tuple[str, ...]


class Runs:
    """The keys whose rows stand apart: in more than one run of rows that follow each other.

    Each run is of a key, begins on a line, and has a row that can be read or none.
    """

    def __init__(self, runs: Iterable[tuple[Key, int, bool]]) -> None:
        # Batches are made on whichever thread is free, one after the other.
        self._store = sqlite3.connect("", check_same_thread=False)
        self._store.execute(_SCHEMA)
        rows = ((SEPARATOR.join(key), line, is_read) for key, line, is_read in runs)
        while some := list(islice(rows, AT_ONCE)):
            self._store.executemany("INSERT INTO runs VALUES (?, ?, ?)", some)
        for statement in _APART:
            self._store.execute(statement)
        self._has_any = self._store.execute("SELECT 1 FROM apart").fetchone() is not None

    def lines(self, key: Key) -> tuple[Sequence[int], int]:
        """Returns the lines on which a key's runs begin, and the first of a run that can be read.

        None for a single run; at most one line more than a message names.
        """
        if not self._has_any:
            return (), 0
        wanted = "SELECT line, is_read FROM lines WHERE key = ? ORDER BY line"
        runs = self._store.execute(wanted, (SEPARATOR.join(key),)).fetchmany(MOST_LINES + 1)
        read = "SELECT min(line) FROM lines WHERE key = ? AND is_read"
        (first,) = self._store.execute(read, (SEPARATOR.join(key),)).fetchone()
        return [line for line, _ in runs], first or 0

    def close(self) -> None:
        """Forgets them."""
        self._store.close()
