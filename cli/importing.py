"""`aval import`: DecMessage documents and receipts from files into the declarations service.

A file ending in .xml is one DecMessage. A file ending in .jsonl has one receipt a line:
{"declaration_number", "channel_code", "notice_time" (RFC 3339), "note"}.
"""

import json
import pathlib
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from aval.declarations.v1 import declarations_pb2
from google.protobuf import json_format

from chassis.client import AssertingClient
from cli import local
from cli.layout import Layout

BATCH = 200
Verdict = declarations_pb2.IntakeVerdict
Progress = Callable[[int], None]


class Report:
    """What became of everything that was read."""

    def __init__(self) -> None:
        self.read = self.accepted = self.duplicates = 0
        self.refused: list[dict[str, str]] = []

    def add(self, file: str, verdict: declarations_pb2.IntakeVerdict) -> None:
        """Counts one document or row; a refused one is listed with each of its problems."""
        self.read += 1
        self.accepted += verdict.outcome == Verdict.ACCEPTED
        self.duplicates += verdict.outcome == Verdict.DUPLICATE
        for problem in verdict.problems:
            self._refuse(file, verdict.document_id, problem.path, problem.reason, problem.message)

    def refuse_line(self, file: str, line: int, message: str) -> None:
        """A line that is no receipt at all."""
        self.read += 1
        self._refuse(file, str(line), "", "LINE_MALFORMED", message)

    def _refuse(self, file: str, document: str, path: str, rule: str, message: str) -> None:
        code = "INVALID_ARGUMENT"
        row = {"file": file, "document": document, "path": path, "code": code, "rule": rule, "message": message}
        self.refused.append(row)

    def to_json(self) -> dict[str, Any]:
        """The command's output. `refused` has a row for each problem; read = accepted + duplicates + refused ones."""
        return {
            "read": self.read,
            "accepted": self.accepted,
            "duplicates": self.duplicates,
            "refused": self.refused,
        }


async def import_files(layout: Layout, files: Sequence[pathlib.Path], progress: Progress) -> dict[str, Any]:
    """Declarations first, then receipts; `progress` is told how many were read so far."""
    report = Report()
    documents = [file for file in files if file.suffix != ".jsonl"]
    async with local.declarations(layout) as client:
        for batch in _batches(documents):
            await _import_documents(client, batch, report)
            progress(report.read)
        for file in files:
            if file.suffix == ".jsonl":
                await _import_receipts(client, file, report, progress)
    return report.to_json()


def _batches(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]


async def _import_documents(client: AssertingClient, files: Sequence[pathlib.Path], report: Report) -> None:
    documents = [declarations_pb2.Document(document_id=file.name, content=file.read_bytes()) for file in files]
    request = declarations_pb2.ImportDocumentsRequest(request_id=str(uuid.uuid4()), documents=documents)
    response = await client.call("declarations", "ImportDocuments", request, local.WINDOW)
    for file, verdict in zip(files, response.verdicts, strict=True):
        report.add(str(file), verdict)


async def _import_receipts(client: AssertingClient, file: pathlib.Path, report: Report, progress: Progress) -> None:
    receipts = list(_receipts(file, report))
    for batch in _batches(receipts):
        request = declarations_pb2.BatchCreateReceiptsRequest(request_id=str(uuid.uuid4()), receipts=batch)
        response = await client.call("declarations", "BatchCreateReceipts", request, local.WINDOW)
        for verdict in response.verdicts:
            report.add(str(file), verdict)
        progress(report.read)


def _receipts(file: pathlib.Path, report: Report) -> Iterator[declarations_pb2.Receipt]:
    for number, line in enumerate(file.read_text(encoding="utf-8-sig").splitlines(), 1):
        if not line.strip():
            continue
        try:
            yield json_format.ParseDict(json.loads(line), declarations_pb2.Receipt())
        except (ValueError, json_format.ParseError) as error:
            report.refuse_line(str(file), number, str(error))
