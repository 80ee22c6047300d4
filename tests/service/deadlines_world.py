"""The declarations' commands on a store of their own: bills, calendars that come, and the sweep of deadlines."""

import datetime
import itertools
import pathlib
import uuid
from typing import Any

import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2, records_pb2
from google.protobuf import any_pb2, json_format
from google.protobuf.empty_pb2 import Empty

from chassis import migrations, rpc, tables
from chassis.command import Operation, Submission, Transaction
from chassis.database import Database
from chassis.identity import Caller, service_caller
from chassis.ids import system_random
from chassis.writer import run_batch
from services.declarations.service import SERVICE
from services.declarations.window.bill import moves as bill_moves
from services.declarations.window.bill import store as bill_store
from services.declarations.window.bill.model import Bill
from tests.support import ring
from trade.dated_tables import packaged
from trade.dated_tables import store as dated_tables_store
from trade.dated_tables.model import Table
from trade.deadlines import sweep as deadlines_sweep
from trade.tables import deadlines, waiting_deadlines

FIXTURES = pathlib.Path(__file__).parents[1] / "fixtures" / "records"
WINDOW = Caller("windows/henan/system", "windows/henan", frozenset({"WINDOW"}))
# Noon in China on 2027-01-26.
NOW_US = int(datetime.datetime(2027, 1, 26, 4, tzinfo=datetime.UTC).timestamp()) * 1_000_000
ISSUED = datetime.date(2027, 1, 25)
CALENDAR = "calendars/CN.working"
PACKAGED = {table.name: table.content.decode() for table in packaged.tables()}
SPRING_FESTIVAL = "OFF,,Spring Festival,春节,,2027-02-04,2027-02-17\n"
QUIET = "OFF,,New Year,元旦,,2027-01-01,2027-01-01\n"


class World:
    """The declarations' commands on a store of their own, without a network."""

    def __init__(self, url: str) -> None:
        self.store = Database(url, SERVICE.name, ring())
        migrations.upgrade(self.store, SERVICE.migrations, system_random, SERVICE.prepare)
        self.numbers = itertools.count(1)

    def run(self, operation: Operation, request: Any, caller: Caller) -> Any:
        """The answer to a request."""
        submission = Submission(operation, caller, request, str(uuid.uuid4()), NOW_US, system_random(16))
        outcome = run_batch(self.store, [submission])[submission]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def write(self, *rows: records_pb2.Record) -> list[str]:
        """The names of the records that rows become."""
        request = declarations_pb2.BatchCreateRecordsRequest(request_id=str(uuid.uuid4()), records=rows)
        verdicts = self.run(SERVICE.operation("BatchCreateRecords"), request, WINDOW).verdicts
        assert all(verdict.outcome == verdict.ACCEPTED for verdict in verdicts), verdicts
        return [verdict.resource for verdict in verdicts]

    def row(self, **changes: Any) -> records_pb2.Record:
        """A bill that is due by rule."""
        row: records_pb2.Record = json_format.Parse(
            FIXTURES.joinpath("bill.jsonl").read_text().splitlines()[0], records_pb2.Record()
        )
        row.bill.bill_number = f"B{next(self.numbers):08}"
        row.bill.issue_date.CopyFrom(rpc.date(ISSUED))
        row.bill.term = records_pb2.Bill.SINGLE
        row.bill.ClearField("due_date")
        row.bill.MergeFrom(records_pb2.Bill(**changes))
        row.notice_time.seconds = NOW_US // 1_000_000 - 60
        return row

    def bill(self, name: str) -> Bill:
        """A bill as it stands."""
        with self.store.read() as connection:
            return bill_store.load(connection, [name.removeprefix("records/")])[name.removeprefix("records/")]

    def set_state(self, name: str, **values: Any) -> None:
        """A bill in another state."""
        with self.store.write() as connection:
            this = bill_store.bills.c.id == name.removeprefix("records/")
            connection.execute(sa.update(bill_store.bills).where(this).values(**values))

    def publish(self, rows: str, version: int = 2) -> None:
        """A calendar of 2027 comes to this store."""
        content = f"{PACKAGED[CALENDAR]}PUBLISHED,,,,a notice,2027-01-01,2027-12-31\n{rows}".encode()
        with self.store.write() as connection:
            dated_tables_store.add(
                connection, Table(name=CALENDAR, version=version, source="a notice", content=content), 0
            )

    def sweep(self) -> bool:
        """A step of the sweep, as the service makes it; whether more may be due."""
        more = [False]
        sweeping = deadlines_sweep.sweeping({"records": bill_moves.move})

        def run(transaction: Transaction, _request: Empty) -> Empty:
            more[0] = sweeping(transaction)
            return Empty()

        self.run(Operation("sweep", Empty, run=run, keeps_requests=False), Empty(), service_caller(SERVICE.name))
        return more[0]

    def told(self) -> list[records_pb2.DueDateMoved]:
        """The moves that were told."""
        query = sa.select(tables.events.c.payload, tables.events.c.type).order_by(tables.events.c.position)
        with self.store.read() as connection:
            rows = [row.payload for row in connection.execute(query) if row.type == "bill.due_date_moved"]
        return [_unpacked(payload) for payload in rows]

    def violations(self) -> list[str]:
        """Everything that the service's proof finds wrong."""
        with self.store.read() as connection:
            return list(SERVICE.violations(connection))

    def waiting(self) -> int:
        """How many provisional deadlines wait for a calendar, counted for each calendar."""
        this = sa.and_(waiting_deadlines.c.resource == deadlines.c.resource, deadlines.c.is_provisional)
        query = sa.select(sa.func.count()).select_from(waiting_deadlines).join(deadlines, this)
        with self.store.read() as connection:
            return int(connection.execute(query).scalar_one())


def _unpacked(payload: bytes) -> records_pb2.DueDateMoved:
    moved = records_pb2.DueDateMoved()
    assert any_pb2.Any.FromString(payload).Unpack(moved)
    return moved
