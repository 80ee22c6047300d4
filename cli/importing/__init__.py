"""`aval import`: documents and rows from files into the declarations service, as long as it takes.

XML files are documents of any format that the service knows. CSV and JSON Lines files need a mapping
(docs/import-mapping.md), but for JSON Lines of receipts and of records. An import that was cut off goes on where
it was.
"""

import hashlib
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from chassis import ids
from cli import local
from cli.importing import batches, files, journal, mapping, sending
from cli.importing.batches import Batch, Rows
from cli.importing.files import UnreadableFile
from cli.importing.journal import Journal
from cli.importing.mapping import ColumnMapping
from cli.importing.progress import Meter
from cli.importing.report import Counts
from cli.layout import Layout

__all__ = ["Meter", "import_files", "loaded_mappings", "rows_of"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be read: documents with their keys, files of rows, and all bytes of both."""

    documents: Sequence[tuple[pathlib.Path, str]]
    rows: Sequence[Rows]
    size: int

    @property
    def keys(self) -> Mapping[str, str]:
        """Each file's key, and the file."""
        named = [(key, file) for file, key in self.documents] + [(one.key, one.file) for one in self.rows]
        return {key: str(file) for key, file in named}


async def import_files(
    layout: Layout, paths: Sequence[pathlib.Path], mappings: Sequence[pathlib.Path], resume: bool, meter: Meter
) -> dict[str, Any]:
    """Documents first, then rows, in the files' order. What went before an interruption counts too.

    InvalidMapping, UnreadableFile: nothing was sent. UnderWay, DomainError: the same command goes on later.
    """
    plan = _plan(paths, mappings)
    subject = [str(path.resolve()) for path in (*paths, *mappings)]
    kept = journal.open_journal(layout.folder, subject, plan.keys, resume)
    meter.size, meter.since = plan.size, kept.counts.read
    try:
        async with local.declarations(layout) as client:
            async for batch, response in sending.answers(client, _batches(plan, kept)):
                kept.acknowledge(batch.keys, batch.documents, _counted(batch, response))
                meter.advance(kept.counts, batch.position)
        kept.finish()
    finally:
        kept.close()
        meter.end()
    return kept.counts.to_json()


def _plan(paths: Sequence[pathlib.Path], mappings: Sequence[pathlib.Path]) -> Plan:
    """Everything that can be known to be wrong is, before anything is sent."""
    found = files.found(paths)
    loaded = loaded_mappings(mappings)
    documents = dict.fromkeys(file for file in found if files.is_document(file))
    rows, errors = [], []
    for file in found:
        if file not in documents:
            try:
                rows.append(rows_of(file, loaded))
            except UnreadableFile as error:
                errors.append(str(error))
    if errors:
        raise UnreadableFile("\n".join(errors))
    return Plan([(file, _key(file)) for file in documents], rows, sum(file.stat().st_size for file in found))


def loaded_mappings(mappings: Sequence[pathlib.Path]) -> Sequence[tuple[str, ColumnMapping]]:
    """The mappings with their digests. InvalidMapping with all errors of all of them."""
    loaded, errors = [], []
    for file in mappings:
        try:
            content = file.read_bytes()
            loaded.append((hashlib.sha256(content).hexdigest(), mapping.load(content.decode("utf-8"))))
        except (mapping.InvalidMapping, UnicodeDecodeError) as error:
            errors += [f"{file}: {one}" for one in getattr(error, "errors", [str(error)])]
    if errors:
        raise mapping.InvalidMapping(errors)
    return loaded


def rows_of(file: pathlib.Path, mappings: Sequence[tuple[str, ColumnMapping]]) -> Rows:
    """A file with the first mapping that fits it. UnreadableFile where none does."""
    if files.kind(file) in files.LINES:
        return _lines_of(file, mappings)
    reasons = [f"{file}: a CSV file needs --mapping"] if not mappings else []
    for digest, found in mappings:
        unfit = found.unfit(files.header(file, found))
        if not unfit:
            return batches.mapped(file, _key(file, digest), found)
        reasons += [f"{file}: {reason}" for reason in unfit]
    raise UnreadableFile("\n".join(reasons))


def _lines_of(file: pathlib.Path, mappings: Sequence[tuple[str, ColumnMapping]]) -> Rows:
    """JSON Lines with the first mapping that knows a name of the first line; with none where that is a row as it is."""
    knowing = [one for one in mappings if one[1].columns & files.names(file, one[1])]
    if not mappings or (not knowing and batches.is_plain(file)):
        return batches.plain_lines(file, _key(file))
    digest, found = (knowing or mappings)[0]
    return batches.mapped(file, _key(file, digest), found)


def _key(file: pathlib.Path, mapping_digest: str = "") -> str:
    """Of a file with its content and mapping."""
    return ids.derived("imported file", file.resolve(), files.digest(file), mapping_digest)


def _batches(plan: Plan, kept: Journal) -> Iterator[Batch]:
    """All that isn't acknowledged yet."""
    documents = [(file, key) for file, key in plan.documents if not kept.of(key).batches]
    of_rows = (_of_rows(one, kept) for one in plan.rows)
    return chain(batches.of_documents(documents, kept.request_id), chain.from_iterable(of_rows))


def _of_rows(rows: Rows, kept: Journal) -> Iterator[Batch]:
    done = kept.of(rows.key)
    return batches.of_rows(rows, done.documents, done.batches, kept.request_id)


def _counted(batch: Batch, response: Any) -> Counts:
    """What became of a batch's documents, under the files and names that they have here."""
    counts = Counts()
    counts.join(batch.counts)
    verdicts = response.verdicts if response is not None else ()
    if batch.method == batches.IMPORT:
        origin = {document: file for file, document in batch.origins}
        for verdict in verdicts:
            counts.add(origin[verdict.document_id.partition("#")[0]], verdict.document_id, verdict)
        return counts
    for (file, document), verdict in zip(batch.origins, verdicts, strict=True):
        for problem in verdict.problems:
            problem.path = batch.column_of(problem.path)
        counts.add(file, document, verdict)
    # What wasn't sent and what was refused, in the order of the file.
    counts.refused.sort(key=lambda row: int(row["document"]))
    return counts
