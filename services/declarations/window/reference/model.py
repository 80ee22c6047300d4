"""A record of foreign trade as it is kept, and the checks it must pass to be of use as a reference.

It has no value account and no name that an encumbrance could have: nothing can be financed on it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from aval.declarations.v1 import reference_pb2
from aval.type.v1 import money_pb2

from chassis import fields
from chassis.currencies import minor_digits
from chassis.errors import Problem
from chassis.money import Money
from services.declarations.customs.checks import country_problems, decimal_or_none, not_a_number, rounding
from trade import checks as trade_checks
from trade.checks import date_or_none

COUNTRIES = ("origin_country", "departure_country", "destination_country")
# Field of decimals: whether zero is allowed.
DECIMALS = {
    "quantity": False,
    "unit_price": True,
    "net_weight_kilograms": False,
    "gross_weight_kilograms": False,
    "tax_percent": True,
}
COSTS = ("freight", "insurance")


@dataclass(frozen=True, slots=True)
class ReferenceRecord:
    """The row: what is searched, and the body as it came (a serialised ReferenceRecord)."""

    id: str
    source: str
    commodity_code: str
    country: str
    record_date: date
    value: Money
    weight_kilograms: Decimal | None
    body: bytes
    digest: bytes
    create_us: int

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"referenceRecords/{self.id}"


def check(record: reference_pb2.ReferenceRecord, today: date) -> list[Problem]:
    """Every broken rule of a record: of its fields, then of the trade."""
    return [*fields.row_problems(record), *_date_problems(record, today), *_trade_problems(record)]


def _date_problems(record: reference_pb2.ReferenceRecord, today: date) -> Iterator[Problem]:
    if not record.HasField("record_date"):
        return
    day = date_or_none(record.record_date)
    if day is None:
        yield trade_checks.no_such_day("record_date")
    elif day > today:
        yield Problem(
            "record_date",
            "DATE_IN_FUTURE",
            f"{day} is still to come; a record is of what has happened.",
            f"{day} 尚未到来；记录须为已发生的贸易。",
        )


def _trade_problems(record: reference_pb2.ReferenceRecord) -> Iterator[Problem]:
    # Records are older than the table, which begins with the integrated declaration: today's codes count.
    for name in COUNTRIES:
        yield from country_problems(name, getattr(record, name), date.max)
    if record.HasField("value"):
        yield from _money_problems("value", record.value, 1)
    for name in COSTS:
        if record.HasField(name):
            yield from _money_problems(name, getattr(record, name), 0)
    for name, may_be_zero in DECIMALS.items():
        yield from _decimal_problems(name, getattr(record, name).value, may_be_zero)
    yield from _total_problems(record)
    yield from _weight_problems(record)


def _money_problems(path: str, money: money_pb2.Money, least: int) -> Iterator[Problem]:
    if money.minor_units < least:
        yield trade_checks.not_positive(path) if least else negative(path)


def _decimal_problems(path: str, text: str, may_be_zero: bool) -> Iterator[Problem]:
    number = decimal_or_none(text) if text else Decimal(1)
    if number is None:
        yield not_a_number(path)
    elif not number and not may_be_zero:
        yield trade_checks.not_positive(path)


def negative(path: str) -> Problem:
    """The problem of an amount below zero."""
    return Problem(path, "AMOUNT_NEGATIVE", "The amount can't be below zero; correct it.", "金额不得小于零；请更正。")


def _total_problems(record: reference_pb2.ReferenceRecord) -> Iterator[Problem]:
    """Quantity times price is the value, but for what rounding the price to its last decimal does."""
    quantity, price = decimal_or_none(record.quantity.value), decimal_or_none(record.unit_price.value)
    digits = minor_digits(record.value.currency_code)
    if not quantity or not price or digits is None or record.value.minor_units <= 0:
        return
    value = Decimal(record.value.minor_units).scaleb(-digits)
    if abs(quantity * price - value) > rounding(quantity, price) + Decimal(1).scaleb(-digits):
        yield Problem(
            "value",
            "TOTAL_MISMATCH",
            f"The value is {value}, but quantity times price is {(quantity * price).normalize():f}; correct one.",
            f"总值为 {value}，而数量乘以单价为 {(quantity * price).normalize():f}；请更正其一。",
        )


def _weight_problems(record: reference_pb2.ReferenceRecord) -> Iterator[Problem]:
    net, gross = (decimal_or_none(text.value) for text in (record.net_weight_kilograms, record.gross_weight_kilograms))
    if net is not None and gross is not None and net > gross:
        yield Problem(
            "net_weight_kilograms",
            "NET_EXCEEDS_GROSS",
            f"Net weight {net} is above gross weight {gross}; correct one of them.",
            f"净重 {net} 大于毛重 {gross}；请更正其一。",
        )
