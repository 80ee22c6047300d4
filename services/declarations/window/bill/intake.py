"""Makes, changes or takes back the bill of a bill's record; never once a payment has claimed it."""

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import sqlalchemy as sa
from aval.declarations.v1 import records_pb2

from chassis import money
from chassis.command import Transaction
from chassis.errors import Problem
from chassis.rpc import to_date
from services.declarations.window.bill import due_dates, rules, store, views
from services.declarations.window.bill.due_dates import CalendarOf
from services.declarations.window.bill.model import Bill, State, reissued
from services.declarations.window.records.model import Record
from trade.calendars import Deadline
from trade.dated_tables import reads as dated_tables_reads
from trade.derivations import store as derivation_store

BILL_IN_PAYMENT = Problem(
    "bill",
    "BILL_IN_PAYMENT",
    "The bill is being paid or is paid; its payer, amount and payee stay, and it can't be taken back.",
    "该账单正在支付或已支付；付款人、金额、收款人不可变更，也不可撤销。",
)
STATED = records_pb2.Bill.STATED


@dataclass(frozen=True, slots=True)
class StandingBills:
    """The bills that a batch's records are about, as they stand, and the calendars that are in force."""

    bills: dict[str, Bill]
    calendar_of: CalendarOf

    def problems(self, body: records_pb2.Record, record: Record) -> list[Problem]:
        """Returns why a row can't change its bill."""
        before = self.bills.get(record.record)
        if before is None or not before.is_in_payment:
            return []
        after, _ = bill_of(record, body.bill, self.calendar_of)
        is_same = after.terms == before.terms and not body.bill.cancelled
        return [] if is_same else [BILL_IN_PAYMENT]


def load(connection: sa.Connection, identifiers: Iterable[str]) -> StandingBills:
    """Loads the bills with these ids."""
    return StandingBills(store.load(connection, identifiers), partial(dated_tables_reads.calendar, connection))


def bill_of(record: Record, content: records_pb2.Bill, calendar_of: CalendarOf) -> tuple[Bill, Deadline | None]:
    """Returns the bill as its record has it, before any payment, and the deadline that its due date is, if a rule's."""
    date, rule, deadline = _due(content, calendar_of)
    bill = Bill(
        id=record.record,
        enterprise=record.enterprise,
        amount=money.from_proto(content.amount),
        payee=content.payee,
        due_date=date,
        due_rule=rule,
        is_due_provisional=deadline is not None and deadline.is_provisional,
        state=State.CANCELLED if content.cancelled else State.OPEN,
        payment="",
        transfer="",
        claim_date=None,
        late_fee=None,
        revision=1,
    )
    return bill, deadline


def _due(content: records_pb2.Bill, calendar_of: CalendarOf) -> tuple[datetime.date, str, Deadline | None]:
    """Returns the last day of a bill, the rule that gave it, and the deadline where it isn't stated."""
    if content.term == STATED:
        return to_date(content.due_date), "STATED", None
    term = records_pb2.Bill.Term.Name(content.term)
    deadline, rule = due_dates.due(term, to_date(content.issue_date), calendar_of)
    return deadline.date, rule, deadline


def follow(
    transaction: Transaction, standing: StandingBills, changed: Sequence[tuple[Record, records_pb2.Bill]]
) -> None:
    """Makes bills as their newest records have them; a bill in payment stays as it is."""
    added, changed_bills = [], []
    due: dict[str, Deadline | None] = {}
    for record, content in changed:
        before = standing.bills.get(record.record)
        after, deadline = bill_of(record, content, standing.calendar_of)
        if before is None:
            added.append(after)
        elif not before.is_in_payment:
            changed_bills.append(reissued(before, after))
        if before is None or not before.is_in_payment:
            due[after.name] = deadline
    store.add(transaction.connection, added)
    store.save(transaction.connection, changed_bills)
    store.keep_deadlines(transaction.connection, due)
    contents = {record.name: content for record, content in changed}
    moved = {bill.name: contents[bill.name] for bill in _moved(standing, [*added, *changed_bills])}
    derivation_store.put(transaction, rules.BILL, rules.due_dates(moved, standing.calendar_of))
    _tell(transaction, [record for record, _ in changed], {bill.id: bill for bill in [*added, *changed_bills]})


def _moved(standing: StandingBills, bills: Iterable[Bill]) -> Iterator[Bill]:
    """Yields the bills that are new, or due on another day or by another rule than before."""
    for bill in bills:
        before = standing.bills.get(bill.id)
        if before is None or (before.due_date, before.due_rule) != (bill.due_date, bill.due_rule):
            yield bill


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
