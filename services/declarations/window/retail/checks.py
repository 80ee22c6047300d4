"""The business rules of retail documents, over their proto rows. Pure; every problem at once.

Lengths and patterns are rules of the proto and are not repeated here. Paths are field paths of the row,
indexes from 0: lines[1].total. Rules: the format's own: goods value is the sum of the lines, quantity times
price is the line's total up to what a rounded price leaves open, net weight is at most gross weight, one currency a
document. Amounts that were written finer than their currency add up as they were written, not as they were rounded.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from aval.declarations.v1 import retail_pb2
from aval.type.v1 import money_pb2
from google.protobuf.message import Message
from google.type import decimal_pb2

from chassis.currencies import nearest_minor_units, to_major_units
from chassis.errors import Problem
from chassis.money import is_currency
from services.declarations.customs.checks import (
    PARCEL_MOST,
    country_problems,
    currency_problems,
    decimal_or_none,
    exact_or_none,
    goods_problems,
    net_exceeds_gross,
    not_a_number,
    size_problems,
)
from services.declarations.customs.code_tables import code_table
from trade import checks as trade_checks

_AMOUNT_PATH = re.compile(r"(?:lines\[([0-9]{1,3})\]\.)?([a-z_]+)", re.ASCII)


def check(row: Message) -> list[Problem]:
    """Every broken business rule of a row of RetailDocument."""
    return list(RULES[type(row)](row)) if type(row) in RULES else []


def _order(order: retail_pb2.RetailOrder) -> Iterator[Problem]:
    yield from _exact_problems(order)
    yield from _lines(order, "goods_value", order.goods_value)
    for name in ("freight", "discount", "tax", "paid"):
        yield from _charge(order, name)


def _waybill(waybill: retail_pb2.RetailWaybill) -> Iterator[Problem]:
    yield from _exact_problems(waybill)
    for name in ("freight", "insurance"):
        yield from _charge(waybill, name)
    yield from _weight("gross_weight_kilograms", waybill.gross_weight_kilograms)


def _payment(payment: retail_pb2.RetailPayment) -> Iterator[Problem]:
    yield from _exact_problems(payment)
    yield from currency_problems("amount.currency_code", payment.amount.currency_code)
    if payment.amount.minor_units <= 0 and not exact_amounts(payment).get("amount"):
        yield trade_checks.not_positive("amount")
    for name in ("payment_company_code", "transaction_number"):
        if payment.direction != retail_pb2.EXPORT and not getattr(payment, name):
            yield Problem(
                name,
                "PAYMENT_NUMBER_MISSING",
                "A payment of an import names the payment company and its transaction; fill both in.",
                "进口支付单须填写支付企业代码和支付交易编号；请补填。",
            )


def _list(declared: retail_pb2.RetailList) -> Iterator[Problem]:
    yield from _exact_problems(declared)
    yield from _lines(declared, "value", declared.value)
    yield from size_problems("value", declared.value.minor_units, PARCEL_MOST)
    yield from country_problems("country", declared.country, date.max)
    for name in ("freight", "insurance"):
        yield from _charge(declared, name)
    yield from _weights(declared)


def _result(result: retail_pb2.RetailSummaryResult) -> Iterator[Problem]:
    for name in ("gross_weight_kilograms", "net_weight_kilograms"):
        yield from _weight(name, getattr(result, name))
    yield from _part(result)


def _departure(departure: retail_pb2.RetailDeparture) -> Iterator[Problem]:
    if not departure.list_numbers and not departure.waybill_numbers:
        yield Problem(
            "waybill_numbers",
            "NOTHING_NAMED",
            "No list and no waybill is named; name what was loaded or left.",
            "未列明清单或运单；请列明装载或离境的清单或运单。",
        )


def _summary(summary: retail_pb2.RetailSummary) -> Iterator[Problem]:
    times = [summary.HasField(name) for name in ("start_time", "end_time")]
    if any(times) and not all(times):
        yield Problem(
            "end_time" if times[0] else "start_time",
            "TIME_RANGE_INCOMPLETE",
            "A summary by time has a start and an end; give both, or neither and the lists.",
            "按时间范围汇总须同时填写开始时间和结束时间；请补填，或均不填而列明清单。",
        )
    elif all(times) and summary.end_time.ToNanoseconds() < summary.start_time.ToNanoseconds():
        yield Problem(
            "end_time",
            "TIME_RANGE_REVERSED",
            "The summary's time ends before it begins; correct one of them.",
            "汇总结束时间早于开始时间；请更正其一。",
        )
    elif not any(times) and not summary.list_numbers and summary.envelope.change != retail_pb2.DELETE:
        yield Problem(
            "list_numbers",
            "TOO_FEW",
            "The summary names no list and no time; name its lists, or the time of which it is.",
            "汇总单未列明清单，也未指定时间范围；请列明清单或填写时间范围。",
        )
    yield from _part(summary)


def _part(part: Any) -> Iterator[Problem]:
    """Whether a part's number is one of the parts there are; 0 of 0 is the whole."""
    if part.part_number > max(part.part_count, 1) or (part.part_count and not part.part_number):
        yield Problem(
            "part_number",
            "PART_OUT_OF_RANGE",
            f"This is part {part.part_number} of {part.part_count}; parts are numbered from 1.",
            f"报文序号为 {part.part_number}，报文总数为 {part.part_count}；序号应从 1 开始且不大于总数。",
        )


