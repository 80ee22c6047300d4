"""`aval import`: documents and rows from files into the declarations service, as long as it takes.

XML files are documents of any format that the service knows. Tables and JSON Lines files need a mapping
(docs/import-mapping.md), but for JSON Lines of receipts and of records. An import that was cut off goes on where
it was. A file that can't be read whole is refused by its name and stops no other.
"""

import hashlib
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from chassis import ids
from cli import local
from cli.importing import batches, documents, encodings, files, journal, mapping, objects, sending, wording
from cli.importing.batches import Batch, Rows
from cli.importing.files import Opened, Refusal, RefusedFile, Source, UnreadableFile
from cli.importing.journal import Journal
from cli.importing.mapping import ColumnMapping
from cli.importing.progress import Meter
from cli.importing.report import Counts
from cli.layout import Layout

__all__ = ["Meter", "import_files", "loaded_mappings", "rows_of"]


@dataclass(frozen=True, slots=True)
class Plan:
    """An import's work: documents with their keys, files of rows, all bytes of both, and what can't be read."""

    documents: Sequence[tuple[Source, str]]
    rows: Sequence[Rows]
    size: int
    refusals: Sequence[Refusal]

    @property
    def keys(self) -> Mapping[str, str]:
        """Returns the files by their keys."""
        named = [(key, source) for source, key in self.documents] + [(rows.key, rows.source) for rows in self.rows]
        return {key: str(source) for key, source in named}


async def import_files(
    layout: Layout, paths: Sequence[pathlib.Path], mappings: Sequence[pathlib.Path], resume: bool, meter: Meter
) -> dict[str, Any]:
    """Imports documents first, then rows, in the files' order. What went before an interruption counts too.

    `ok` is whether every file could be read whole, whatever was refused in it.

    Raises InvalidMapping and UnreadableFile before anything is sent; UnderWay and DomainError where the same command
    goes on later.
    """
    plan = _plan(paths, mappings)
    subject = [files.shown(str(path.resolve())) for path in (*paths, *mappings)]
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
    for refusal in plan.refusals:
        kept.counts.refuse(str(refusal.source), refusal.source.name, [("", refusal.rule, refusal.message)])
    return {"ok": not kept.counts.rules & files.RULES, **kept.counts.to_json()}


def _plan(paths: Sequence[pathlib.Path], mappings: Sequence[pathlib.Path]) -> Plan:
    """Finds out everything that can be known to be wrong, before anything is sent."""
    gathered = files.gather(paths)
    loaded = loaded_mappings(mappings)
    documents, rows, refusals, errors = [], [], list(gathered.refusals), []
    for source in gathered.sources:
        try:
            if files.is_document(source):
                documents.append((source, _key(source)))
            else:
                files.check_whole(source)
                rows.append(rows_of(source, loaded))
        except RefusedFile as error:
            refusals.append(Refusal(source, error.rule, str(error)))
        except UnreadableFile as error:
            errors.append(str(error))
    if errors:
        raise UnreadableFile("\n".join(errors))
    return Plan(documents, rows, sum(source.size for source in gathered.sources), refusals)


def loaded_mappings(mappings: Sequence[pathlib.Path]) -> Sequence[tuple[str, ColumnMapping]]:
    """Reads the mappings and returns them with their digests. Raises InvalidMapping with all errors of all of them."""
    loaded, errors = [], []
    for file in mappings:
        try:
            content = file.read_bytes()
            loaded.append((hashlib.sha256(content).hexdigest(), mapping.load(content.decode("utf-8"))))
        except (mapping.InvalidMapping, UnicodeDecodeError) as error:
            errors += [f"{file}: {entry}" for entry in getattr(error, "errors", [str(error)])]
    if errors:
        raise mapping.InvalidMapping(errors)
    return loaded


