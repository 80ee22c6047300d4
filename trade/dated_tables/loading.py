"""Files of dated tables on their way to a version: checked by themselves, then against what is in force. Pure."""

import datetime
import pathlib
from collections.abc import Iterator
from dataclasses import dataclass

from chassis.errors import Problem
from trade.dated_tables import files, kinds
from trade.dated_tables.files import File
from trade.dated_tables.model import Edition, Table, digest_of
from trade.dated_tables.problems import problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A file that somebody would load: its path, the table that it is of, where its rows are published."""

    path: str
    name: str
    source: str
    file: File

    @property
    def digest(self) -> bytes:
        """The SHA-256 of the content that would be stored."""
        return digest_of(self.file.content)


def draft(path: pathlib.PurePath, data: bytes, source: str = "") -> Draft:
    """Returns a file's draft; its own lines of keys come before what is given, and its path names it without them.

    holidays.csv is of holidays, calendars/CN.working.csv of calendars/CN.working.
    """
    file = files.read(data)
    name = file.keys.get("name") or _name_of(path)
    return Draft(path=str(path), name=name, source=file.keys.get("source") or source, file=file)


def _name_of(path: pathlib.PurePath) -> str:
    stem = path.name.removesuffix(".csv")
    within = f"{path.parent.name}/{stem}"
    return within if kinds.kind_of(within) else stem


def problems(draft: Draft) -> list[Problem]:
    """Returns all that is wrong with a file by itself."""
    wrong = [] if draft.source else [problem("source", "TABLE_SOURCE_MISSING")]
    kind = kinds.kind_of(draft.name)
    if kind is None:
        unknown = problem("name", "TABLE_UNKNOWN", name=draft.name, names=", ".join(kinds.NAMES))
        return [*draft.file.problems, unknown, *wrong]
    return [*wrong, *kind.problems(draft.name, draft.file)]


def conflicts(draft: Draft, newest: Table | None, today: datetime.date, correction: str) -> list[Problem]:
    """Returns why a file can't follow the version in force: its number, or days before today that it would change."""
    return [*_of_version(draft, newest), *([] if correction or newest is None else _of_past(draft, newest, today))]


def _of_version(draft: Draft, newest: Table | None) -> Iterator[Problem]:
    before = newest.version if newest else 0
    said = draft.file.keys.get("version", str(before + 1))
    if not said.isdecimal() or int(said) <= before:
        yield problem("version", "TABLE_VERSION_INVALID", version=said, name=draft.name, newest=before, next=before + 1)


def _of_past(draft: Draft, newest: Table, today: datetime.date) -> Iterator[Problem]:
    kind, before = kinds.kind_of(draft.name), files.read(newest.content)
    for code, day in kind.past_changes(draft.name, before, draft.file, today) if kind else ():
        yield problem(f"rows[{code}]", "PAST_CHANGED", code=code, day=day)


def table(draft: Draft, newest: Edition | None, correction: str) -> Table:
    """Returns the version that a file becomes: the number that it names, or the next one."""
    before = newest.version if newest else 0
    number = int(draft.file.keys.get("version", before + 1))
    return Table(
        name=draft.name,
        version=number,
        source=draft.source,
        content=draft.file.content,
        correction=correction,
    )
