"""Given files, each beside what is right of it: which there are, their content, and how a row is compared.

NAME.expected.json stands beside NAME.xml (or another ending), or beside NAME.gen.py, which writes the file into the
folder it runs in. Its `level` says what reads the file.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

VARIABLE, USUAL = "AVAL_CASES", pathlib.Path(__file__).parents[3] / "shared" / "cases"
FOLDER = pathlib.Path(os.environ.get(VARIABLE, USUAL)) / "files"
SUFFIX = ".expected.json"
# Words of a reason that the answer must have in them: reasons, paths, element names.
_WORDS = re.compile(r"[A-Z]+(?:_[A-Z0-9]+)+|[A-Za-z0-9]+(?:\[\d+\])?(?:/[A-Za-z0-9]+(?:\[\d+\])?)+|(?:[A-Z][a-z]+){2,}")
# What an answer says of a case whose reason is told in prose: words that it has, and words that it hasn't.
PROSE: dict[str, Sequence[str]] = {
    "pacs008-utf8-header-latin1-bytes": ["UTF-8"],
    "wco-export": ["import"],
    "gzip-bomb": ["3 MiB"],
    "rows-array": ["array"],
    "rows-of-one-key-apart": ["460420260000002103", "2", "4"],
    "rows-two-columns-of-one-name": ["品名"],
}
NOT_SAID: dict[str, Sequence[str]] = {"wco-notification-no-namespace": ["urn:wco:datamodel:WCO:"]}


@dataclass(frozen=True, slots=True)
class Given:
    """A given file's name, and the object beside it."""

    name: str
    level: str
    expected: dict[str, Any]

    def content(self) -> bytes:
        """The file's bytes."""
        return self.path().read_bytes()

    def path(self, folder: pathlib.Path = FOLDER) -> pathlib.Path:
        """The file, written into the folder first where a program makes it."""
        program = FOLDER / f"{self.name}.gen.py"
        if program.exists():
            subprocess.run([sys.executable, str(program)], cwd=folder, check=True)
        found = [path for path in (folder if program.exists() else FOLDER).glob(f"{self.name}.*") if is_input(path)]
        (file,) = found
        return file

    @property
    def words(self) -> Sequence[str]:
        """Returns the words that a refusal has to say."""
        return PROSE.get(self.name) or _WORDS.findall(self.expected.get("reason", ""))

    def check_said(self, text: str) -> None:
        """An answer says what it has to, and nothing that it must not."""
        assert all(word in text for word in self.words), (self.words, text)
        assert not [word for word in NOT_SAID.get(self.name, ()) if word in text], text

    def check_values(self, rows: Sequence[Any]) -> None:
        """A row, as JSON, has the values; null is a value that is absent or empty."""
        values = self.expected.get("values", {})
        found = [{path: value_at(row, path) for path in values} for row in rows]
        assert values in found or not values, (values, found)


def is_input(file: pathlib.Path) -> bool:
    """Whether a file is a case's own, and neither its expectation nor the program that makes it."""
    return not file.name.endswith((SUFFIX, ".gen.py"))


def value_at(row: Any, path: str) -> Any:
    """The value along a path of names and indexes, `lines.0.goodsName`; None where it is absent or empty."""
    for step in path.split("."):
        row = row[int(step)] if isinstance(row, list) else (row or {}).get(step)
    return row or None


def load(file: pathlib.Path) -> Given:
    """A case by its expectation."""
    told = json.loads(file.read_text(encoding="utf-8"))
    return Given(file.name.removesuffix(SUFFIX), told["level"], told["expected"])


def of_levels(*levels: str) -> Sequence[Given]:
    """The cases whose level begins with one of these, by name."""
    cases = [load(file) for file in sorted(FOLDER.glob(f"*{SUFFIX}"))]
    return [given for given in cases if given.level.startswith(levels)]
