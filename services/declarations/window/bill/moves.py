"""Moves the due dates of bills when a calendar's year is published; a bill that is paid or taken back keeps its own."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from aval.declarations.v1 import records_pb2

from chassis.command import Transaction
from chassis.rpc import date
from services.declarations.window.bill import rules, store
from services.declarations.window.bill.model import Bill
from services.declarations.window.records import store as records_store
from trade.dated_tables import reads as dated_tables_reads
from trade.deadlines.model import Move
from trade.derivations import store as derivation_store


def move(transaction: Transaction, moves: Sequence[Move]) -> set[str]:
    """Moves bills and tells of each whose day is another; returns the names of those that are still due."""
    by_id = {each.before.resource.removeprefix("records/"): each for each in moves}
    bills = [bill for bill in store.load(transaction.connection, by_id).values() if bill.state in store.DUE]
    store.save(transaction.connection, [_moved(bill, by_id[bill.id]) for bill in bills])
    _explain(transaction, [bill.id for bill in bills if by_id[bill.id].is_another_day])
    for bill in bills:
        if by_id[bill.id].is_another_day:
            _tell(transaction, bill, by_id[bill.id])
    return {bill.name for bill in bills}


def _moved(bill: Bill, move: Move) -> Bill:
    deadline = move.after.deadline
    return replace(bill, due_date=deadline.date, is_due_provisional=deadline.is_provisional)


def _explain(transaction: Transaction, bills: Sequence[str]) -> None:
    """Keeps how the new days come about, by the calendars that are in force."""
    newest = records_store.newest(transaction.connection, bills)
    contents = {record.name: record.message.bill for record in newest.values()}
    calendar_of = partial(dated_tables_reads.calendar, transaction.connection)
    derivation_store.put(transaction, rules.BILL, rules.due_dates(contents, calendar_of))


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
