"""Durability: a process killed in the middle of its load has done everything it answered, and nothing by halves."""

import pathlib
import subprocess
import sys
import uuid
from collections.abc import Iterator

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from chassis import eventlog, testing
from chassis.database import Database
from chassis.writer import run_batch
from ledger import store as ledger_store
from tests.service.crash_load import PAY, TO
from tests.support import balances, migrate, open_accounts, submission, violations

ROOT = pathlib.Path(__file__).parent.parent.parent
ANSWERS = 40


@pytest.fixture(params=["sqlite", "postgresql"])
def durable_url(request: pytest.FixtureRequest, tmp_path: pathlib.Path, synced_sqlite: None) -> Iterator[str]:
    """A store that writes to disk for good: those of other tests don't."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}"
        return
    with testing.postgresql() as server:
        yield server.new_database()


def _killed_in_its_load(url: str) -> list[str]:
    """The request ids a process had answered when it was killed by signal 9."""
    command = [sys.executable, "-m", "tests.service.crash_load", url]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        answered = [process.stdout.readline().strip() for _ in range(ANSWERS)]
        process.kill()
        answered += process.stdout.read().split("\n")[:-1]
    assert process.returncode == -9
    return [line for line in answered if len(line) == len(str(uuid.UUID(int=0)))]


def test_everything_answered_before_kill_9_is_there_once(durable_url: str) -> None:
    """Q2: a process is killed under load; every answer that it gave stands, once."""
    database = Database(durable_url, "books")
    migrate(database, [ledger_store.MIGRATIONS])
    open_accounts(database, "from", "to")
    answered = _killed_in_its_load(durable_url)
    assert len(answered) >= ANSWERS
    before = balances(database, TO)[3]
    assert before >= len(answered)
    again = [submission(PAY, request_id, request_id) for request_id in answered]
    outcomes = run_batch(database, again)
    assert [outcomes[each] for each in again] == [StringValue(value="OK")] * len(again)
    assert balances(database, TO)[3] == before
    assert violations(database) == []
    with database.read() as connection:
        assert eventlog.violations(connection) == []
    database.close()


@pytest.mark.parametrize("after_commit", [False, True])
def test_a_process_that_dies_beside_its_commit_can_be_asked_again(durable_url: str, after_commit: bool) -> None:
    database = Database(durable_url, "books")
    migrate(database, [ledger_store.MIGRATIONS])
    open_accounts(database, "from", "to")
    moment = "after" if after_commit else "before"
    command = [sys.executable, "-m", "tests.service.crash_load", durable_url, moment]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -9
    assert balances(database, TO)[3] == (1 if after_commit else 0)
    each_submission = submission(PAY, moment, moment)
    assert run_batch(database, [each_submission])[each_submission] == StringValue(value="OK")
    assert balances(database, TO)[3] == 1
    assert violations(database) == []
    database.close()
