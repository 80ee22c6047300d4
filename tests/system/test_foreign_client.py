"""Banks' own programs at the door: with nothing but the protos and a certificate that the platform issued."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
from typing import Any

import pytest

from cli.demo import story, world
from tests.system.support import PATIENCE_SECONDS, Door

ROOT = pathlib.Path(__file__).parent.parent.parent
BANK = world.person(f"banks/{story.OFFERS[1][0]}", "BANK_SYSTEM").certificate
NODE, PYTHON = ["node", str(ROOT / "examples/node/bank.js")], [sys.executable, str(ROOT / "examples/python/bank.py")]
EVENTS = 2


@pytest.fixture(scope="session")
def node() -> list[str]:
    """The Node example with its packages. Where Node is missing only CI fails."""
    if not shutil.which("node") or not shutil.which("npm"):
        message = "Node is not installed, so its example is not tried"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    subprocess.run(["sh", str(ROOT / "scripts/setup-node.sh")], check=True)
    return NODE


def told(program: list[str], door: Door, certificate: str, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """The program's exit status, and each line it printed."""
    address = [door.addresses.door, str(door.certificates), certificate, door.declaration_number]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "build/gen")}
    done = subprocess.run(
        [*program, *address, *arguments], capture_output=True, text=True, timeout=PATIENCE_SECONDS, env=environment
    )
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def check(program: list[str], door: Door) -> list[dict[str, Any]]:
    """A bank reads the story's declaration and watches its events, each once."""
    status, (declaration, *events) = told(program, door, BANK, str(EVENTS))
    assert status == 0
    assert declaration["declaration"] == f"declarations/{door.declaration_number}"
    assert declaration["value"]["settled"]
    assert len({event["id"] for event in events}) == len(events) == EVENTS
    assert all(event["event"].startswith("declaration.") for event in events)
    return events


def test_nodes_client_reads_and_watches(door: Door, node: list[str]) -> None:
    check(node, door)


def test_nodes_client_is_refused_what_isnt_its(door: Door, node: list[str]) -> None:
    status, lines = told(node, door, world.person(world.OPERATOR, "OPERATOR").certificate)
    assert (status, [line["error"] for line in lines]) == (1, ["PERMISSION_DENIED"])


def test_pythons_client_reads_and_watches(door: Door) -> None:
    check(PYTHON, door)


def test_pythons_client_shows_why_it_was_refused(door: Door) -> None:
    status, (*_, last) = told(PYTHON, door, BANK, "0", "100")
    refused = last["refused"]
    assert (status, refused["code"], refused["reason"]) == (0, "FAILED_PRECONDITION", "VALUE_ENCUMBERED")
    assert refused["metadata"]["available"] == "0.00"
    status, (line,) = told(PYTHON, door, world.person(world.OPERATOR, "OPERATOR").certificate)
    assert (status, line["refused"]["reason"]) == (1, "ACCESS_DENIED")
