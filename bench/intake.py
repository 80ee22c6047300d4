"""`aval bench intake`: declarations through the gRPC stream, durable with their events, beside COPY in the same run.

The ceiling is the way a loader without checks, events or answers would go: COPY into a temporary table,
then INSERT ... ON CONFLICT DO NOTHING into the very table, 5,000 rows a transaction, one connection.
"""

import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import psycopg

from bench.declarations import Maker
from bench.posting import Bench, prepared
from bench.processes import run_load, serving
from bench.rows import Row, Scale
from bench.stream_load import StreamPlan
from chassis import bulk
from chassis.clock import SystemClock
from chassis.identity import Caller
from chassis.ports import free_port
from chassis.settings import Settings
from chassis.testing import postgresql
from services.declarations.tables import declarations

WINDOW = Caller("windows/bench/system", "windows/bench", frozenset({"WINDOW"}))
SERVER = {"min_wal_size": "4GB", "max_wal_size": "8GB", "shared_buffers": "1GB", "checkpoint_timeout": "15min"}
STAGES = (0, 1_000_000, 10_000_000)
SQLITE_ROWS = 1_000_000
MEASURED = 200_000
BATCH = 500
STREAMS = 2
TWO_PROCESSES_STREAMS = 8
COPY_BATCH = 5000
# The ceiling's rows have numbers that the stream never reaches.
CEILING_FIRST = 4_000_000_000

Told = Callable[[Row], None]
Load = Callable[[Sequence[bulk.Row]], None]


def run(scale: Scale, told: Told) -> None:
    """Tells each row as it is measured; PostgreSQL is filled to the scale's rows, SQLite to a million."""
    with prepared(scale.seconds, "declarations") as bench, postgresql(SERVER) as server:
        database = server.new_database()
        _run(bench, "PostgreSQL", database, scale.rows, lambda batch: copy(database, batch), told)
        folder = f"sqlite:///{bench.folder / 'store'}"
        file = str(bench.folder / "store" / "declarations.sqlite")
        _run(bench, "SQLite", folder, min(scale.rows, SQLITE_ROWS), lambda batch: _insert(file, batch), told)


def _run(bench: Bench, dialect: str, database: str, rows: int, load: Load, told: Told) -> None:
    address = f"127.0.0.1:{free_port()}"
    settings = Settings(database, address, bench.authority.folder, {})
    with serving("services.declarations", settings=settings):
        assertion = bench.signer.assertion(WINDOW, "declarations", SystemClock().now_us())
        plan = StreamPlan(address, str(bench.authority.folder), assertion, 0, MEASURED, BATCH, STREAMS)
        known, seconds = 0, 0.0
        for number, stage in enumerate(size for size in STAGES if size <= rows):
            seconds += _fill(bench, plan, known, stage)
            found = _streamed(bench, replace(plan, first=stage))
            seconds += found["seconds"]
            known = stage + MEASURED
            ceiling = _ceiling(load, CEILING_FIRST + number * MEASURED)
            what = f"{dialect}: declarations, stream, at {stage:,} rows ÷ COPY"
            told(Row(what, found["per_second"], "declarations/s", ceiling, 0.6, "ratio"))
        told(Row(f"{dialect}: the first {known:,} declarations", seconds, "s", better="lower"))
        if dialect == "PostgreSQL":
            _two_processes(bench, settings, replace(plan, first=known), load, told)
        again = _streamed(bench, plan)
        told(Row(f"{dialect}: declarations known already, at {known:,} rows", again["per_second"], "declarations/s"))


def _two_processes(bench: Bench, settings: Settings, plan: StreamPlan, load: Load, told: Told) -> None:
    """A second process takes its part of the connections to the same port."""
    with serving("services.declarations", settings=settings):
        found = _streamed(bench, replace(plan, streams=TWO_PROCESSES_STREAMS))
        ceiling = _ceiling(load, CEILING_FIRST + len(STAGES) * MEASURED)
        what = f"PostgreSQL: two processes, at {plan.first:,} rows ÷ COPY"
        told(Row(what, found["per_second"], "declarations/s", ceiling))


def _fill(bench: Bench, plan: StreamPlan, known: int, stage: int) -> float:
    """Seconds to stream the rows up to a stage."""
    return _streamed(bench, replace(plan, first=known, count=stage - known))["seconds"] if stage > known else 0.0


def _streamed(bench: Bench, plan: StreamPlan) -> dict[str, float]:
    """What one load measured. An assertion lasts minutes, so each load has its own."""
    assertion = bench.signer.assertion(WINDOW, "declarations", SystemClock().now_us())
    found = run_load("bench.stream_load", replace(plan, assertion=assertion))
    if found["refused"]:
        raise RuntimeError(f"{found['refused']} rows were refused")
    return found


def _ceiling(load: Load, first: int) -> float:
    """Rows a second of the loader, its rows made before the clock runs."""
    now_us, maker = SystemClock().now_us(), Maker()
    rows = [maker.stored(number, now_us) for number in range(first, first + MEASURED)]
    start = time.perf_counter()
    for begin in range(0, len(rows), COPY_BATCH):
        load(rows[begin : begin + COPY_BATCH])
    return len(rows) / (time.perf_counter() - start)


_connections: dict[str, psycopg.Connection] = {}


def copy(database: str, rows: Sequence[bulk.Row]) -> None:
    """One transaction of the ceiling's loader."""
    connection = _connections.setdefault(database, psycopg.connect(database))
    with connection.transaction():
        connection.execute("SET LOCAL search_path TO declarations")
        connection.execute("CREATE TEMPORARY TABLE loading (LIKE declarations) ON COMMIT DROP")
        with connection.cursor().copy(bulk.copy_statement(declarations).replace("declarations", "loading", 1)) as into:
            into.write(bulk.binary(declarations, rows))
        connection.execute("INSERT INTO declarations SELECT * FROM loading ON CONFLICT DO NOTHING")


def _insert(file: str, rows: Sequence[bulk.Row]) -> None:
    statement = bulk.insert_statement(declarations, "?").replace("INSERT", "INSERT OR IGNORE", 1)
    with sqlite3.connect(file, timeout=30) as connection:
        connection.execute("PRAGMA synchronous=FULL")
        connection.executemany(statement, rows)
    connection.close()
