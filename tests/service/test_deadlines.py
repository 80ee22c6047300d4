"""Due dates of bills rest on calendars: provisional until a year is published, then moved once. On both databases."""

import datetime
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from aval.declarations.v1 import records_pb2
from google.protobuf.empty_pb2 import Empty

from chassis import rpc
from chassis.command import Operation, Submission
from chassis.identity import service_caller
from chassis.ids import system_random
from services.declarations.service import SERVICE
from services.declarations.window.bill import moves as bill_moves
from services.declarations.window.bill import store as bill_store
from services.declarations.window.bill.model import State
from tests.service.deadlines_world import CALENDAR, ISSUED, NOW_US, PACKAGED, QUIET, SPRING_FESTIVAL, World
from trade import calendars
from trade.dated_tables import store as dated_tables_store
from trade.dated_tables.model import Table
from trade.deadlines import store as deadlines_store
from trade.deadlines import sweep as deadlines_sweep
from trade.deadlines.model import Kept
from trade.tables import deadlines


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """The service's store as it begins."""
    made = World(database_url)
    yield made
    made.store.close()


def test_a_bill_moves_once_when_its_year_is_published(world: World) -> None:
    """DT2: a provisional due date is computed anew by the calendar that is published, and tells the move once."""
    (name,) = world.write(world.row())
    before = world.bill(name)
    assert (before.due_date, before.is_due_provisional) == (datetime.date(2027, 2, 9), True)
    assert (world.sweep(), world.told(), world.waiting()) == (False, [], 1)
    world.publish(SPRING_FESTIVAL)
    assert world.violations() == []
    world.sweep()
    after = world.bill(name)
    assert (after.due_date, after.is_due_provisional) == (datetime.date(2027, 2, 18), False)
    (told,) = world.told()
    assert (told.record, rpc.to_date(told.former_due_date), rpc.to_date(told.due_date)) == (
        name,
        before.due_date,
        after.due_date,
    )
    assert [(calendar.name, calendar.version) for calendar in told.calendars] == [("CN.working", 2)]
    assert not told.due_date_provisional
    world.sweep()
    assert (len(world.told()), world.waiting(), world.violations()) == (1, 0, [])


def test_a_bill_whose_day_stays_is_certain_without_an_event(world: World) -> None:
    (name,) = world.write(world.row())
    world.publish(QUIET)
    world.sweep()
    assert (world.bill(name).due_date, world.bill(name).is_due_provisional) == (datetime.date(2027, 2, 9), False)
    assert (world.told(), world.waiting(), world.violations()) == ([], 0, [])


def test_a_version_without_the_year_leaves_it_provisional(world: World) -> None:
    (name,) = world.write(world.row())
    content = PACKAGED[CALENDAR].replace("元旦", "新年").encode()
    with world.store.write() as connection:
        dated_tables_store.add(connection, Table(name=CALENDAR, version=2, source="a notice", content=content), 0)
    world.sweep()
    assert (world.bill(name).is_due_provisional, world.waiting(), world.told()) == (True, 1, [])
    world.publish(SPRING_FESTIVAL, version=3)
    world.sweep()
    assert (world.bill(name).due_date, len(world.told())) == (datetime.date(2027, 2, 18), 1)


@pytest.mark.parametrize(
    ("issued", "expected", "moves"), [(ISSUED, (2027, 2, 19), 1), ((2026, 12, 20), (2027, 1, 4), 0)]
)
def test_a_day_that_is_certain_moves_with_its_calendar_until_it_has_passed(
    world: World, issued: Any, expected: tuple[int, int, int], moves: int
) -> None:
    """A notice that changes another one moves what is to come; what has passed stays, whatever is corrected."""
    world.publish(SPRING_FESTIVAL)
    row = world.row()
    row.bill.issue_date.CopyFrom(rpc.date(issued if issued is ISSUED else datetime.date(*issued)))
    (name,) = world.write(row)
    assert not world.bill(name).is_due_provisional
    longer = "".join(f"OFF,,Holiday,假日,,{day},{day}\n" for day in ("2027-01-04", "2027-02-18"))
    world.publish(SPRING_FESTIVAL + longer, version=3)
    world.sweep()
    assert (world.bill(name).due_date, len(world.told())) == (datetime.date(*expected), moves)
    assert world.violations() == []


def test_a_bill_that_comes_after_the_calendar_is_certain_at_once(world: World) -> None:
    world.publish(SPRING_FESTIVAL)
    (name,) = world.write(world.row())
    assert (world.bill(name).due_date, world.bill(name).is_due_provisional) == (datetime.date(2027, 2, 18), False)
    assert world.waiting() == 0