def _amount_at(row: Any, path: str) -> money_pb2.Money | None:
    """The amount at a path such as goods_value or lines[0].total; None where the row has none there."""
    match = _AMOUNT_PATH.fullmatch(path)
    if match is None or (match[1] and int(match[1]) >= len(row.lines)):
        return None
    owner, name = row.lines[int(match[1])] if match[1] else row, match[2]
    found = getattr(owner, name, None)
    return found if isinstance(found, money_pb2.Money) and owner.HasField(name) else None


def exact_amounts(row: Any) -> dict[str, Decimal]:
    """The amounts that were written finer than their currency, in major units, by path: lines[0].total, 37.03701."""
    found = ((exact_amount.path, exact_or_none(exact_amount.value.value)) for exact_amount in row.exact_amounts)
    return {path: amount for path, amount in found if amount is not None}


def _exact_problems(row: Any) -> Iterator[Problem]:
    """Whether each exact amount rounds to the amount at its path."""
    for index, exact_amount in enumerate(row.exact_amounts):
        amount, exact = _amount_at(row, exact_amount.path), exact_or_none(exact_amount.value.value)
        rounded = None if amount is None or exact is None else nearest_minor_units(exact, amount.currency_code)
        if amount is None or rounded is None or rounded != amount.minor_units:
            yield Problem(
                f"exact_amounts[{index}]",
                "EXACT_AMOUNT_DIFFERS",
                f"{exact_amount.value.value} doesn't round to the amount at {exact_amount.path or 'no path'}; "
                "correct one of them.",
                f"{exact_amount.value.value} 舍入后与 {exact_amount.path or '（空路径）'} 处的金额不一致；请更正其一。",
            )


def _lines(row: Any, path: str, value: money_pb2.Money) -> Iterator[Problem]:
    """The lines' own problems and, where they have none, whether they add up to the value at the path."""
    exact = exact_amounts(row)
    found = [
        problem
        for index, line in enumerate(row.lines)
        for problem in _line(index, line, value.currency_code, bool(exact.get(f"lines[{index}].total")))
    ]
    yield from found
    yield from currency_problems(f"{path}.currency_code", value.currency_code)
    # A sum over broken lines, or over none, or of what is no currency would only repeat their problem.
    if row.lines and not found and is_currency(value.currency_code):
        yield from _sum_problems(row.lines, path, value, exact)


def _sum_problems(
    lines: Sequence[retail_pb2.RetailLine], path: str, value: money_pb2.Money, exact: Mapping[str, Decimal]
) -> Iterator[Problem]:
    """Whether the lines add up: to the minor unit, or within half of one where any amount was written finer."""
    currency = value.currency_code

    def written(at: str, minor_units: int) -> Decimal:
        return exact.get(at, to_major_units(minor_units, currency))

    total = sum(written(f"lines[{index}].total", line.total.minor_units) for index, line in enumerate(lines))
    declared = written(path, value.minor_units)
    allowance = to_major_units(1, currency) / 2 if exact else 0
    # A list's value isn't written in it: it is what its rounded lines sum up to.
    rounded = sum(line.total.minor_units for line in lines)
    if abs(total - declared) > allowance and rounded != value.minor_units:
        yield Problem(
            path,
            "GOODS_VALUE_MISMATCH",
            f"The value is {declared} {currency}, its lines sum up to {total} {currency}; correct one of them.",
            f"商品总值为 {declared} {currency}，各项合计为 {total} {currency}；请更正其一。",
        )


def _line(index: int, line: retail_pb2.RetailLine, currency: str, is_positive: bool) -> Iterator[Problem]:
    yield from goods_problems(index, line, currency, is_positive)
    yield from country_problems(f"lines[{index}].country", line.country, date.max)
    yield from unit_problems(f"lines[{index}].unit", line.unit)


def unit_problems(path: str, code: str) -> Iterator[Problem]:
    """Whether a unit is one of customs' parameter table; an empty code is no problem."""
    if code and not code_table("units").row(code, date.max):
        yield Problem(
            path,
            "UNIT_UNKNOWN",
            f"{code} is no unit of measure of customs; use one of its table, for example 011 for a piece.",
            f"{code} 不是海关计量单位代码；请使用计量单位代码表中的代码，如 011（件）。",
        )


def _charge(row: Any, name: str) -> Iterator[Problem]:
    """An amount that may be absent or nothing, but not negative."""
    if not row.HasField(name):
        return
    amount = getattr(row, name)
    yield from currency_problems(f"{name}.currency_code", amount.currency_code)
    if amount.minor_units < 0:
        yield Problem(name, "AMOUNT_NEGATIVE", "The amount must not be negative; correct it.", "金额不得为负；请更正。")


def _weight(path: str, weight: decimal_pb2.Decimal) -> Iterator[Problem]:
    if weight.value and decimal_or_none(weight.value) is None:
        yield not_a_number(path)


def _weights(declared: retail_pb2.RetailList) -> Iterator[Problem]:
    for name in ("gross_weight_kilograms", "net_weight_kilograms"):
        yield from _weight(name, getattr(declared, name))
    gross = decimal_or_none(declared.gross_weight_kilograms.value)
    net = decimal_or_none(declared.net_weight_kilograms.value)
    if gross is not None and net is not None and net > gross:
        yield net_exceeds_gross("net_weight_kilograms", net, gross)


RULES: Mapping[type[Message], Callable[[Any], Iterator[Problem]]] = {
    retail_pb2.RetailOrder: _order,
    retail_pb2.RetailWaybill: _waybill,
    retail_pb2.RetailPayment: _payment,
    retail_pb2.RetailList: _list,
    retail_pb2.RetailDeparture: _departure,
    retail_pb2.RetailSummary: _summary,
    retail_pb2.RetailSummaryResult: _result,
}
