"""The main job end to end, with real processes and real mutual TLS, on both databases."""

import json
import pathlib
import subprocess
import sys
from typing import Any

from chassis.testing import PostgreSQL

AVAL = str(pathlib.Path(sys.executable).parent / "aval")
ALL_SERVICES = ["credit_insurance", "declarations", "gateway", "loans", "settlement"]


def play(*arguments: str) -> dict[str, Any]:
    """`aval demo --json`: one JSON document and nothing else."""
    done = subprocess.run([AVAL, "demo", "--json", *arguments], capture_output=True, text=True, timeout=180)
    assert done.stdout, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    assert (done.returncode == 0) == report["ok"]
    return report


def check(report: dict[str, Any]) -> None:
    """The story ended well and every book balances."""
    failed = [step for step in report["steps"] if not step["ok"]]
    assert not failed, failed
    assert report["trace_services"] == ALL_SERVICES
    assert report["second_financing"] == {
        "code": "FAILED_PRECONDITION",
        "reason": "VALUE_ENCUMBERED",
        "available": "USD 0.00",
    }
    verify = report["verify"]
    assert verify["ok"], verify["violations"]
    assert verify["chains_ok"]
    assert {book["service"] for book in verify["books"]} == {*ALL_SERVICES} - {"gateway"}
    assert all(book["debits"] == book["credits"] for book in verify["books"])


def test_the_story_ends_well_on_sqlite() -> None:
    check(play())


def test_the_story_ends_well_on_postgresql_and_again_on_the_same_database(postgresql_server: PostgreSQL) -> None:
    url = postgresql_server.new_database()
    check(play("--database", url))
    check(play("--database", url))
