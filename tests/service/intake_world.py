"""A declarations service over real ports, and the window that sends it documents."""

import contextlib
import pathlib
import string
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aval.declarations.v1 import declarations_pb2

from chassis import testing
from chassis.identity import Caller
from chassis.ids import derived
from services.declarations.service import SERVICE

WINDOW = Caller("window/system", "window", frozenset({"WINDOW"}))
OTHER_WINDOW = Caller("windows/anyang/system", "windows/anyang", frozenset({"WINDOW"}))
TEMPLATE = pathlib.Path(__file__).parents[2] / "cli" / "demo" / "world" / "declarations" / "xuchang_hair.xml"
Verdict = declarations_pb2.IntakeVerdict


def dec_message(index: int, **changes: str) -> bytes:
    """A declaration's document; changes are texts to put in place of others."""
    number, unified = f"46012026{index:010}", f"I2026{index:013}"
    names = {"declaration_number": number, "unified_number": unified, "export_date": "20261102"}
    text = string.Template(TEMPLATE.read_text(encoding="utf-8")).substitute(names)
    for old, new in changes.items():
        text = text.replace(old, new)
    return text.encode()


def document(document_id: str, content: bytes, format: str = "") -> declarations_pb2.Document:
    """One document of an import."""
    return declarations_pb2.Document(document_id=document_id, content=content, format=format)


class Intake:
    """The service and calls of it."""

    def __init__(self, platform: testing.Platform) -> None:
        self.platform = platform
        self._requests = 0

    async def call(self, method: str, request: Any, caller: Caller = WINDOW) -> Any:
        """A call with a request id of its own, where it needs one."""
        if "request_id" in request.DESCRIPTOR.fields_by_name and not request.request_id:
            self._requests += 1
            request.request_id = derived("intake tests", id(self), self._requests)
        return await self.platform.call(SERVICE.name, method, request, caller)

    async def send(self, *documents: declarations_pb2.Document, caller: Caller = WINDOW) -> list[Any]:
        """The verdicts of an import."""
        request = declarations_pb2.ImportDocumentsRequest(documents=documents)
        return list((await self.call("ImportDocuments", request, caller)).verdicts)


def told(verdict: Any) -> tuple[str, str, list[tuple[str, str]]]:
    """A verdict in short: document, outcome, its problems' paths and reasons."""
    outcome = Verdict.Outcome.Name(verdict.outcome)
    return verdict.document_id, outcome, [(problem.path, problem.reason) for problem in verdict.problems]


@contextlib.asynccontextmanager
async def running(folder: pathlib.Path, database: str) -> AsyncIterator[Intake]:
    """The service on a store, for as long as the block lasts."""
    platform = testing.Platform(folder, database, [SERVICE])
    await platform.start()
    try:
        yield Intake(platform)
    finally:
        await platform.stop()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
async def intake(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Intake]:
    """One service for a module's tests, on each database in turn."""
    folder = tmp_path_factory.mktemp("intake")
    database = f"sqlite:///{folder / 'store'}"
    if request.param == "postgresql":
        database = request.getfixturevalue("postgresql_server").new_database()
    async with running(folder, database) as found:
        yield found
