"""Banks' own programs at the door: with nothing but the protos and a certificate that the platform issued."""

import json
import os
import pathlib
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from string import Template
from typing import Any

import grpc
import pytest
from aval.declarations.v1 import declarations_pb2, declarations_pb2_grpc
from aval.events.v1 import events_pb2

from chassis.certificates import Authority
from chassis.server import server_credentials
from cli.demo import story, world
from tests.support import require_node
from tests.system.support import PATIENCE_SECONDS, Door

ROOT = pathlib.Path(__file__).parent.parent.parent
BANK = world.person(f"banks/{story.OFFERS[1][0]}", "BANK_SYSTEM").certificate
NODE, PYTHON = ["node", str(ROOT / "examples/node/bank.js")], [sys.executable, str(ROOT / "examples/python/bank.py")]
# Each receipt but the first moves a declaration, which is declared without any.
EVENTS = len(story.RECEIPTS) - 1


@pytest.fixture(scope="session")
def node() -> list[str]:
    """The Node example with its packages. Where Node is missing only CI fails."""
    require_node()
    subprocess.run(["sh", str(ROOT / "scripts/setup-node.sh")], check=True)
    return NODE


@pytest.fixture(scope="module")
def number(door: Door) -> str:
    """A declaration sent after the exporter's consent, so that its banks were told of it."""
    window = world.person(world.WINDOW, "WINDOW").certificate
    found = f"{door.declaration_number[:9]}{time.time_ns() % 10**9:09}"
    template = Template(world.template(world.exporter(story.EXPORTER)["declaration_template"]))
    text = template.substitute(declaration_number=found, unified_number=f"I{found[1:]}", export_date="20261102")
    document = declarations_pb2.Document(document_id=found, content=text.encode())
    request = declarations_pb2.ImportDocumentsRequest(request_id=str(uuid.uuid4()), documents=[document])
    door.call(window, "declarations", "ImportDocuments", request)
    # One after the other: each moves the declaration and is an event of its own.
    for hour, code in enumerate(story.RECEIPTS):
        receipts = declarations_pb2.BatchCreateReceiptsRequest(request_id=str(uuid.uuid4()))
        receipt = receipts.receipts.add(declaration_number=found, channel_code=code)
        receipt.notice_time.FromSeconds(1_793_600_000 + hour * 3600)
        door.call(window, "declarations", "BatchCreateReceipts", receipts)
    return found


def told(
    program: list[str], door: Door, number: str, certificate: str, *arguments: str
) -> tuple[int, list[dict[str, Any]]]:
    """The program's exit status, and each line it printed."""
    address = [door.addresses.door, str(door.certificates), certificate, number]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "build/gen")}
    done = subprocess.run(
        [*program, *address, *arguments], capture_output=True, text=True, timeout=PATIENCE_SECONDS, env=environment
    )
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def check(program: list[str], door: Door, number: str) -> None:
    """A bank reads the story's declaration and watches its events, each once."""
    status, (declaration, *events) = told(program, door, number, BANK, str(EVENTS))
    assert status == 0
    assert declaration["declaration"] == f"declarations/{number}"
    assert declaration["value"]["available"]
    assert len({event["id"] for event in events}) == len(events) == EVENTS
    assert all(event["event"].startswith("declaration.") for event in events)


def test_nodes_client_reads_and_watches(door: Door, number: str, node: list[str]) -> None:
    check(node, door, number)


def test_nodes_client_is_refused_what_isnt_its(door: Door, number: str, node: list[str]) -> None:
    status, lines = told(node, door, number, world.person(world.OPERATOR, "OPERATOR").certificate)
    assert (status, [line["error"] for line in lines]) == (1, ["PERMISSION_DENIED"])


def test_pythons_client_reads_and_watches(door: Door, number: str) -> None:
    check(PYTHON, door, number)


def test_pythons_client_reserves_and_shows_why_it_was_refused(door: Door, number: str) -> None:
    status, (_, made) = told(PYTHON, door, number, BANK, "0", "100")
    assert (status, made["state"]) == (0, "RESERVED")
    status, (_, last) = told(PYTHON, door, number, BANK, "0", str(10**12))
    refused = last["refused"]
    assert (status, refused["code"], refused["reason"]) == (0, "FAILED_PRECONDITION", "VALUE_ENCUMBERED")
    assert float(refused["metadata"]["available"]) > 0
    status, (line,) = told(PYTHON, door, number, world.person(world.OPERATOR, "OPERATOR").certificate)
    assert (status, line["refused"]["reason"]) == (1, "ACCESS_DENIED")


class Ending(declarations_pb2_grpc.DeclarationsServiceServicer):
    """A platform whose streams end after each answer: by a plain end, by a failure, by an end without an answer."""

    def __init__(self) -> None:
        self.tokens: list[str] = []

    def GetDeclaration(self, request: Any, _context: Any) -> Any:
        return declarations_pb2.Declaration(name=request.name)

    def Watch(self, request: Any, context: Any) -> Iterator[Any]:
        self.tokens.append(request.resume_token)
        number = len(self.tokens)
        if number % 3:
            response = events_pb2.WatchResponse(resume_token=f"token {number}")
            response.events.add(event_id=str(number), type="declaration.eligible", resource=request.resource)
            yield response
        if number % 3 == 2:
            context.abort(grpc.StatusCode.UNAVAILABLE, "restarting")


@pytest.mark.parametrize("language", ["node", "python"])
def test_a_stream_that_ends_is_resumed_where_it_ended(
    request: pytest.FixtureRequest, tmp_path: pathlib.Path, language: str
) -> None:
    program = request.getfixturevalue("node") if language == "node" else PYTHON
    authority, platform = Authority(tmp_path), Ending()
    authority.issue(BANK)
    server = grpc.server(ThreadPoolExecutor(2))
    declarations_pb2_grpc.add_DeclarationsServiceServicer_to_server(platform, server)  # type: ignore[no-untyped-call]
    port = server.add_secure_port("127.0.0.1:0", server_credentials(authority.issue("services/gateway")))
    server.start()
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "build/gen")}
    arguments = [f"localhost:{port}", str(tmp_path), BANK, "462020260000000001", "4"]
    done = subprocess.run([*program, *arguments], capture_output=True, text=True, timeout=60, env=environment)
    server.stop(0).wait()
    assert done.returncode == 0, done.stderr
    _, *events = map(json.loads, done.stdout.splitlines())
    assert [event["id"] for event in events] == ["1", "2", "4", "5"]
    assert platform.tokens[:5] == ["", "token 1", "token 2", "token 2", "token 4"]
