"""Rules of interest and days, and how interest is derived: principal x days, at an annual rate, rounded once."""

import datetime
from collections.abc import Sequence
from decimal import Decimal, localcontext

from chassis.money import Money
from trade import day_count_bases, interest
from trade.derivations.model import Derivation
from trade.derivations.rules import Argument, Leaf, Parameter, Rule, derived, table
from trade.interest import DIGITS


def _days(first: datetime.date, last: datetime.date) -> int:
    return (last - first).days


def _days_through(first: datetime.date, last: datetime.date) -> int:
    return (last - first).days + 1


def _day_amount(principal: Money, days: int) -> Decimal:
    return principal.major() * days


def _accrued(day_amount: tuple[Decimal, ...], annual_rate: Decimal, basis: int, currency: str) -> Money:
    with localcontext(prec=DIGITS):
        exact = sum(day_amount, start=Decimal(0))
    return interest.on_day_amount(exact, annual_rate, basis, currency)


def _owed(accrued: Money, paid: Money) -> Money:
    return max(accrued - paid, accrued.zero())


DAYS_BETWEEN = Rule(
    name="days.between",
    function=_days,
    source="The first day in, the last day out",
    parameters=(Parameter("first", "起日"), Parameter("last", "止日")),
    english="Days from {first} to {last}",
    chinese="{first} 至 {last} 的天数",
)
DAYS_THROUGH = Rule(
    name="days.through",
    function=_days_through,
    source="Both days in",
    parameters=(Parameter("first", "起日"), Parameter("last", "止日")),
    english="Days from {first} through {last}",
    chinese="{first} 至 {last}（含首尾）的天数",
)
DAY_AMOUNT = Rule(
    name="interest.day_amount",
    function=_day_amount,
    source="Simple interest: each day's principal counts",
    parameters=(Parameter("principal", "本金"), Parameter("days", "天数")),
    english="{principal} outstanding for {days} days",
    chinese="{principal} 未偿 {days} 天",
    formula="{principal} x {days}",
)
BASIS = Rule(
    name="interest.basis",
    function=day_count_bases.basis_of,
    source="The convention of the currency or benchmark",
    parameters=(Parameter("day_count", "计息天数惯例"),),
    english="Days of a year by {day_count}",
    chinese="按 {day_count} 的一年天数",
)
ACCRUED = Rule(
    name="interest.accrued",
    function=_accrued,
    source="Simple interest: the exact sum over the days, rounded once",
    parameters=(
        Parameter("day_amount", "本金乘天数", is_list=True),
        Parameter("annual_rate", "年利率"),
        Parameter("basis", "计息年天数"),
        Parameter("currency", "币种"),
    ),
    english="Interest at {annual_rate:%} a year of {basis} days",
    chinese="按年利率 {annual_rate:%}、一年 {basis} 天计息",
    formula="{day_amount} x {annual_rate:%} / {basis}",
    mode="HALF_UP",
)
OWED = Rule(
    name="interest.owed",
    function=_owed,
    source="What was paid is taken off; never below zero",
    parameters=(Parameter("accrued", "应计利息"), Parameter("paid", "已付利息")),
    english="{accrued} accrued, {paid} of it paid",
    chinese="应计 {accrued}，已付 {paid}",
    formula="{accrued:+} - {paid} paid",
)
SIMPLE_RATE = Rule(
    name="interest.simple_rate",
    function=interest.simple_rate,
    source="Interest and fee over the amount paid out, per year of the basis; no effective rate",
    parameters=(
        Parameter("all_in_cost", "综合成本"),
        Parameter("paid_out", "实付金额"),
        Parameter("days", "天数"),
        Parameter("basis", "计息年天数"),
    ),
    english="{all_in_cost} on {paid_out} paid out, for {days} days of a year of {basis}",
    chinese="实付 {paid_out}，综合成本 {all_in_cost}，{days} 天，一年 {basis} 天",
    formula="{all_in_cost} x {basis} / ({paid_out:+} x {days})",
    mode="HALF_UP",
    decimals=6,
)

INTEREST = table(DAYS_BETWEEN, DAYS_THROUGH, DAY_AMOUNT, BASIS, ACCRUED, OWED, SIMPLE_RATE)


def stretch(principal: Argument, days: Argument) -> Derivation:
    """Returns the day amount of a principal that was outstanding for some days."""
    return derived(DAY_AMOUNT, principal=principal, days=days)


def accrued(stretches: Sequence[Argument], annual_rate: Argument, basis: Argument, currency: str) -> Derivation:
    """Returns the interest of several stretches: USD 100,000.00 for 90 days at 6 % of 360 is USD 1,500.00."""
    return derived(ACCRUED, day_amount=stretches, annual_rate=annual_rate, basis=basis, currency=Leaf(currency))
