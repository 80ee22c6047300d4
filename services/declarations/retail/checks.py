"""The business rules of retail documents, over their proto rows. Pure; every problem at once.

Lengths and patterns are rules of the proto and are not repeated here. Paths are field paths of the row,
indexes from 0: lines[1].total. Rules: the format's own: goods value is the sum of the lines, quantity times
price is the line's total up to one minor unit, net weight is at most gross weight, one currency a document.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from aval.declarations.v1 import retail_pb2
from aval.type.v1 import money_pb2
from google.protobuf.message import Message
from google.type import decimal_pb2

from chassis.errors import Problem
from chassis.money import is_currency
from services.declarations.checks import (
    PARCEL_MOST,
    country_problems,
    currency_problems,
    decimal_or_none,
    goods_problems,
    net_exceeds_gross,
    not_a_number,
    not_positive,
    size_problems,
)
from services.declarations.code_tables import code_table


def check(row: Message) -> list[Problem]:
    """Every broken business rule of a row of RetailDocument."""
    return list(RULES[type(row)](row)) if type(row) in RULES else []


def _order(order: retail_pb2.RetailOrder) -> Iterator[Problem]:
    yield from _lines(order.lines, "goods_value", order.goods_value)
    for name in ("freight", "discount", "tax", "paid"):
        yield from _charge(order, name)


def _waybill(waybill: retail_pb2.RetailWaybill) -> Iterator[Problem]:
    for name in ("freight", "insurance"):
        yield from _charge(waybill, name)
    yield from _weight("gross_weight_kilograms", waybill.gross_weight_kilograms)


def _payment(payment: retail_pb2.RetailPayment) -> Iterator[Problem]:
    yield from currency_problems("amount.currency_code", payment.amount.currency_code)
    if payment.amount.minor_units <= 0:
        yield not_positive("amount")
    for name in ("payment_company_code", "transaction_number"):
        if payment.direction != retail_pb2.EXPORT and not getattr(payment, name):
            yield Problem(
                name,
                "PAYMENT_NUMBER_MISSING",
                "A payment of an import names the payment company and its transaction; fill both in.",
                "进口支付单须填写支付企业代码和支付交易编号；请补填。",
            )


def _list(declared: retail_pb2.RetailList) -> Iterator[Problem]:
    yield from _lines(declared.lines, "value", declared.value)
    yield from size_problems("value", declared.value.minor_units, PARCEL_MOST)
    yield from country_problems("country", declared.country, date.max)
    for name in ("freight", "insurance"):
        yield from _charge(declared, name)
    yield from _weights(declared)


def _departure(departure: retail_pb2.RetailDeparture) -> Iterator[Problem]:
    if not departure.list_numbers and not departure.waybill_numbers:
        yield Problem(
            "waybill_numbers",
            "NOTHING_NAMED",
            "No list and no waybill is named; name what was loaded or left.",
            "未列明清单或运单；请列明装载或离境的清单或运单。",
        )


def _lines(lines: Sequence[retail_pb2.RetailLine], path: str, value: money_pb2.Money) -> Iterator[Problem]:
    """The lines' own problems and, where they have none, whether they add up to the value at the path."""
    found = [problem for index, line in enumerate(lines) for problem in _line(index, line, value.currency_code)]
    yield from found
    yield from currency_problems(f"{path}.currency_code", value.currency_code)
    total = sum(line.total.minor_units for line in lines)
    # A sum over broken lines, or over none, or of what is no currency would only repeat their problem.
    # Amounts of five decimals are rounded each by itself, so that the sum of many is off by half a unit a line.
    differs = abs(total - value.minor_units) > len(lines) // 2
    if lines and not found and is_currency(value.currency_code) and differs:
        yield Problem(
            path,
            "GOODS_VALUE_MISMATCH",
            f"The value is {value.minor_units} minor units, its lines sum up to {total}; correct one of them.",
            f"商品总值为 {value.minor_units}（最小货币单位），各项合计为 {total}；请更正其一。",
        )


def _line(index: int, line: retail_pb2.RetailLine, currency: str) -> Iterator[Problem]:
    yield from goods_problems(index, line, currency)
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
}
