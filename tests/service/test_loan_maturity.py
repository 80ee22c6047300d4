"""A loan's last day rests on a calendar of banks: provisional until the year is published, then moved once."""

import datetime
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from aval.loans.v1 import loans_pb2
from google.protobuf import any_pb2
from google.protobuf.empty_pb2 import Empty

from chassis import rpc
from chassis.command import Operation, Submission, Transaction
from chassis.identity import service_caller
from chassis.ids import system_random
from chassis.tables import events
from chassis.writer import run_batch
from services.loans import tables
from services.loans.service import SERVICE
from tests.service.test_loans import EXPORTER_CALLER, Room, room, signed, work_off
from trade.dated_tables import packaged
from trade.dated_tables import store as dated_tables_store
from trade.dated_tables.model import Table

__all__ = ["room"]

CALENDAR = "calendars/CN.banking"
# 90 days after 2027-01-15, a Thursday, and the Monday after.
MATURITY, MOVED = datetime.date(2027, 4, 15), datetime.date(2027, 4, 19)


def publish(room: Room, *off: str) -> None:
    """A calendar of 2027 comes to the store, with days off."""
    (banking,) = (table for table in packaged.tables() if table.name == CALENDAR)
    rows = "PUBLISHED,,,,a notice,2027-01-01,2027-12-31\n" + "".join(f"OFF,,Holiday,假日,,{day},{day}\n" for day in off)
    content = banking.content + rows.encode()
    with room.database.write() as connection:
        dated_tables_store.add(connection, Table(name=CALENDAR, version=2, source="a notice", content=content), 0)


def drawn(room: Room) -> str:
    """A loan that is paid out."""
    loan = signed(room)
    work_off(room)
    return str(loan.name)


def sweep(room: Room) -> None:
    """Does what is due by the clock, as the writer does it."""
    for each_sweep in SERVICE.sweeps:
        operation = Operation("sweep", Empty, run=partial(_run, each_sweep), keeps_requests=False)
        caller = service_caller(SERVICE.name)
        submission = Submission(operation, caller, Empty(), "", room.now_us, system_random(16))
        assert run_batch(room.database, [submission])[submission] == Empty()


def _run(each_sweep: Callable[[Transaction], bool], transaction: Transaction, _request: Empty) -> Empty:
    each_sweep(transaction)
    return Empty()


def shown(room: Room, name: str) -> tuple[datetime.date, bool]:
    """A loan's last day, and whether it is provisional."""
    loan = room.read("GetLoan", EXPORTER_CALLER, name=name)
    return rpc.to_date(loan.maturity_date), loan.maturity_provisional


def told(room: Room) -> list[loans_pb2.MaturityMoved]:
    """The moves that were told."""
    query = sa.select(events.c.payload).where(events.c.type == "loan.maturity_moved")
    with room.database.read() as connection:
        return [_unpacked(payload) for payload in connection.execute(query).scalars()]


def _unpacked(payload: bytes) -> loans_pb2.MaturityMoved:
    moved = loans_pb2.MaturityMoved()
    assert any_pb2.Any.FromString(payload).Unpack(moved)
    return moved


def test_a_loan_moves_once_when_its_year_is_published(room: Room) -> None:
    """DT2: a loan that is due on a day off ends on the next day on which banks are open, with one event."""
    name = drawn(room)
    assert shown(room, name) == (MATURITY, True)
    publish(room, "2027-04-15", "2027-04-16")
    sweep(room)
    sweep(room)
    assert shown(room, name) == (MOVED, False)
    (moved,) = told(room)
    assert (moved.loan, rpc.to_date(moved.former_maturity_date), rpc.to_date(moved.maturity_date)) == (
        name,
        MATURITY,
        MOVED,
    )
    assert [(calendar.name, calendar.version) for calendar in moved.calendars] == [("CN.banking", 2)]
    assert room.violations() == []


def test_a_loan_that_is_over_keeps_its_day(room: Room) -> None:
    name = drawn(room)
    with room.database.write() as connection:
        connection.execute(sa.update(tables.loans).values(state="CLOSED"))
    publish(room, "2027-04-15")
    sweep(room)
    assert (shown(room, name), told(room)) == ((MATURITY, True), [])


@pytest.mark.parametrize("values", [{"maturity_date": "2027-04-16"}, {"is_maturity_provisional": False}])
def test_verify_names_a_loan_that_ends_on_another_day_than_its_deadline(room: Room, values: dict[str, Any]) -> None:
    """DT2: the deadline and the loan say the same."""
    name = drawn(room)
    assert room.violations() == []
    with room.database.write() as connection:
        connection.execute(sa.update(tables.loans).values(**values))
    (violation,) = room.violations()
    assert violation.startswith(f"DT2: {name} ends on")
