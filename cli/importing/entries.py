"""Entries of a file of rows: one for each row or document, each with what is wrong with it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from chassis.errors import Problem

Row = dict[str, str]
Raw = Sequence[str]


@dataclass(frozen=True, slots=True)
class Entry:
    """One row or document: the line it begins on, its rows by their columns' names, or why they can't be read.

    `raw` is how a row stands in its file. `cut` makes a file of the entry alone, empty where it has only a part of it.
    """

    line: int
    rows: Sequence[Row]
    problems: Sequence[Problem] = ()
    raw: Raw = ()
    cut: Callable[[], bytes] = bytes


@dataclass(frozen=True, slots=True)
class Pieces:
    """The entries of a file, lazily, and what makes a file of some of its rows."""

    entries: Iterator[Entry]
    joined: Callable[[Sequence[Raw]], bytes]
    columns: Sequence[str] = ()
