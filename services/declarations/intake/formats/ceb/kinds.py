"""Turns the text of an element into a value. None: absent, or reported as unreadable."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from aval.declarations.v1 import retail_pb2
from aval.type.v1 import money_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from google.type import decimal_pb2

from chassis.currencies import INT64_MAX, minor_digits, nearest_minor_units, to_major_units
from services.declarations.customs.checks import decimal_or_none, exact_or_none, plain
from services.declarations.customs.code_tables import code_table
from services.declarations.intake.formats import elements
from services.declarations.intake.formats.ceb.message import EXPORT, IMPORT, Field, Source

# Times are Beijing's, with milliseconds in receipts.
_TIME = re.compile(r"([0-9]{14})([0-9]{3})?", re.ASCII)
_BEIJING = timedelta(hours=8)
_CHANGES = {"1": retail_pb2.NEW, "2": retail_pb2.MODIFY, "3": retail_pb2.DELETE}
# Marks of freight and insurance: 1 is a rate in percent of the goods' value, 2 a ton's price, 3 an amount. GACC's
# rules for filling in declarations (announcement 18 of 2019), whose marks lists have too.
_AMOUNT_MARKS = ("", "3")
_RATE_MARK, _TON_MARK = "1", "2"
_PERCENT, _KILOGRAMS_OF_TON = Decimal(100), Decimal(1000)
_DECLARED = "2"
# The values of a flag, by the direction of its message. Orders of an export are a consumer's (E), a business's abroad
# (B) or an overseas warehouse's (W): customs' specification of 202205, table 2-3.
_FLAGS: Mapping[str, Mapping[str, int]] = {
    direction: {direction: retail_pb2.RetailOrder.ORDER_TYPE_UNSPECIFIED} for direction in (EXPORT, IMPORT)
}
_ORDER_TYPES: Mapping[str, Mapping[str, int]] = {
    EXPORT: {**_FLAGS[EXPORT], "B": retail_pb2.RetailOrder.BUSINESS, "W": retail_pb2.RetailOrder.WAREHOUSE},
    IMPORT: _FLAGS[IMPORT],
}


def text(source: Source, field: Field) -> str | None:
    """Returns the text, without surrounding blanks; None where it is empty."""
    return source.given(field)[1] or None


def texts(source: Source, field: Field) -> list[str]:
    """Returns the text, for a field that takes several."""
    return [written for written in [text(source, field)] if written]


def change(source: Source, field: Field) -> int | None:
    """Reads appType: 1 new, 2 change, 3 delete."""
    element, given = source.given(field)
    if given and given not in _CHANGES:
        english = f"{element} is {given}; write 1 for new, 2 for a change, 3 for a deletion."
        source.reader.report(element, "CHANGE_INVALID", english, f"报送类型为 {given}；新增填 1，变更填 2，删除填 3。")
    return _CHANGES.get(given)


def declared(source: Source, field: Field) -> None:
    """Reports an appStatus other than declared (2): a draft proves nothing."""
    element, given = source.given(field)
    if given not in ("", _DECLARED):
        english = f"{element} is {given}: a draft; declare it, with {_DECLARED}, and send it again."
        source.reader.report(element, "NOT_DECLARED", english, f"业务状态为 {given}，尚未申报；请以 2 申报后重新发送。")


def time(source: Source, field: Field) -> Timestamp | None:
    """Reads yyyyMMddHHmmss, with milliseconds where the sender has them, Beijing time.

    20260301102030 is 02:20:30 UTC of that day; 20260301102030456 has 456 milliseconds more.
    """
    element, given = source.given(field)
    match = _TIME.fullmatch(given)
    moment = _moment(match[1]) if match else None
    if moment is None:
        if given:
            english = f"{given} is no time in the form yyyyMMddHHmmss."
            source.reader.report(element, "TIME_INVALID", english, f"{given} 不是 yyyyMMddHHmmss 形式的有效时间。")
        return None
    timestamp = Timestamp()
    timestamp.FromDatetime(moment)
    timestamp.nanos = int((match[2] if match else None) or 0) * 1_000_000
    return timestamp


def _moment(digits: str) -> datetime | None:
    """Returns the moment in UTC; None where there is none such, or it is before the first that can be told."""
    try:
        return datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC) - _BEIJING
    except (ValueError, OverflowError):
        return None


def flag(source: Source, field: Field) -> None:
    """Reports an ieFlag other than the letter of the message's own direction."""
    _flagged(source, field, _FLAGS)


def order_type(source: Source, field: Field) -> int | None:
    """Reads orderType: who orders, by a letter of the message's own direction. W of an export is WAREHOUSE."""
    return _flagged(source, field, _ORDER_TYPES)


def _flagged(source: Source, field: Field, meanings: Mapping[str, Mapping[str, int]]) -> int | None:
    """Returns the meaning of a letter; reports it and returns None where the message's direction has no such letter."""
    element, given = source.given(field)
    own = meanings[source.direction]
    if not given or given in own:
        return own.get(given)
    if any(given in letters for letters in meanings.values()):
        english = f"{element} is {given}, but this message is for {source.direction}; correct the one or the other."
        chinese = f"{element} 为 {given}，与报文的进出口方向 {source.direction} 不一致；请更正其一。"
        source.reader.report(element, "DIRECTION_MISMATCH", english, chinese)
    else:
        english = f"{element} is {given}; write {' or '.join(own)}."
        source.reader.report(element, "FLAG_INVALID", english, f"{element} 为 {given}；应填 {'、'.join(own)}。")
    return None


