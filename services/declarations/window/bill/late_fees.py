"""Late fees of duties and taxes: by rates, thresholds and dates that are data (late_fees.csv).

A fee runs from the day after the due date to the day of payment, both included, on what is unpaid; it is rounded once,
to the minor unit, and waived below a threshold.
"""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import sqlalchemy as sa
from aval.declarations.v1 import records_pb2

from chassis.money import Money
from services.declarations.customs.code_tables import Row, code_table
from services.declarations.window.bill.model import Bill, State
from services.declarations.window.records import kinds as records_kinds
from services.declarations.window.records import store as records_store
from services.declarations.window.records.model import Record

DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class LateFee:
    """A fee that is owed beside a bill; `bill` is the name of the bill by which customs collects it itself."""

    days: int
    amount: Money
    is_waived: bool
    rule: str
    bill: str = ""


def late_fee(kind: str, amount: Money, due_date: datetime.date, on: datetime.date) -> LateFee | None:
    """Returns the fee of a bill of a kind (Bill.Kind) that is paid on a day; None where it isn't late or bears none.

    A duty of 100,000.00 that is paid 10 days late at 0.0005 a day bears 500.00.
    """
    row = code_table("late_fees").row(kind, on)
    if row is None or on <= due_date or amount.currency != row["currency"]:
        return None
    fee = amount.times(_rates(kind, due_date + DAY, on))
    is_waived = fee.major() < Decimal(row["waived_below"])
    return LateFee((on - due_date).days, fee.zero() if is_waived else fee, is_waived, row["rule"])


def _rates(kind: str, first: datetime.date, last: datetime.date) -> Decimal:
    """Returns the sum of the daily rates from a day to a day, period by period: 10 days of 0.0005 give 0.0050."""
    return sum(
        (Decimal(row["rate_per_day"]) * ((end - begin).days + 1) for row, begin, end in periods(kind, first, last)),
        start=Decimal(0),
    )


def periods(kind: str, first: datetime.date, last: datetime.date) -> Iterator[tuple[Row, datetime.date, datetime.date]]:
    """Yields the rows that count from a day to a day, each with the first and the last day on which it does."""
    day = first
    while day <= last:
        row = code_table("late_fees").row(kind, day)
        end = datetime.date.fromisoformat(row["effective_to"]) if row and row["effective_to"] else last
        end = min(end, last) if row else day
        if row:
            yield row, day, end
        day = end + DAY


def owed(connection: sa.Connection, bills: Sequence[tuple[Record, Bill]], on: datetime.date) -> dict[str, LateFee]:
    """Returns the fees of the bills that are late on a day, by id; of a claimed bill the fee that its payment pays."""
    fees: dict[str, LateFee] = {}
    for record, bill in bills:
        kind = records_pb2.Bill.Kind.Name(record.message.bill.kind)
        fee = late_fee(kind, bill.amount, bill.due_date, bill.claim_date or on)
        if fee is not None and bill.state is not State.CANCELLED:
            fees[bill.id] = fee if bill.late_fee is None else replace(fee, amount=bill.late_fee)
    # Customs doesn't bill again afterwards the fee that a payment pays.
    open_ = [(record, bill) for record, bill in bills if bill.id in fees and not bill.late_fee]
    return fees | _billed(connection, open_, fees)


def _billed(
    connection: sa.Connection, late: Sequence[tuple[Record, Bill]], fees: Mapping[str, LateFee]
) -> dict[str, LateFee]:
    """Returns the fees that customs collects by bills of their own: nothing is added for them."""
    subjects = {records_kinds.late_fee_of(record.message.bill.bill_number): bill for record, bill in late}
    collected = records_store.with_subjects(connection, "bill", subjects) if subjects else {}
    return {
        subjects[subject].id: replace(
            fees[subjects[subject].id],
            amount=Money(subjects[subject].amount.currency, 0),
            is_waived=False,
            bill=record.name,
        )
        for subject, several in collected.items()
        for record in several
        if record.enterprise == subjects[subject].enterprise and not record.message.bill.cancelled
    }
