"""The rules of bills, and how their due dates and late fees come about."""

import datetime
from collections.abc import Callable, Mapping
from decimal import Decimal

from aval.declarations.v1 import records_pb2

from chassis.money import Money
from chassis.rpc import to_date
from services.declarations.customs.code_tables import Row, code_table
from services.declarations.window.bill import late_fees
from services.declarations.window.bill.due_dates import CalendarOf
from services.declarations.window.bill.late_fees import DAY, LateFee
from services.declarations.window.bill.model import Bill
from trade.calendars import Calendar
from trade.derivations import deadlines, rules
from trade.derivations.deadlines import LATER
from trade.derivations.interest import DAYS_THROUGH
from trade.derivations.model import Derivation, RowOrigin
from trade.derivations.rules import Leaf, Parameter, Rule, Rules, derived, table
from trade.derivations.shared import SHARED
from trade.derivations.store import Entry

DUE_DATE, LATE_FEE = "bill.due_date", "bill.late_fee.amount"
LATE_FEES = "declarations/late_fees"


def _rate(rate_per_day: Decimal, days: int) -> Decimal:
    return rate_per_day * days


def _fee(amount: Money, rate: tuple[Decimal, ...], waived_below: Decimal) -> Money:
    fee = amount.times(sum(rate, start=Decimal(0)))
    return fee.zero() if fee.major() < waived_below else fee


RATE = Rule(
    name="late_fee.rate",
    function=_rate,
    source="From the day after the due date to the day of payment, both included",
    parameters=(Parameter("rate_per_day", "日费率"), Parameter("days", "天数")),
    english="{rate_per_day:%} a day for {days} days",
    chinese="每日 {rate_per_day:%}，{days} 天",
    formula="{rate_per_day:%} x {days}",
)
FEE = Rule(
    name="late_fee.fee",
    function=_fee,
    source="On what is unpaid, rounded once, waived below a threshold",
    parameters=(
        Parameter("amount", "未付金额"),
        Parameter("rate", "费率", is_list=True),
        Parameter("waived_below", "免征额"),
    ),
    english="Late fee of {amount} at {rate:%}, nothing below {waived_below}",
    chinese="{amount} 的滞纳金，费率 {rate:%}，不足 {waived_below} 免征",
    formula="{amount} x {rate}",
    mode="HALF_UP",
)
NO_FEE = Rule(
    name="late_fee.none",
    function=lambda amount, due_date, paid_on: amount.zero(),  # noqa: ARG005
    source="Nothing is late that is paid by its due date; not every bill bears a fee",
    parameters=(Parameter("amount", "金额"), Parameter("due_date", "缴款期限"), Parameter("paid_on", "付款日")),
    english="No late fee on {amount}, due on {due_date} and paid on {paid_on}",
    chinese="{amount} 无滞纳金；缴款期限 {due_date}，付款日 {paid_on}",
)
BILLED = Rule(
    name="late_fee.billed",
    function=lambda amount, bill: amount.zero(),  # noqa: ARG005
    source="Customs collects the late fee by a bill of its own",
    parameters=(Parameter("amount", "金额"), Parameter("bill", "账单")),
    english="The late fee on {amount} is collected by {bill}",
    chinese="{amount} 的滞纳金由 {bill} 收取",
)

BILL: Rules = {**SHARED, **table(RATE, FEE, NO_FEE, BILLED)}


def due_dates(changed: Mapping[str, records_pb2.Bill], calendar_of: CalendarOf) -> list[Entry]:
    """Returns how the due dates of bills come about, by the names of their records; none of those that state it."""
    return [
        Entry(name, DUE_DATE, _due_date(name, content, calendar_of))
        for name, content in changed.items()
        if content.term != records_pb2.Bill.STATED
    ]


def _due_date(record: str, content: records_pb2.Bill, calendar_of: CalendarOf) -> Derivation:
    term = records_pb2.Bill.Term.Name(content.term)
    return due_date(record, term, to_date(content.issue_date), calendar_of)


def due_date(record: str, term: str, issued: datetime.date, calendar_of: CalendarOf) -> Derivation:
    """Returns how the last day of a term of duty_deadlines.csv comes about. Raises KeyError where it has none that day.

    SINGLE, issued 2026-11-13: 15 days lead to Saturday 2026-11-28, so 2026-11-30.
    """
    row = code_table("duty_deadlines").row(term, issued)
    if row is None:
        raise KeyError(f"{term} on {issued}")
    return _UNITS[row["unit"]](rules.field(issued, record, "bill.issue_date"), row, calendar_of(row["calendar"]))


def _days(issued: Leaf, row: Row, calendar: Calendar) -> Derivation:
    later = derived(LATER, source=row["rule"], day=issued, count=_count(row))
    return deadlines.following(later, calendar.is_open, _origin(calendar))


def _origin(calendar: Calendar) -> RowOrigin:
    """Returns where the days stand on which nobody works: the calendar as a whole, since weekends have no rows."""
    (version,) = calendar.versions
    return RowOrigin(table=version.table, version=version.version)


def _count(row: Row) -> Leaf:
    return rules.row(int(row["value"]), "declarations/duty_deadlines", row)


def _working_day_of_next_month(issued: Leaf, row: Row, calendar: Calendar) -> Derivation:
    count = int(row["value"])
    return deadlines.working_day_of_next_month(issued, _count(row), count, calendar.is_open, _origin(calendar))


_UNITS: Mapping[str, Callable[[Leaf, Row, Calendar], Derivation]] = {
    "DAYS": _days,
    "WORKING_DAY_OF_NEXT_MONTH": _working_day_of_next_month,
}


def late_fee(bill: Bill, kind: str, fee: LateFee | None, on: datetime.date) -> Entry:
    """Returns how the fee comes about that is paid with a bill of a kind on a day."""
    return Entry(bill.name, LATE_FEE, _late_fee(bill, kind, fee, on))


def _late_fee(bill: Bill, kind: str, fee: LateFee | None, on: datetime.date) -> Derivation:
    amount, due_day = rules.field(bill.amount, bill.name, "bill.amount"), bill.due_date
    paid_on = rules.field(on, bill.name, "bill.claim_date")
    if fee is None:
        due_on = rules.field(due_day, bill.name, DUE_DATE)
        return derived(NO_FEE, amount=amount, due_date=due_on, paid_on=paid_on)
    if fee.bill:
        return derived(BILLED, amount=amount, bill=rules.field(fee.bill, fee.bill, "name"))
    periods = list(late_fees.periods(kind, due_day + DAY, on))
    rates = [_of_period(bill, paid_on, *period) for period in periods]
    row, _, _ = periods[-1]
    waived_below = rules.row(Decimal(row["waived_below"]), LATE_FEES, row, "waived_below")
    return derived(FEE, source=fee.rule, amount=amount, rate=rates, waived_below=waived_below)


def _of_period(bill: Bill, paid_on: Leaf, row: Row, first: datetime.date, last: datetime.date) -> Derivation:
    """Returns the rate of the days on which a row counts: from the day after the due date at first, to the day of
    payment at last.
    """
    after_due = derived(LATER, day=rules.field(bill.due_date, bill.name, DUE_DATE), count=Leaf(1))
    days = derived(
        DAYS_THROUGH,
        first=after_due if first == after_due.day else rules.row(first, LATE_FEES, row, "effective_from"),
        last=paid_on if last == paid_on.value else rules.row(last, LATE_FEES, row, "effective_to"),
    )
    rate = rules.row(Decimal(row["rate_per_day"]), LATE_FEES, row, "rate_per_day")
    return derived(RATE, rate_per_day=rate, days=days)
