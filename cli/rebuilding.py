"""`aval rebuild`: what is derived from declarations, counted anew from the log's beginning."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from chassis import database, inbox
from chassis.clock import SystemClock
from chassis.command import Operation, Submission, Transaction
from chassis.database import Database
from chassis.identity import service_caller
from chassis.ids import system_random
from chassis.writer import run_batch
from services.declarations.insight.counting import store as counting_store
from services.declarations.insight.counting.model import DECLARED
from services.declarations.insight.counting.store import statistics_cells
from services.declarations.insight.fold import commands as fold_commands
from services.declarations.insight.fold import store as fold_store
from services.declarations.service import SERVICE

Progress = Callable[[int], None]


def rebuild(address: str, progress: Progress) -> dict[str, Any]:
    """Forgets and counts again; `progress` is told up to which event. A running platform helps, and keeps serving."""
    store = Database(address, SERVICE.name)
    try:
        with store.write() as connection:
            database.lock(connection, [fold_commands.LOCK])
            fold_store.reset(connection)
        while _follow(store):
            progress(_position(store))
        with store.read() as connection:
            is_declared = statistics_cells.c.outcome.in_(sorted(DECLARED))
            counted = sa.select(is_declared, sa.func.sum(statistics_cells.c.documents)).group_by(is_declared)
            counts = {bool(declared): int(count) for declared, count in connection.execute(counted)}
        position = _position(store)
        return {"ok": True, "events": position, "declarations": counts.get(True, 0), "lists": counts.get(False, 0)}
    finally:
        store.close()


def _position(store: Database) -> int:
    with store.read() as connection:
        return inbox.cursor(connection, counting_store.SOURCE)[1]


def _follow(store: Database) -> bool:
    """Counts what the log says next. Returns whether there is more."""
    rounds: list[bool] = []

    def run(transaction: Transaction, _request: Message) -> Message:
        rounds.append(fold_commands.follow(transaction))
        return Empty()

    operation = Operation("rebuild", Empty, run=run, keeps_requests=False)
    caller, now_us = service_caller(SERVICE.name), SystemClock().now_us()
    submission = Submission(operation, caller, Empty(), "", now_us, system_random(16))
    outcome = run_batch(store, [submission])[submission]
    if isinstance(outcome, Exception):
        raise outcome
    return rounds[-1]
