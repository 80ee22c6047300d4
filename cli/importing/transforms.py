"""What a mapping can do to the text of a column: a small fixed table.

Each transform says which kinds of field it fills, which options it takes, and makes of them a function from
a row's texts to the field's value.
"""

import datetime
import decimal
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Any

from aval.type.v1 import money_pb2
from google.protobuf import timestamp_pb2
from google.type import date_pb2, decimal_pb2

from chassis import rpc
from chassis.currencies import INT64_MAX, minor_digits
from services.declarations.code_systems import CODE_SYSTEMS

Row = Mapping[str, str]
Convert = Callable[[Row], Any]
NO_ROUNDING = ""
ROUNDINGS = {
    NO_ROUNDING: "",
    "half_even": decimal.ROUND_HALF_EVEN,
    "half_up": decimal.ROUND_HALF_UP,
    "down": decimal.ROUND_DOWN,
}
# Digits of a quotient after its point: as many as a price may have.
QUOTIENT_DIGITS = Decimal("0.000001")
_PLAIN = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,20})?", re.ASCII)
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)


class Unmappable(Exception):
    """A text that its transform can't take: the rule and what to do."""

    def __init__(self, rule: str, message: str) -> None:
        self.rule, self.message = rule, message
        super().__init__(message)


class MappingError(Exception):
    """An option that can't be; its text says which and why."""


Options = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Transform:
    """Kinds of field that it fills, options by their types, which of those it can't do without, and its maker."""

    fills: frozenset[str]
    make: Callable[[str, Options], Convert]
    options: Mapping[str, type] = field(default_factory=dict)
    needed: Sequence[str] = ()
    # Options that name further columns.
    columns: Sequence[str] = ()


def _text(column: str, _options: Options) -> Convert:
    return lambda row: row[column]


def _integer(column: str, options: Options) -> Convert:
    thousands = options.get("thousands", "")

    def convert(row: Row) -> int:
        text = _ungrouped(row[column], thousands)
        if not _INTEGER.fullmatch(text):
            raise Unmappable("NUMBER_INVALID", f"{row[column]!r} is no whole number; correct it.")
        return int(text)

    return convert


def _ungrouped(text: str, thousands: str, point: str = ".") -> str:
    """Without separators of thousands, which must part groups of three."""
    whole, found, rest = text.partition(point)
    if thousands and thousands in whole:
        first, *groups = whole.split(thousands)
        if not first.lstrip("+-") or len(first.lstrip("+-")) > 3 or any(len(group) != 3 for group in groups):
            return text
        whole = first + "".join(groups)
    return f"{whole}.{rest}" if found else whole


def _number(text: str, thousands: str, point: str) -> Decimal:
    plain = _ungrouped(text, thousands, point)
    if not _PLAIN.fullmatch(plain):
        raise Unmappable("NUMBER_INVALID", f"{text!r} is no decimal number; correct it, or map it as absent.")
    return Decimal(plain)


def _decimal(column: str, options: Options) -> Convert:
    number = _number_of(column, options)
    return lambda row: rpc.decimal(number(row))


def _number_of(column: str, options: Options) -> Callable[[Row], Decimal]:
    thousands, point = options.get("thousands", ""), options.get("point", ".")
    factor = Decimal(options.get("factor", "1"))
    read = lru_cache(maxsize=4096)(lambda text: _number(text, thousands, point) * factor)
    return lambda row: read(row[column])


def _amount(column: str, options: Options) -> Convert:
    number, rounding = _number_of(column, options), options.get("rounding", NO_ROUNDING)
    currency_of = _currency_of(options)
    if rounding not in ROUNDINGS:
        raise MappingError(f"rounding {rounding!r} is none of {', '.join(filter(None, ROUNDINGS))}")

    def convert(row: Row) -> money_pb2.Money:
        currency = currency_of(row)
        return money_pb2.Money(currency_code=currency, minor_units=_minor_units(number(row), currency, rounding))

    return convert


def _currency_of(options: Options) -> Callable[[Row], str]:
    if ("currency" in options) == ("currency_column" in options):
        raise MappingError("an amount needs either currency or currency_column")
    if "currency" in options:
        if minor_digits(options["currency"]) is None:
            raise MappingError(f"currency {options['currency']!r} is no ISO 4217 code")
        return lambda _row: str(options["currency"])
    return _code(options["currency_column"], {"system": options.get("currency_system", "currency.iso_alpha")})


