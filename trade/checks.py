"""Checks of amounts, dates and rates in requests: each yields its problems, and a command reports all at once."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from aval.type.v1 import money_pb2
from google.type import date_pb2, decimal_pb2

from chassis import money, rpc
from chassis.errors import Problem

# At most eight decimals: enough for any rate, and products stay exact.
_FRACTION = re.compile(r"(0|1)(\.[0-9]{1,8})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Subject:
    """A thing with a currency, to which an amount belongs, in both languages."""

    english: str
    chinese: str


ACCOUNT = Subject("account", "账户")
APPLICATION = Subject("application", "贷款申请")
COVER = Subject("cover of the declaration", "报关单承保金额")
POLICY = Subject("policy", "保单")


def positive(path: str, minor_units: int) -> Iterator[Problem]:
    """Yields AMOUNT_NOT_POSITIVE unless an amount is: 1 is positive, 0 and -1 aren't."""
    if minor_units <= 0:
        yield not_positive(path)


def not_positive(path: str) -> Problem:
    """Returns the problem of an amount of nothing, or less."""
    return Problem(path, "AMOUNT_NOT_POSITIVE", "Give a positive amount.", "金额须为正数。")


def in_currency(path: str, code: str, currency: str, subject: Subject) -> Iterator[Problem]:
    """Yields CURRENCY_DIFFERS where an amount is in another currency than its subject: EUR of an account in USD."""
    if code != currency:
        yield currency_differs(path, currency, subject)


def currency_differs(path: str, currency: str, subject: Subject) -> Problem:
    """Returns the problem of an amount that isn't in the currency of its subject."""
    return Problem(
        path,
        "CURRENCY_DIFFERS",
        f"The {subject.english} is in {currency}; give the amount in that currency.",
        f"{subject.chinese}币种为 {currency}，请使用该币种。",
    )


def amount(path: str, message: money_pb2.Money, currency: str = "", subject: Subject = POLICY) -> Iterator[Problem]:
    """Yields the problems of an amount: it is positive, of a known currency, and of `currency`, where given.

    Of USD -1 at `fee`, where EUR is right: fee.currency_code CURRENCY_DIFFERS, fee.minor_units AMOUNT_NOT_POSITIVE.
    """
    if not money.is_currency(message.currency_code):
        yield Problem(
            f"{path}.currency_code",
            "CURRENCY_UNKNOWN",
            f"{message.currency_code} is no currency; use the ISO 4217 code, for example USD.",
            f"{message.currency_code} 不是有效币种；请使用 ISO 4217 字母代码，如 USD。",
        )
    elif currency:
        yield from in_currency(f"{path}.currency_code", message.currency_code, currency, subject)
    yield from positive(f"{path}.minor_units", message.minor_units)


def day(path: str, message: date_pb2.Date) -> Iterator[Problem]:
    """Yields DATE_INVALID where there is no such day: 2026-02-29 is none, nor is a day of no month."""
    if date_or_none(message) is None:
        yield no_such_day(path)


def no_such_day(path: str) -> Problem:
    """Returns the problem of a date that is no calendar day."""
    return Problem(path, "DATE_INVALID", "This is no calendar day; correct it.", "日期无效；请更正。")


def period(start_path: str, start: date_pb2.Date, end_path: str, end: date_pb2.Date) -> Iterator[Problem]:
    """Yields the problems of two days, of which the second may be the first, and not before it.

    2026-03-01 to 2026-02-28 gives PERIOD_INVERTED.
    """
    yield from day(start_path, start)
    yield from day(end_path, end)
    first, last = date_or_none(start), date_or_none(end)
    if first and last and last < first:
        yield Problem(end_path, "PERIOD_INVERTED", f"It is before {first}; correct one.", f"早于 {first}；请更正。")


def date_or_none(message: date_pb2.Date) -> date | None:
    """Returns the calendar day, None where there is no such day: 2026-02-30 gives None."""
    try:
        return rpc.to_date(message)
    except ValueError:
        return None


def fraction(path: str, message: decimal_pb2.Decimal) -> Iterator[Problem]:
    """Yields FRACTION_INVALID unless a decimal is a part of a whole: 0.90 and 1 are; 0, 1.01 and 9e-1 aren't."""
    if not _FRACTION.fullmatch(message.value) or not 0 < Decimal(message.value) <= 1:
        yield Problem(
            path,
            "FRACTION_INVALID",
            "Give a decimal above 0 and at most 1 with at most 8 decimals, for example 0.90.",
            "请填写大于 0 且不超过 1 的小数（最多 8 位），如 0.90。",
        )
