"""The last day of a loan: fixed by its product as it is paid out, moved when a calendar's year is published."""

from collections.abc import Sequence
from dataclasses import replace

from aval.loans.v1 import loans_pb2

from chassis.command import Transaction
from chassis.rpc import date
from services.loans import products
from services.loans.loan.model import Loan, State
from services.loans.loan.store import LOANS, MATURITY
from trade import calendars
from trade.calendars import Deadline
from trade.dated_tables import reads as dated_tables_reads
from trade.deadlines import store as deadlines_store
from trade.deadlines.model import Kept, Move


def fixed(transaction: Transaction, before: Loan, after: Loan) -> Loan:
    """Returns a loan after a step, with its last day where it has just been paid out, and keeps that deadline.

    90 days after 2026-11-10: 2027-02-08, provisional until 2027 is published, and then the first day after the Spring
    Festival.
    """
    if after.start_date is None or before.start_date is not None:
        return after
    product = products.product(after.product, after.start_date)
    calendar = dated_tables_reads.calendar(transaction.connection, product.maturity_calendar)
    rule = calendars.RULES[product.maturity_rule]
    deadline = rule.apply(calendar, day=after.start_date, count=after.tenor_days)
    kept = Kept(resource=after.name, field=MATURITY, deadline=deadline)
    deadlines_store.put(transaction.connection, [kept])
    return _with(after, deadline)


def move(transaction: Transaction, moves: Sequence[Move]) -> set[str]:
    """Moves the last days of loans and tells of each that is another; returns the names of those that are active."""
    by_name = {each.before.resource: each for each in moves}
    loans = [loan for name in by_name if (loan := LOANS.load(transaction.connection, name))]
    active = [loan for loan in loans if loan.state is State.ACTIVE]
    for loan in active:
        LOANS.save(transaction, _with(loan, by_name[loan.name].after.deadline))
        if by_name[loan.name].is_another_day:
            _tell(transaction, loan, by_name[loan.name])
    return {loan.name for loan in active}


def _with(loan: Loan, deadline: Deadline) -> Loan:
    return replace(loan, maturity_date=deadline.date, is_maturity_provisional=deadline.is_provisional)


def _tell(transaction: Transaction, loan: Loan, move: Move) -> None:
    after = move.after.deadline
    message = loans_pb2.MaturityMoved(
        loan=loan.name,
        former_maturity_date=date(move.before.deadline.date),
        maturity_date=date(after.date),
        maturity_provisional=after.is_provisional,
        calendars=[
            loans_pb2.MaturityMoved.Calendar(name=edition.name, version=edition.version) for edition in after.calendars
        ],
    )
    transaction.append("loan.maturity_moved", loan.name, message, [loan.bank, loan.enterprise])