def test_a_bill_that_comes_again_with_a_stated_date_rests_on_no_calendar(world: World) -> None:
    row = world.row()
    (name,) = world.write(row)
    row.bill.term = records_pb2.Bill.STATED
    row.bill.due_date.CopyFrom(rpc.date(datetime.date(2027, 2, 9)))
    row.notice_time.seconds += 1
    world.write(row)
    world.publish(SPRING_FESTIVAL)
    world.sweep()
    assert (world.bill(name).due_date, world.waiting(), world.told()) == (datetime.date(2027, 2, 9), 0, [])
    with world.store.read() as connection:
        assert deadlines_store.load(connection, "due_date", [name]) == {}


@pytest.mark.parametrize(
    ("values", "moves"),
    [
        ({"state": State.PAID.value, "payment": "billPayments/1", "transfer": "transfers/1"}, 0),
        ({"state": State.CANCELLED.value}, 0),
        ({"state": State.PAYING.value, "payment": "billPayments/1"}, 1),
    ],
)
def test_a_bill_that_has_come_to_its_end_keeps_its_day(world: World, values: dict[str, Any], moves: int) -> None:
    (name,) = world.write(world.row())
    paid = {"claim_date": "2027-01-26", "late_fee_currency": "CNY", "late_fee_minor_units": 0}
    world.set_state(name, **values, **(paid if "payment" in values else {}))
    world.publish(SPRING_FESTIVAL)
    world.sweep()
    assert (len(world.told()), world.waiting()) == (moves, 0)
    assert (world.bill(name).due_date == datetime.date(2027, 2, 18)) == bool(moves)
    assert world.violations() == []


def test_many_bills_move_in_steps_each_once_whatever_dies_between(world: World, database_url: str) -> None:
    """DT2: what a step moved stays moved; a process that comes after it goes on with the rest."""
    names = world.write(*(world.row() for _ in range(2 * deadlines_sweep.AT_ONCE + 20)))
    world.publish(SPRING_FESTIVAL)
    assert world.sweep()
    assert len(world.told()) == deadlines_sweep.AT_ONCE
    with pytest.raises(ZeroDivisionError), world.store.write() as connection:
        _die_in_a_step(world, connection)
    assert len(world.told()) == deadlines_sweep.AT_ONCE
    again = World(database_url)
    assert again.sweep()
    assert not again.sweep()
    again.sweep()
    assert sorted(told.record for told in again.told()) == sorted(names)
    assert (again.waiting(), again.violations()) == (0, [])
    again.store.close()


def _die_in_a_step(world: World, connection: sa.Connection) -> None:
    submission = Submission(
        Operation("sweep", Empty), service_caller(SERVICE.name), Empty(), "", NOW_US, system_random(16)
    )
    deadlines_sweep.sweeping({"records": bill_moves.move})(submission.transaction(connection, ISSUED))
    raise ZeroDivisionError


def test_a_deadline_that_rests_on_two_calendars_waits_for_both(world: World) -> None:
    """A date on which two places work is certain once both have published the year."""
    joint = calendars.Joint((calendars.packaged("CN.working"), calendars.packaged("HK.payment_system")))
    deadline = calendars.days_after(joint, datetime.date(2030, 1, 1), 3)
    kept = Kept(resource="records/1", field="due_date", deadline=deadline)
    with world.store.write() as connection:
        deadlines_store.put(connection, [kept])
        assert deadlines_store.load(connection, "due_date", ["records/1"]) == {"records/1": kept}
    assert (world.waiting(), world.violations()) == (2, [])
    with world.store.write() as connection:
        deadlines_store.drop(connection, "due_date", ["records/1"])
    assert world.waiting() == 0


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (sa.update(deadlines).values(date="2027-02-10"), "is due on 2027-02-09, its deadline is 2027-02-10"),
        (sa.update(bill_store.bills).values(due_date="2027-02-10"), "is due on 2027-02-10, its deadline is 2027-02-09"),
        (sa.update(bill_store.bills).values(is_due_provisional=False), "or one is provisional"),
        (sa.update(deadlines).values(is_provisional=False), "or one is provisional"),
        (sa.delete(deadlines), "waits for calendars/CN.working, but has no deadline"),
        (
            sa.update(deadlines).values(content=sa.func.replace(deadlines.c.content, '"count": 15', '"count": 16')),
            "due_date 2027-02-09 isn't what days_after gives",
        ),
        (
            sa.update(deadlines).values(content=sa.func.replace(deadlines.c.content, "working\": 1", "working\": 9")),
            "due_date 2027-02-09 isn't what days_after gives",
        ),
    ],
)  # fmt: skip
def test_verify_names_a_deadline_that_is_not_what_its_rule_gives(world: World, fault: Any, expected: str) -> None:
    """DT2: a deadline is what its rule gives by the versions that it names, and its bill is due on that day."""
    world.write(world.row())
    assert world.violations() == []
    with world.store.write() as connection:
        connection.execute(fault)
    # Its derivation tells the same (DV1).
    found = [text for text in world.violations() if text.startswith("DT2: records/")]
    assert found
    assert any(expected in text for text in found)
