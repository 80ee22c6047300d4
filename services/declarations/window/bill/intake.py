"""Makes, changes or takes back the bill of a bill's record; never once a payment has claimed it."""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from aval.declarations.v1 import records_pb2

from chassis import money
from chassis.command import Transaction
from chassis.errors import Problem
from chassis.rpc import to_date
from services.declarations.window.bill import due_dates, store, views
from services.declarations.window.bill.due_dates import CalendarOf
from services.declarations.window.bill.model import Bill, State, reissued
from services.declarations.window.records.model import Record
from trade import calendars

BILL_IN_PAYMENT = Problem(
    "bill",
    "BILL_IN_PAYMENT",
    "The bill is being paid or is paid; its payer, amount and payee stay, and it can't be taken back.",
    "该账单正在支付或已支付；付款人、金额、收款人不可变更，也不可撤销。",
)
STATED = records_pb2.Bill.STATED


@dataclass(frozen=True, slots=True)
class StandingBills:
    """The bills that a batch's records are about, as they stand."""

    bills: dict[str, Bill]

    def problems(self, body: records_pb2.Record, record: Record) -> list[Problem]:
        """Returns why a row can't change its bill."""
        before = self.bills.get(record.record)
        if before is None or not before.is_in_payment:
            return []
        after = bill_of(record, body.bill, calendars.packaged)
        is_same = after.terms == before.terms and not body.bill.cancelled
        return [] if is_same else [BILL_IN_PAYMENT]


@dataclass(frozen=True, slots=True)
class _Due:
    """A last day, the rule that gave it, and whether it rests on a year that isn't published."""

    date: datetime.date
    rule: str
    is_provisional: bool


def load(connection: sa.Connection, identifiers: Iterable[str]) -> StandingBills:
    """Loads the bills with these ids."""
    return StandingBills(store.load(connection, identifiers))


def bill_of(record: Record, content: records_pb2.Bill, calendar_of: CalendarOf) -> Bill:
    """Returns the bill as its record has it, before any payment."""
    due = _due(content, calendar_of)
    return Bill(
        id=record.record,
        enterprise=record.enterprise,
        amount=money.from_proto(content.amount),
        payee=content.payee,
        due_date=due.date,
        due_rule=due.rule,
        is_due_provisional=due.is_provisional,
        state=State.CANCELLED if content.cancelled else State.OPEN,
        payment="",
        transfer="",
        claim_date=None,
        late_fee=None,
        revision=1,
    )


def _due(content: records_pb2.Bill, calendar_of: CalendarOf) -> _Due:
    if content.term == STATED:
        return _Due(to_date(content.due_date), "STATED", False)
    term = records_pb2.Bill.Term.Name(content.term)
    deadline, rule = due_dates.due(term, to_date(content.issue_date), calendar_of)
    return _Due(deadline.date, rule, deadline.is_provisional)


def follow(
    transaction: Transaction, standing: StandingBills, changed: Sequence[tuple[Record, records_pb2.Bill]]
) -> None:
    """Makes bills as their newest records have them; a bill in payment stays as it is."""
    added, changed_bills = [], []
    for record, content in changed:
        before = standing.bills.get(record.record)
        after = bill_of(record, content, calendars.packaged)
        if before is None:
            added.append(after)
        elif not before.is_in_payment:
            changed_bills.append(reissued(before, after))
    store.add(transaction.connection, added)
    store.save(transaction.connection, changed_bills)
    _tell(transaction, [record for record, _ in changed], {bill.id: bill for bill in [*added, *changed_bills]})


def _tell(transaction: Transaction, records: Sequence[Record], bills: Mapping[str, Bill]) -> None:
    """Tells the payer before paying that a bill isn't what was published; it can be paid all the same."""
    shown = views.views(
        transaction.connection,
        [record for record in records if record.record in bills],
        bills,
        transaction.business_date,
        "en",
    )
    for message in shown:
        if message.bill.findings and not message.bill.cancelled:
            transaction.append("bill.differed", message.name, message, [message.enterprise])
