"""The transforms that a mapping can apply to the text of a column: a small fixed table.

Each transform says which kinds of field it fills, which options it takes, and makes of them a function from a row's
texts to the field's value.
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
from cli.importing.cells import Moment, Number, is_shortened
from services.declarations.customs.code_systems import CODE_SYSTEMS
from trade import identifiers as trade_identifiers

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
# Signs that are one separator of thousands: whichever of them a spreadsheet wrote.
SPACES, APOSTROPHES = " \u00a0\u2007\u2009\u202f", "'\u2019"
POINTS = (".", ",")
_FACTOR = re.compile(r"[0-9]{1,15}(\.[0-9]{1,20})?", re.ASCII)
_CLOSE = re.compile(r"%[YymdHIMSj]%[YymdHIMSj]")
ENTERPRISES = "enterprises/"
# A day that shows whether a form of dates tells year, month and day.
_SOME_DAY = datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC)


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
    return lambda row: whole(row[column])


def whole(text: str) -> str:
    """Returns the text. Raises Unmappable where a spreadsheet has shortened it: 4.6042E+17."""
    if is_shortened(text):
        told = f"{text!r} is a long number that a spreadsheet shortened, so its last digits are lost; "
        raise Unmappable("NUMBER_SHORTENED", told + "format the column as text there and enter the number again.")
    return text


def enterprise(text: str) -> str:
    """Returns an enterprise by its social credit code, plain or as a name: 91410100MA9F2K7T1P.

    Raises Unmappable if it is none.
    """
    code = whole(text).upper().removeprefix(ENTERPRISES.upper())
    if not trade_identifiers.is_social_credit_code(code):
        told = f"{text!r} is no social credit code, 18 signs whose last checks the others (GB 32100); correct it."
        raise Unmappable("SOCIAL_CREDIT_CODE_INVALID", told)
    return ENTERPRISES + code


def _enterprise(column: str, _options: Options) -> Convert:
    read = lru_cache(maxsize=4096)(enterprise)
    return lambda row: read(row[column])


def _integer(column: str, options: Options) -> Convert:
    form = Notation(options.get("thousands", ""), "")

    def convert(row: Row) -> int:
        return int(form.number(row[column]))

    return convert


@dataclass(frozen=True, slots=True)
class Notation:
    """How numbers are written: what parts groups of three digits, if anything, and the point; whole without one.

    Nothing is guessed: 1,234 is no number unless "," is declared, 12,34 and 1,00,000 aren't even then. Raises
    MappingError.
    """

    thousands: str = ""
    point: str = "."
    pattern: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        thousands, point = self.thousands, self.point
        if point and point not in POINTS:
            raise MappingError(f"point {point!r} is none of {' '.join(POINTS)}")
        if len(thousands) > 1 or thousands.isalnum() or thousands in tuple("+-%"):
            raise MappingError(f"thousands {thousands!r} is no sign that parts groups of digits")
        if thousands and thousands == point:
            raise MappingError(f"thousands and point are both {point!r}, so 1{point}000 is one or a thousand; say both")
        object.__setattr__(self, "pattern", re.compile(self._form(), re.ASCII))

    def _form(self) -> str:
        """Returns the pattern of a number: a sign, digits in groups of three or in none, and a fraction.

        .5 is a fraction alone.
        """
        signs = next((family for family in (SPACES, APOSTROPHES) if self.thousands in family), self.thousands)
        parted = f"[{re.escape(signs)}]" if self.thousands else "(?!)"
        grouped = rf"[1-9][0-9]{{0,2}}(?:(?P<parting>{parted})[0-9]{{3}}(?:(?P=parting)[0-9]{{3}}){{0,3}})"
        fraction = rf"(?:{re.escape(self.point)}(?P<fraction>[0-9]{{1,20}}))" if self.point else "(?P<fraction>(?!))"
        return rf"(?P<sign>[+-]?)(?P<whole>{grouped}|[0-9]{{1,15}}|(?=\D)){fraction}?"

    @property
    def example(self) -> str:
        """Returns an example of the notation: 1234,50; 1.234,50 where groups are parted."""
        return f"1{self.thousands}234{self.point}{'50' if self.point else ''}"

    def number(self, text: str) -> Decimal:
        """Returns the number of a text: that of a Number by its own notation. Raises Unmappable."""
        form = PLAIN if isinstance(text, Number) and self.point else self
        match = form.pattern.fullmatch(text)
        if match is None:
            whole(text)
            kind = "number" if self.point else "whole number"
            told = f"{text!r} is no {kind} as the mapping has them ({self.example}); correct it, or map it as absent."
            raise Unmappable("NUMBER_INVALID", told)
        digits = "".join(filter(str.isdigit, match["whole"]))
        fraction = f".{match['fraction']}" if match["fraction"] else ""
        return Decimal(f"{match['sign']}{digits or 0}{fraction}")


PLAIN = Notation()


def _decimal(column: str, options: Options) -> Convert:
    number = _number_of(column, options)
    return lambda row: rpc.decimal(number(row))


def _number_of(column: str, options: Options) -> Callable[[Row], Decimal]:
    form = Notation(options.get("thousands", ""), options.get("point", PLAIN.point))
    if not form.point:
        raise MappingError("point is empty; it is . or ,")
    factor = _factor(options.get("factor", "1"))
    # A Number is read otherwise than the same text.
    read = lru_cache(maxsize=4096, typed=True)(lambda text: form.number(text) * factor)
    return lambda row: read(row[column])


def _factor(text: str) -> Decimal:
    """Reads a factor: "0.01". Raises MappingError unless it is a plain number above 0."""
    if not _FACTOR.fullmatch(text) or not Decimal(text):
        raise MappingError(f"factor {text!r} is no plain number above 0")
    return Decimal(text)


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
    formats = _formats(options)
    read = lru_cache(maxsize=4096, typed=True)(lambda text: rpc.date(_parsed(text, formats).date()))
    return lambda row: read(row[column])


def _formats(options: Options) -> Sequence[str]:
    """Returns the formats of the options. Raises MappingError for a form that can't say which day it is."""
    for form in options["formats"]:
        try:
            day = datetime.datetime.strptime(_SOME_DAY.strftime(form), form).date()  # noqa: DTZ007 a form is tried
        except (ValueError, re.error) as error:
            raise MappingError(f"format {form!r} can't be read: {error}") from error
        if day != _SOME_DAY.date():
            raise MappingError(f"format {form!r} doesn't say the whole day: year, month and day")
    return tuple(options["formats"])


def _parsed(text: str, formats: Sequence[str]) -> datetime.datetime:
    """Returns the time of a text by the first form that fits it; a Moment by ISO 8601. Raises Unmappable."""
    try:
        if isinstance(text, Moment):
            return datetime.datetime.fromisoformat(text)
    except ValueError:
        pass
    for form in formats:
        try:
            moment = datetime.datetime.strptime(text, form)  # noqa: DTZ007 a time's zone follows
        except ValueError:
            continue
        # Python reads 2026111 by %Y%m%d, as one of two days: without signs between them, all digits must be there.
        if not _CLOSE.search(form) or moment.strftime(form) == text:
            return moment
    raise Unmappable("DATE_INVALID", f"{text!r} is no date of the form {' or '.join(formats)}; correct it.")


def _time(column: str, options: Options) -> Convert:
    formats, hours = _formats(options), options.get("utc_offset_hours", 8)
    zone = datetime.timezone(datetime.timedelta(hours=hours))

    def convert(row: Row) -> timestamp_pb2.Timestamp:
        found = _parsed(row[column], formats)
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
    "enterprise": Transform(frozenset({TEXT}), _enterprise),
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