def decimal(source: Source, field: Field) -> decimal_pb2.Decimal | None:
    """Reads a plain decimal; the rules on the row report any other text."""
    given = source.given(field)[1]
    return decimal_pb2.Decimal(value=plain(given)) if given else None


def weight(source: Source, field: Field) -> decimal_pb2.Decimal | None:
    """Reads kilograms; reports any text that is no plain decimal."""
    element, given = source.given(field)
    if given and decimal_or_none(given) is None:
        english, chinese = f"{given} is no weight in kilograms.", f"{given} 不是有效的重量（千克）。"
        source.reader.report(element, "NUMBER_INVALID", english, chinese)
        return None
    return decimal(source, field)


def whole_number(source: Source, field: Field) -> int | None:
    """Reads a whole number from 0."""
    return elements.whole_number(source.reader, *source.given(field)) or None


def day(source: Source, field: Field) -> Any:
    """Reads a calendar day, yyyyMMdd."""
    return elements.day(source.reader, *source.given(field))


def money(source: Source, field: Field) -> Any:
    """Reads an amount in the currency of its element, one of customs' old numerics, rounded half-up.

    A required amount that is missing is zero of its currency: the rules on the row then report no more.
    Amounts are N19,5: a text finer than the currency is kept beside (exact). 37.03701 CNY are 3704 fen.
    """
    element, given = source.given(field)
    is_amount = source.texts.get(field.mark, "") in _AMOUNT_MARKS
    if not is_amount or not (given or field.is_required):
        return None
    currency = currency_of(source, field)
    if not currency and not field.is_required and decimal_or_none(given) == 0:
        return None
    return elements.money(source.reader, element, given, currency)


def exact(source: Source, field: Field) -> str:
    """Returns the text of an amount that is finer than its currency, such as 37.03701 in CNY; empty for all others."""
    given = source.given(field)[1]
    is_amount = bool(field.currency) and source.texts.get(field.mark, "") in _AMOUNT_MARKS
    amount = exact_or_none(given) if is_amount else None
    currency = "" if amount is None else currency_of(source, field)
    rounded = None if amount is None else nearest_minor_units(amount, currency)
    if rounded is None or amount == to_major_units(rounded, currency):
        return ""
    return f"{amount:f}"


def charge(source: Source, field: Field, value: money_pb2.Money, kilograms: str) -> money_pb2.Money | None:
    """Computes a freight or insurance of a rate or of a price of a ton, rounded half-even to the minor unit.

    value: of the goods; a rate is a part of it, in its currency: 0.3 of 1000.00 CNY is 3.00. kilograms: gross, for a
    price: 50 a ton for 200 kg is 10. Returns None where it is neither, or a number for it is missing.
    """
    element, given = source.given(field)
    mark = source.texts.get(field.mark, "")
    number = decimal_or_none(given)
    if not given or mark not in (_RATE_MARK, _TON_MARK):
        return None
    if number is None:
        source.reader.report(
            element, "NUMBER_INVALID", f"{given} is no rate or price.", f"{given} 不是有效的费率或单价。"
        )
        return None
    if mark == _RATE_MARK:
        major = to_major_units(value.minor_units, value.currency_code) * number / _PERCENT
        return _rounded(major, value.currency_code)
    weight = decimal_or_none(kilograms)
    return None if weight is None else _rounded(number * weight / _KILOGRAMS_OF_TON, currency_of(source, field))


def _rounded(major: Decimal, currency_code: str) -> money_pb2.Money | None:
    """Rounds half-even to the minor unit: 0.125 CNY is 12 fen. None for no currency and beyond the largest amount."""
    digits = minor_digits(currency_code)
    minor_units = None if digits is None else major.scaleb(digits).quantize(Decimal(1), ROUND_HALF_EVEN)
    if minor_units is None or minor_units > INT64_MAX:
        return None
    return money_pb2.Money(currency_code=currency_code, minor_units=int(minor_units))


def currency_of(source: Source, field: Field) -> str:
    """Returns ISO 4217 of an amount's currency; reports a code that customs' table doesn't have, and returns ""."""
    given = source.text(*field.currency)
    row = code_table("customs_currencies").row(given, source.on)
    if given and row is None:
        english = f"{given} is no currency of customs' old table; use one of it, for example 142 for CNY."
        chinese = f"{given} 不是海关币制代码；请使用海关三位数字代码，如 142（人民币）。"
        source.reader.report(field.currency[0], "CURRENCY_UNKNOWN", english, chinese)
    return row["iso"] if row else ""


def country(source: Source, field: Field) -> str | None:
    """Returns ISO 3166 alpha-3 of one of customs' old numerics: 142 gives CHN."""
    element, given = source.given(field)
    row = code_table("customs_countries").row(given, source.on)
    if given and row is None:
        english = f"{given} is no country of customs' old table; use one of it, for example 142 for China."
        chinese = f"{given} 不是海关国别（地区）代码；请使用海关三位数字代码，如 142（中国）。"
        source.reader.report(element, "COUNTRY_UNKNOWN", english, chinese)
    return row["iso"] if row else None


def day_of(time_text: str) -> date:
    """Returns the day of a time element, for the code tables; without a time the open rows count."""
    match = _TIME.fullmatch(time_text)
    moment = _moment(match[1]) if match else None
    return moment.date() if moment else date.max
