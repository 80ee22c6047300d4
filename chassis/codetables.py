"""Versioned tables of a package's data/*.csv: each row counts from effective_from to effective_to, both included.

What a regulator or an institution could change is a row here, never a constant in code. An empty
effective_to is open. Sources: the README.md beside the tables.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files

Row = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Period:
    first: date
    last: date
    row: Row


@dataclass(frozen=True, slots=True)
class CodeTable:
    """Rows by code, each with the dates between which it counts."""

    periods: Mapping[str, Sequence[_Period]]

    def row(self, code: str, on: date) -> Row | None:
        """Returns the row of a code that counts on a date; None where there is none."""
        for period in self.periods.get(code, ()):
            if period.first <= on <= period.last:
                return period.row
        return None

    def value(self, code: str, on: date) -> str:
        """Returns the `value` of a code's row on a date. Raises KeyError where there is none."""
        row = self.row(code, on)
        if row is None:
            raise KeyError(f"{code} on {on}")
        return row["value"]

    def rows(self) -> Sequence[Row]:
        """Returns all rows, whatever their dates, in the file's order."""
        return [period.row for periods in self.periods.values() for period in periods]


def _period(row: Row) -> _Period:
    last = date.fromisoformat(row["effective_to"]) if row["effective_to"] else date.max
    return _Period(date.fromisoformat(row["effective_from"]), last, row)


def parse(text: str) -> CodeTable:
    """Returns the table that a CSV text holds: "code,value,effective_from,effective_to" and its rows."""
    periods: dict[str, list[_Period]] = {}
    for row in csv.DictReader(text.splitlines()):
        periods.setdefault(row["code"], []).append(_period(row))
    return CodeTable(periods)


@cache
def code_table(package: str, name: str) -> CodeTable:
    """Returns the table of a package's data/{name}.csv, read once."""
    return parse(files(package).joinpath("data", f"{name}.csv").read_text(encoding="utf-8"))
