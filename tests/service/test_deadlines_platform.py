"""A calendar is loaded beside a running service, and a bill's due date moves by itself, told to its payer."""

import asyncio
import datetime
import pathlib
import time

from aval.declarations.v1 import declarations_pb2, records_pb2
from aval.events.v1 import events_pb2
from google.protobuf import json_format

from chassis import rpc
from chassis.clock import SystemClock
from chassis.contracts import contract
from chassis.identity import ASSERTION_KEY, Caller
from cli import dated_data
from services.declarations.service import SERVICE
from tests.service.intake_world import WINDOW, Intake, running
from trade.dated_tables import packaged

PATIENCE_SECONDS = 30
FIXTURES = pathlib.Path(__file__).parents[1] / "fixtures" / "records"
EXPORTER = Caller("enterprises/91411023MAXY00112A/lin", "enterprises/91411023MAXY00112A", frozenset({"EXPORTER"}))
CALENDAR = "calendars/CN.working"
PUBLISHED = "PUBLISHED,,,,a notice,2027-01-01,2027-12-31\nOFF,,Spring Festival,春节,,2027-02-04,2027-02-17\n"


async def due(intake: Intake, bill: str) -> tuple[datetime.date, bool]:
    """A bill's last day, and whether it is provisional."""
    record = await intake.call("GetRecord", records_pb2.GetRecordRequest(name=bill), EXPORTER)
    return rpc.to_date(record.bill.due_date), record.bill.due_date_provisional


async def next_event(intake: Intake, resource: str) -> events_pb2.Event:
    """The first event of a resource that its enterprise is told."""
    platform = intake.platform
    metadata = [(ASSERTION_KEY, platform.signer.assertion(EXPORTER, SERVICE.name, SystemClock().now_us()))]
    stream = platform.channels[SERVICE.name].unary_stream(contract(SERVICE.name).path("Watch"))
    request = events_pb2.WatchRequest(resource=resource).SerializeToString()
    async for raw in stream(request, metadata=metadata, timeout=PATIENCE_SECONDS):
        for event in events_pb2.WatchResponse.FromString(raw).events:
            return event
    raise AssertionError("the stream ended")


async def test_a_bill_moves_by_itself_once_its_calendar_is_loaded(tmp_path: pathlib.Path, database_url: str) -> None:
    """DT2: nothing but `aval data load` is needed, and the event tells the old day and the new one."""
    (working,) = (table for table in packaged.tables() if table.name == CALENDAR)
    file = tmp_path / "published.csv"
    file.write_bytes(f"# name: {CALENDAR}\n# source: a notice\n".encode() + working.content + PUBLISHED.encode())
    row: records_pb2.Record = json_format.Parse(
        FIXTURES.joinpath("bill.jsonl").read_text("utf-8").splitlines()[0], records_pb2.Record()
    )
    row.bill.issue_date.CopyFrom(rpc.date(datetime.date(2027, 1, 25)))
    async with running(tmp_path / "platform", database_url) as intake:
        request = declarations_pb2.BatchCreateRecordsRequest(records=[row])
        (verdict,) = (await intake.call("BatchCreateRecords", request, WINDOW)).verdicts
        bill = str(verdict.resource)
        assert await due(intake, bill) == (datetime.date(2027, 2, 9), True)
        await asyncio.to_thread(dated_data.load, database_url, dated_data.drafts([file]))
        event = await next_event(intake, bill)
        begun = time.monotonic()
        while await due(intake, bill) != (datetime.date(2027, 2, 18), False):
            assert time.monotonic() < begun + PATIENCE_SECONDS
            await asyncio.sleep(0.05)
    moved = records_pb2.DueDateMoved()
    assert event.payload.Unpack(moved)
    days = [rpc.to_date(day) for day in (moved.former_due_date, moved.due_date)]
    assert (event.type, days) == (
        "bill.due_date_moved",
        [datetime.date(2027, 2, 9), datetime.date(2027, 2, 18)],
    )
