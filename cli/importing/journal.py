"""How far an import has come: a line for each acknowledged batch, so that it can go on after any interruption.

The lines need no fsync: a batch whose line is lost is sent again under the same request id, and the service
answers as before. What an import of other files, other content or another mapping wrote is not its own.
"""

import fcntl
import json
import os
import pathlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from chassis import ids
from cli.importing.report import Counts

FOLDER = "imports"


class UnderWay(Exception):
    """The same import runs in another process."""


@dataclass(slots=True)
class Progress:
    """Progress of one file's present content: batches acknowledged, documents in them."""

    batches: int = 0
    documents: int = 0


@dataclass(slots=True)
class Journal:
    """The record of one import: its run's id, what became of everything so far, and how far each file is."""

    run: str
    counts: Counts = field(default_factory=Counts)
    files: dict[str, Progress] = field(default_factory=dict)
    is_resumed: bool = False
    _file: IO[str] | None = None
    _path: pathlib.Path | None = None

    def of(self, key: str) -> Progress:
        """Returns how far a file of this content is."""
        return self.files.setdefault(key, Progress())

    def request_id(self, key: str, batch: int) -> str:
        """Returns the id of a batch's request: the same whenever this run sends it."""
        return ids.derived("import", self.run, key, batch)

    def acknowledge(self, keys: Sequence[str], documents: int, counts: Counts) -> None:
        """Notes that a batch of these files was answered."""
        self.note(keys, documents, counts)
        line = {"files": keys, "documents": documents, **counts.to_json()}
        assert self._file is not None
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._file.flush()

    def note(self, keys: Sequence[str], documents: int, counts: Counts) -> None:
        """Counts a batch that was answered."""
        self.counts.join(counts)
        for key in keys:
            self.of(key).batches += 1
            self.of(key).documents += documents

    def finish(self) -> None:
        """Ends the import, which is whole: the next one of these files is another."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Lets go of the file."""
        if self._file is not None:
            self._file.close()


def open_journal(folder: pathlib.Path, subject: Sequence[str], keys: Mapping[str, str], resume: bool) -> Journal:
    """Returns the journal of an import of a subject (its files and mappings). Raises UnderWay.

    `keys` are the files' present keys, each of a file and its content: what was noted of others doesn't count.
    """
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    path = folder / FOLDER / f"{ids.derived('import', *subject)}.jsonl"
    opened = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        opened.close()
        raise UnderWay(str(path)) from error
    lines = _kept_lines(opened, resume)
    journal = Journal(lines[0]["run"], is_resumed=len(lines) > 1, _file=opened, _path=path)
    for line in lines[1:]:
        if all(key in keys for key in line["files"]):
            counts = {name: value for name, value in line.items() if name not in ("files", "documents")}
            journal.note(line["files"], line["documents"], Counts.from_json(counts))
    return journal


def _kept_lines(opened: IO[str], resume: bool) -> list[dict[str, Any]]:
    """Returns the whole lines, the first of which names the run; a line that a kill cut off is cut away."""
    opened.seek(0)
    texts = [text for text in opened.readlines() if text.endswith("\n")] if resume else []
    os.ftruncate(opened.fileno(), len("".join(texts).encode()))
    if not texts:
        texts = [json.dumps({"run": str(uuid.uuid4())}) + "\n"]
        opened.write(texts[0])
        opened.flush()
    return [json.loads(text) for text in texts]
