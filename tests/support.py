"""Helpers of the tests: stores, identifiers, ledger accounts, commands over plain messages."""

import datetime
import hashlib
import os
import pathlib
import re
import shutil
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import StringValue
from google.rpc import error_details_pb2, status_pb2

from chassis import business_date, keyring, migrations, schema_copies
from chassis.command import Operation, Submission, Transaction
from chassis.database import Database
from chassis.identity import Caller
from chassis.ids import Identifiers, RandomBytes, derived
from chassis.keyring import KeyRing
from chassis.status import TRAILER
from ledger import store as ledger_store
from ledger.model import Limit, Transfer

NOW_US = 1_800_000_000_000_000
CALLER = Caller("banks/ABCDCNBA/alice", "banks/ABCDCNBA", frozenset({"BANK_SYSTEM"}))

Stores = Callable[..., Database]

# What no answer may show: our code, our files, our statements, our drivers.
LEAKS = re.compile(
    r"Traceback|\.py\b|/(home|work|tmp|usr|var)/|\b(SELECT|INSERT|UPDATE|DELETE) |Exception"
    r"|sqlite|psycopg|sqlalchemy|lxml"
)


def require_node() -> None:
    """Skips the test where Node is missing; with CI=true that fails it."""
    if shutil.which("node") and shutil.which("npm"):
        return
    message = "Node is not installed, so what needs it is not tried"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def given_folder(variable: str, usual: pathlib.Path) -> pathlib.Path:
    """The folder that an environment variable names, or the usual one.

    Without it the test is skipped; under CI=true or AVAL_REQUIRE_DATA=1 it fails.
    """
    folder = pathlib.Path(os.environ.get(variable, usual))
    if not folder.is_dir():
        message = f"no files at {folder}; set {variable}"
        if os.environ.get("CI") == "true" or os.environ.get("AVAL_REQUIRE_DATA") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return folder


def seeded_random(seed: int) -> RandomBytes:
    """Bytes that look random and are the same in every run."""
    drawn = 0

    def draw(count: int) -> bytes:
        nonlocal drawn
        drawn += 1
        return hashlib.shake_256(f"{seed}/{drawn}".encode()).digest(count)

    return draw


def ring() -> KeyRing:
    """The key ring of those tests' stores that have one, the same in every process."""
    return KeyRing(keyring.generate(seeded_random(7), 0))


def begin(
    database: Database,
    folders: Sequence[str],
    random: RandomBytes,
    prepare: Iterable[Callable[[sa.Connection], None]] = (),
) -> None:
    """Brings a store to the newest schema and prepares it; an empty one gets a copy of what the steps make."""
    schema_copies.lay(database, folders)
    migrations.upgrade(database, folders, random, prepare)


def migrate(database: Database, folders: Sequence[str] = ()) -> None:
    """Brings a store to the newest schema; a ledger among the folders gets its head."""
    begin(database, folders, seeded_random(1))
    if ledger_store.MIGRATIONS in folders:
        with database.write() as connection:
            ledger_store.initialise(connection)


def migrate_to(database: Database, folders: Sequence[str], heads: Sequence[str]) -> None:
    """Brings an empty store to the schema that ended with these steps: that of a release of before."""
    database.create_schema()
    script = ScriptDirectory.from_config(migrations.configuration(folders))

    def steps(revision: object, _context: object) -> object:
        return script._upgrade_revs(tuple(heads), revision)  # type: ignore[arg-type]

    with database.write() as connection:
        context = MigrationContext.configure(connection, opts={"fn": steps, "script": script, "keys": database.keys})
        with Operations.context(context):
            context.run_migrations()


def uid(*parts: object) -> str:
    """The UUID that stands for these parts."""
    return derived("tests", *parts)


def open_accounts(
    database: Database, *names: str, limit: Limit = Limit.NONE, currency: str = "CNY", book: str = "books"
) -> list[str]:
    """Opens accounts by name; their ids."""
    accounts = [ledger_store.NewAccount(uid(name), book, currency, limit, name) for name in names]
    with database.write() as connection:
        ledger_store.open_accounts(connection, accounts)
    return [account.id for account in accounts]


