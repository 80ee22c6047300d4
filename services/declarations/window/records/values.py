"""What any record must keep whatever its kind: dates that exist, numbers that are plain, money in a currency. Pure."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from google.protobuf.message import Message

from chassis.currencies import minor_digits
from chassis.errors import Problem
from services.declarations.customs.checks import decimal_or_none
from trade import checks as trade_checks
from trade.checks import date_or_none


def problems(message: Message, path: str) -> Iterator[Problem]:
    """Every date, decimal and amount below a message that isn't one, and periods that end before they begin."""
    for field, value in message.ListFields():
        below = f"{path}.{field.name}" if path else field.name
        if field.message_type is None:
            continue
        values = enumerate(value) if field.is_repeated else ((None, value),)
        for index, entry in values:
            yield from _of_value(entry, below if index is None else f"{below}[{index}]")
    yield from _period(message, path)


def _of_value(value: Message, path: str) -> Iterator[Problem]:
    check = _CHECKS.get(value.DESCRIPTOR.full_name)
    if check is None:
        yield from problems(value, path)
    elif not check(value):
        yield _WRONG[value.DESCRIPTOR.full_name](path)


def _is_money(value: Any) -> bool:
    return minor_digits(value.currency_code) is not None and value.minor_units >= 0


_CHECKS: Mapping[str, Callable[[Any], bool]] = {
    "google.type.Date": lambda value: date_or_none(value) is not None,
    "google.type.Decimal": lambda value: decimal_or_none(value.value) is not None,
    "aval.type.v1.Money": _is_money,
    "google.protobuf.Timestamp": lambda _value: True,
}


def _no_decimal(path: str) -> Problem:
    english = "This is no plain decimal number of at most 13 digits and 6 decimals; correct it."
    return Problem(path, "NUMBER_INVALID", english, "不是有效的十进制数（整数最多 13 位，小数最多 6 位）；请更正。")


def _no_money(path: str) -> Problem:
    english = "Give an amount that isn't negative in a currency of ISO 4217."
    return Problem(path, "AMOUNT_INVALID", english, "请填写非负金额及有效的 ISO 4217 币制。")


_WRONG: Mapping[str, Callable[[str], Problem]] = {
    "google.type.Date": trade_checks.no_such_day,
    "google.type.Decimal": _no_decimal,
    "aval.type.v1.Money": _no_money,
}


def _period(message: Any, path: str) -> Iterator[Problem]:
    if "valid_to" not in message.DESCRIPTOR.fields_by_name or not message.HasField("valid_to"):
        return
    first, last = date_or_none(message.valid_from), date_or_none(message.valid_to)
    if first and last and last < first:
        yield Problem(
            f"{path}.valid_to",
            "PERIOD_REVERSED",
            "The last day is before the first; correct one of them.",
            "截止日期早于起始日期；请更正其一。",
        )
