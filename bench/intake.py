"""`aval bench intake`: declarations through the gRPC stream, durable with their events, beside COPY in the same run.

The ceiling is the way a loader without checks, events or answers would go: COPY into a temporary table,
then INSERT ... ON CONFLICT DO NOTHING into the very table, 5,000 rows a transaction, one connection.
"""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

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
from services.declarations.window.declaration.store import declarations

WINDOW = Caller("windows/bench/system", "windows/bench", frozenset({"WINDOW"}))
SERVER = {"min_wal_size": "4GB", "max_wal_size": "8GB", "shared_buffers": "1GB", "checkpoint_timeout": "15min"}
STAGES = (0, 1_000_000, 10_000_000)
SQLITE_ROWS = 1_000_000
MEASURED = 200_000
BATCH = 500
# By processes: the connections to one port fall on its processes by chance, so that several need more.
STREAMS = {1: 2, 2: 8}
COPY_BATCH = 5000
# The ceiling's rows have numbers that the stream never reaches.
CEILING_FIRST = 4_000_000_000

Told = Callable[[Row], None]
Load = Callable[[Sequence[bulk.Row]], None]


@dataclass(frozen=True, slots=True)
class Place:
    """A store to fill: how a plain loader fills it, and how many processes of the service may share it."""

    dialect: str
    database: str
    load: Load
    processes: int


def run(scale: Scale, told: Told) -> None:
    """Tells each row as it is measured; PostgreSQL is filled to the scale's rows, SQLite to a million."""
    with prepared(scale.seconds, "declarations") as bench, postgresql(SERVER) as server:
        database = server.new_database()
        _run(bench, Place("PostgreSQL", database, lambda batch: copy(database, batch), 2), scale.rows, told)
        folder, file = f"sqlite:///{bench.folder / 'store'}", str(bench.folder / "store" / "declarations.sqlite")
        embedded = Place("SQLite", folder, lambda batch: _insert(file, batch), 1)
        _run(bench, embedded, min(scale.rows, SQLITE_ROWS), told)


def _run(bench: Bench, place: Place, rows: int, told: Told) -> None:
    address = f"127.0.0.1:{free_port()}"
    settings = Settings(place.database, address, bench.authority.folder, {})
    plan = StreamPlan(address, str(bench.authority.folder), "", 0, MEASURED, BATCH, 0)
    filled, seconds = 0, 0.0
    for number, stage in enumerate(size for size in STAGES if size <= rows):
        if stage > filled:
            filling = replace(plan, first=filled, count=stage - filled)
            seconds += _streamed(bench, settings, filling, place.processes)["seconds"]
        filled = stage
        ceiling = None
        for processes in range(1, place.processes + 1):
            figures = _streamed(bench, settings, replace(plan, first=filled), processes)
            seconds, filled = seconds + figures["seconds"], filled + MEASURED
            ceiling = ceiling or _ceiling(place.load, CEILING_FIRST + number * MEASURED)
            what = f"{place.dialect}: declarations, stream, {_count(processes)}, at {stage:,} rows ÷ COPY"
            told(Row(what, figures["per_second"], "declarations/s", ceiling, 0.6, "ratio"))
    told(Row(f"{place.dialect}: the first {filled:,} declarations", seconds, "s", better="lower"))
    again = _streamed(bench, settings, plan, 1)
    told(Row(f"{place.dialect}: declarations known already, at {filled:,} rows", again["per_second"], "declarations/s"))


def _count(processes: int) -> str:
    return "one process" if processes == 1 else f"{processes} processes"


def _streamed(bench: Bench, settings: Settings, plan: StreamPlan, processes: int) -> dict[str, float]:
    """Returns the figures of one load, with so many processes behind one port."""
    with contextlib.ExitStack() as running:
        for _ in range(processes):
            running.enter_context(serving("services.declarations", settings=settings))
        # An assertion lasts minutes, so each load has its own.
        assertion = bench.signer.assertion(WINDOW, "declarations", SystemClock().now_us())
        figures = run_load("bench.stream_load", replace(plan, assertion=assertion, streams=STREAMS[processes]))
    if figures["refused"]:
        raise RuntimeError(f"{figures['refused']} rows were refused")
    return figures


def _ceiling(load: Load, first: int) -> float:
    """Returns the rows a second of the loader, its rows made before the clock runs."""
    now_us, maker = SystemClock().now_us(), Maker()
    rows = [maker.stored(number, now_us) for number in range(first, first + MEASURED)]
    start = time.perf_counter()
    for begin in range(0, len(rows), COPY_BATCH):
        load(rows[begin : begin + COPY_BATCH])
    return len(rows) / (time.perf_counter() - start)


_connections: dict[str, psycopg.Connection] = {}


def copy(database: str, rows: Sequence[bulk.Row]) -> None:
    """Runs one transaction of the ceiling's loader."""
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