def transaction(connection: sa.Connection, now_us: int = NOW_US, date: datetime.date | None = None) -> Transaction:
    """Returns what a command has at hand, on a business date or the clock's day."""
    identifiers, date = Identifiers(now_us, b""), date or business_date.day(now_us)
    return Transaction(connection, CALLER, now_us, identifiers, business_date=date)


def apply(database: Database, *batch: Transfer, now_us: int = NOW_US, date: datetime.date | None = None) -> list[str]:
    """Applies a batch in a transaction of its own. Returns the results' names."""
    with database.write() as connection:
        return [verdict.result.value for verdict in ledger_store.apply(transaction(connection, now_us, date), batch)]


def violations(database: Database) -> list[str]:
    """Returns what the ledger's proof finds wrong."""
    with database.read() as connection:
        return ledger_store.violations(connection)


def balances(database: Database, account: str) -> tuple[int, int, int, int]:
    """An account's stored totals: debits pending, posted, credits pending, posted."""
    with database.read() as connection:
        found = ledger_store.accounts(connection, [account])[account]
    return found.debits_pending, found.debits_posted, found.credits_pending, found.credits_posted


def submission(
    operation: Operation, text: str = "", request_id: str = "", caller: Caller = CALLER, now_us: int = NOW_US
) -> Submission:
    """A request of a text for an operation."""
    identifier = request_id or str(uuid.uuid4())
    return Submission(operation, caller, StringValue(value=text), identifier, now_us, identifier.encode())


def echo(message: Any) -> Message:
    """The answer that repeats a text."""
    return StringValue(value=message)


def scalar(database: Database, query: Any) -> Any:
    """The one value of a query."""
    with database.read() as connection:
        return connection.execute(query if not isinstance(query, str) else sa.text(query)).scalar_one()


@dataclass(frozen=True, slots=True)
class Refusal:
    """The refusal that a caller was told."""

    code: str
    reason: str
    message: str
    violations: Sequence[str]


def refusal_of(error: grpc.RpcError, language: str) -> Refusal:
    """Checks what every refusal has: an ErrorInfo of our domain, a message in the caller's language, no leak."""
    (raw,) = [value for key, value in error.trailing_metadata() or () if key == TRAILER]
    status = status_pb2.Status.FromString(raw)
    (info,) = _details(status, error_details_pb2.ErrorInfo)
    (localized,) = _details(status, error_details_pb2.LocalizedMessage)
    violations = [v for d in _details(status, error_details_pb2.BadRequest) for v in d.field_violations]
    assert status.code == error.code().value[0]
    assert info.domain == "aval"
    assert re.fullmatch("[A-Z][A-Z0-9_]+", info.reason), info.reason
    assert localized.locale == language
    assert localized.message
    for text in [localized.message, *(violation.description for violation in violations)]:
        assert bool(re.search("[\u4e00-\u9fff]", text)) == (language == "zh-CN"), text
    for text in (status.message, str(status)):
        assert not LEAKS.search(text), text
    return Refusal(error.code().name, info.reason, status.message, [violation.field for violation in violations])


def _details(status: status_pb2.Status, kind: Any) -> list[Any]:
    found = []
    for detail in status.details:
        message = kind()
        if detail.Unpack(message):
            found.append(message)
    return found


def explained(connection: sa.Connection, query: Any, options: str = "") -> list[str]:
    """The lines of the database's plan of a query."""
    explain = {"postgresql": f"EXPLAIN {options}", "sqlite": "EXPLAIN QUERY PLAN"}[connection.dialect.name]
    compiled = query.compile(connection, compile_kwargs={"literal_binds": True})
    return [str(row[-1]) for row in connection.exec_driver_sql(f"{explain} {compiled}")]


def walking_plan(connection: sa.Connection, query: Any) -> str:
    """The plan of a query that neither scans a table nor sorts."""
    text = "\n".join(explained(connection, query))
    assert not re.search(r"Seq Scan|SCAN|Sort|TEMP B-TREE", text), text
    return text