def _minor_units(amount: Decimal, currency: str, rounding: str) -> int:
    scaled = amount.scaleb(minor_digits(currency) or 0)
    whole = scaled.quantize(Decimal(1), ROUNDINGS[rounding]) if rounding else scaled.to_integral_value()
    if abs(whole) > INT64_MAX or (whole != scaled and not rounding):
        digits = minor_digits(currency)
        raise Unmappable("AMOUNT_INVALID", f"{amount} is no amount in {currency} with at most {digits} decimals.")
    return int(whole)


def _date(column: str, options: Options) -> Convert:
    read = lru_cache(maxsize=4096)(lambda text: rpc.date(_parsed(text, options["formats"]).date()))
    return lambda row: read(row[column])


def _parsed(text: str, formats: Sequence[str]) -> datetime.datetime:
    for form in formats:
        try:
            return datetime.datetime.strptime(text, form)  # noqa: DTZ007 a time's zone follows
        except ValueError:
            continue
    raise Unmappable("DATE_INVALID", f"{text!r} is no date of the form {' or '.join(formats)}; correct it.")


def _time(column: str, options: Options) -> Convert:
    hours = options.get("utc_offset_hours", 8)
    zone = datetime.timezone(datetime.timedelta(hours=hours))

    def convert(row: Row) -> timestamp_pb2.Timestamp:
        found = _parsed(row[column], options["formats"])
        stamp = timestamp_pb2.Timestamp()
        stamp.FromDatetime((found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(datetime.UTC))
        return stamp

    return convert


def _code(column: str, options: Options) -> Convert:
    system = options["system"]
    if system not in CODE_SYSTEMS:
        raise MappingError(f"code system {system!r} is none of {', '.join(CODE_SYSTEMS)}")
    translate = lru_cache(maxsize=4096)(lambda code: CODE_SYSTEMS[system](code, datetime.date.max))

    def convert(row: Row) -> str:
        found = translate(row[column])
        if found is None:
            raise Unmappable("CODE_UNKNOWN", f"{row[column]!r} is no code of {system}; correct it.")
        return str(found)

    return convert


def _enumeration(column: str, options: Options) -> Convert:
    values = options["values"]

    def convert(row: Row) -> Any:
        if row[column] not in values:
            known = ", ".join(list(values)[:12])
            raise Unmappable("VALUE_UNKNOWN", f"{row[column]!r} is none of the mapped values ({known}); map it.")
        return values[row[column]]

    return convert


def _quotient(column: str, options: Options) -> Convert:
    total, quantity = _number_of(column, options), _number_of(options["divisor"], options)

    def convert(row: Row) -> decimal_pb2.Decimal:
        divisor = quantity(row)
        if not divisor:
            raise Unmappable("DIVISION_BY_ZERO", f"{options['divisor']} is zero, so there is no price of one unit.")
        return rpc.decimal((total(row) / divisor).quantize(QUOTIENT_DIGITS, decimal.ROUND_HALF_EVEN).normalize())

    return convert


TEXT, INTEGER, DECIMAL, DATE, TIME, AMOUNT, ENUM, BOOL = (
    "text", "integer", "decimal", "date", "time", "amount", "enum", "bool",
)  # fmt: skip
_NUMBERS: Mapping[str, type] = {"thousands": str, "point": str, "factor": str}
TRANSFORMS: Mapping[str, Transform] = {
    "text": Transform(frozenset({TEXT}), _text),
    "integer": Transform(frozenset({INTEGER}), _integer, {"thousands": str}),
    "decimal": Transform(frozenset({DECIMAL}), _decimal, _NUMBERS),
    "amount": Transform(
        frozenset({AMOUNT}),
        _amount,
        {**_NUMBERS, "currency": str, "currency_column": str, "currency_system": str, "rounding": str},
        columns=("currency_column",),
    ),
    "date": Transform(frozenset({DATE}), _date, {"formats": list}, needed=("formats",)),
    "time": Transform(frozenset({TIME}), _time, {"formats": list, "utc_offset_hours": int}, needed=("formats",)),
    "code": Transform(frozenset({TEXT}), _code, {"system": str}, needed=("system",)),
    "enumeration": Transform(
        frozenset({TEXT, ENUM, INTEGER, BOOL}), _enumeration, {"values": dict}, needed=("values",)
    ),
    "quotient": Transform(
        frozenset({DECIMAL}), _quotient, {**_NUMBERS, "divisor": str}, needed=("divisor",), columns=("divisor",)
    ),
}
KINDS_OF_MESSAGES = {
    decimal_pb2.Decimal.DESCRIPTOR.full_name: DECIMAL,
    date_pb2.Date.DESCRIPTOR.full_name: DATE,
    timestamp_pb2.Timestamp.DESCRIPTOR.full_name: TIME,
    money_pb2.Money.DESCRIPTOR.full_name: AMOUNT,
}
