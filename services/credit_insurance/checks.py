"""Field rules that the aggregates share: each yields its problems, and a command reports all at once."""

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from aval.type.v1 import money_pb2
from google.type import date_pb2, decimal_pb2

from chassis import money, rpc
from chassis.errors import Problem

# At most eight decimals: enough for any rate, and products stay exact.
_FRACTION = re.compile(r"(0|1)(\.[0-9]{1,8})?", re.ASCII)


def amount(path: str, message: money_pb2.Money, currency: str = "") -> Iterator[Problem]:
    """A positive amount of a known currency: of `currency`, where given."""
    if not money.is_currency(message.currency_code):
        yield Problem(
            f"{path}.currency_code",
            "CURRENCY_UNKNOWN",
            f"{message.currency_code} is no currency; use the ISO 4217 code, for example USD.",
            f"{message.currency_code} 不是有效币种；请使用 ISO 4217 字母代码，如 USD。",
        )
    elif currency and message.currency_code != currency:
        yield Problem(
            f"{path}.currency_code", "CURRENCY_DIFFERS", f"The policy is in {currency}.", f"保单币种为 {currency}。"
        )
    if message.minor_units <= 0:
        yield Problem(f"{path}.minor_units", "AMOUNT_NOT_POSITIVE", "Give a positive amount.", "金额须为正数。")


def day(path: str, message: date_pb2.Date) -> Iterator[Problem]:
    """A calendar day."""
    if date_or_none(message) is None:
        yield Problem(path, "DATE_INVALID", "This is no calendar day; correct it.", "日期无效；请更正。")


def period(start_path: str, start: date_pb2.Date, end_path: str, end: date_pb2.Date) -> Iterator[Problem]:
    """Two calendar days of which the first isn't after the last."""
    yield from day(start_path, start)
    yield from day(end_path, end)
    first, last = date_or_none(start), date_or_none(end)
    if first and last and last < first:
        yield Problem(end_path, "PERIOD_INVERTED", f"It is before {first}; correct one.", f"早于 {first}；请更正。")


def date_or_none(message: date_pb2.Date) -> date | None:
    """The calendar day; None where it isn't one."""
    try:
        return rpc.to_date(message)
    except ValueError:
        return None


def fraction(path: str, message: decimal_pb2.Decimal) -> Iterator[Problem]:
    """A part of a whole: above 0, at most 1."""
    if not _FRACTION.fullmatch(message.value) or not 0 < Decimal(message.value) <= 1:
        yield Problem(
            path,
            "FRACTION_INVALID",
            "Give a decimal above 0 and at most 1 with at most 8 decimals, for example 0.90.",
            "请填写大于 0 且不超过 1 的小数（最多 8 位），如 0.90。",
        )