def rows_of(source: Source, mappings: Sequence[tuple[str, ColumnMapping]]) -> Rows:
    """Returns a file with the first mapping that fits it.

    Raises UnreadableFile where none does, RefusedFile if the file can't be read.
    """
    if source.kind in files.LINES:
        return _lines_of(source, mappings)
    reasons = [f"{source}: a {source.kind} file needs --mapping"] if not mappings else []
    refused: RefusedFile | None = None
    for digest, declared in mappings:
        try:
            column_mapping = _with_encoding(source, declared)
            columns = _columns(source, column_mapping)
        except RefusedFile as error:
            refused = refused or error
            continue
        unfit = column_mapping.unfit(columns)
        if not unfit:
            _check_columns(source, column_mapping, columns)
            return batches.mapped(source, _key(source, digest), column_mapping)
        reasons += [f"{source}: {reason}" for reason in unfit]
    if refused is not None:
        raise refused
    # A table that lies in a folder by chance stops nothing.
    is_chance = mappings and not source.is_given
    raise RefusedFile(files.FILE_UNFIT, "; ".join(reasons)) if is_chance else UnreadableFile("\n".join(reasons))


def _with_encoding(source: Source, declared: ColumnMapping) -> ColumnMapping:
    """Returns the mapping with the encoding that the file is in. Raises RefusedFile."""
    if source.kind == files.SPREADSHEET:
        return declared
    return replace(declared, encoding=encodings.of(source, declared.encoding, declared.columns))


def _columns(source: Source, column_mapping: ColumnMapping) -> Sequence[str]:
    with Opened(source) as opened, files.named(source):
        return documents.pieces(opened, column_mapping).columns


def _check_columns(source: Source, column_mapping: ColumnMapping, columns: Sequence[str]) -> None:
    """Raises RefusedFile where the mapping reads a column that is there twice."""
    if repeated := column_mapping.repeated(columns):
        names = ", ".join(map(repr, repeated))
        raise RefusedFile(files.FILE_SHAPE, f"{source.name} has more than one column {names}; name each differently.")


def _lines_of(source: Source, mappings: Sequence[tuple[str, ColumnMapping]]) -> Rows:
    """Returns JSON Lines with the first mapping that knows a name of the first line.

    Without a mapping where that line is a row as it is. Raises RefusedFile.
    """
    if not mappings:
        return batches.plain_lines(source, _key(source))
    fitting = [candidate for candidate in mappings if candidate[1].columns & _names(source, candidate[1])]
    if not fitting and batches.is_plain(source):
        return batches.plain_lines(source, _key(source))
    digest, column_mapping = (fitting or mappings)[0]
    _names(source, column_mapping)
    return batches.mapped(source, _key(source, digest), column_mapping)


def _names(source: Source, column_mapping: ColumnMapping) -> set[str]:
    with Opened(source) as opened, files.named(source):
        return objects.names(opened, column_mapping)


def _key(source: Source, mapping_digest: str = "") -> str:
    """Returns the key of a file with its content and mapping. Raises RefusedFile."""
    with files.named(source):
        digest = files.digest(source.file)
    place = files.shown(str(source.file.resolve()))
    return ids.derived("imported file", place, files.shown(source.member), digest, mapping_digest)


def _batches(plan: Plan, kept: Journal) -> Iterator[Batch]:
    """Returns the batches that aren't acknowledged yet."""
    documents = [(source, key) for source, key in plan.documents if not kept.of(key).batches]
    of_rows = (_of_rows(rows, kept) for rows in plan.rows)
    return chain(batches.of_documents(documents, kept.request_id), chain.from_iterable(of_rows))


def _of_rows(rows: Rows, kept: Journal) -> Iterator[Batch]:
    done = kept.of(rows.key)
    return batches.of_rows(rows, done.documents, done.batches, kept.request_id)


def _counted(batch: Batch, response: Any) -> Counts:
    """Counts the outcomes of a batch's documents, under the files and names that they have here."""
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
            problem.message = wording.plain(problem.message)
        counts.add(file, document, verdict)
    # What wasn't sent and what was refused, in the order of the file.
    counts.refused.sort(key=lambda row: int(row["document"]))
    return counts
