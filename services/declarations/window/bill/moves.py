"""Moves the due dates of bills when a calendar's year is published; a bill that is paid or taken back keeps its own."""

from collections.abc import Sequence
from dataclasses import replace

from aval.declarations.v1 import records_pb2

from chassis.command import Transaction
from chassis.rpc import date
from services.declarations.window.bill import store
from services.declarations.window.bill.model import Bill
from trade.deadlines.model import Move


def move(transaction: Transaction, moves: Sequence[Move]) -> set[str]:
    """Moves bills and tells of each whose day is another; returns the names of those that are still due."""
    by_id = {each.before.resource.removeprefix("records/"): each for each in moves}
    bills = [bill for bill in store.load(transaction.connection, by_id).values() if bill.state in store.DUE]
    store.save(transaction.connection, [_moved(bill, by_id[bill.id]) for bill in bills])
    for bill in bills:
        if by_id[bill.id].is_another_day:
            _tell(transaction, bill, by_id[bill.id])
    return {bill.name for bill in bills}


def _moved(bill: Bill, move: Move) -> Bill:
    deadline = move.after.deadline
    return replace(bill, due_date=deadline.date, is_due_provisional=deadline.is_provisional)


def _tell(transaction: Transaction, bill: Bill, move: Move) -> None:
    before, after = move.before.deadline, move.after.deadline
    message = records_pb2.DueDateMoved(
        record=bill.name,
        former_due_date=date(before.date),
        due_date=date(after.date),
        due_date_provisional=after.is_provisional,
        due_rule=bill.due_rule,
        calendars=[
            records_pb2.DueDateMoved.Calendar(name=edition.name, version=edition.version) for edition in after.calendars
        ],
    )
    transaction.append("bill.due_date_moved", bill.name, message, [bill.enterprise])
