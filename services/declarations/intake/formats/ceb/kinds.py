"""How the text of an element becomes a value. None: absent, or reported as unreadable."""

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
# Of a freight or insurance: 1 is a rate in percent of the goods' value, 2 a price of one ton, 3 an amount. GACC's
# rules for filling in declarations (announcement 18 of 2019), whose marks lists have too.
_AMOUNT_MARKS = ("", "3")
_RATE_MARK, _TON_MARK = "1", "2"
_PERCENT, _KILOGRAMS_OF_TON = Decimal(100), Decimal(1000)
_DECLARED = "2"
# What a flag may say, by the direction of its message. Orders of an export are a consumer's (E), a business's abroad
# (B) or an overseas warehouse's (W): customs' specification of 202205, table 2-3.
_FLAGS: Mapping[str, Mapping[str, int]] = {
    direction: {direction: retail_pb2.RetailOrder.ORDER_TYPE_UNSPECIFIED} for direction in (EXPORT, IMPORT)
}
_ORDER_TYPES: Mapping[str, Mapping[str, int]] = {
    EXPORT: {**_FLAGS[EXPORT], "B": retail_pb2.RetailOrder.BUSINESS, "W": retail_pb2.RetailOrder.WAREHOUSE},
    IMPORT: _FLAGS[IMPORT],
}


def text(source: Source, field: Field) -> str | None:
    """As written, without surrounding blanks."""
    return source.given(field)[1] or None


def texts(source: Source, field: Field) -> list[str]:
    """The text, for a field that takes several."""
    return [found for found in [text(source, field)] if found]


def change(source: Source, field: Field) -> int | None:
    """appType: 1 new, 2 change, 3 delete."""
    element, given = source.given(field)
    if given and given not in _CHANGES:
        english = f"{element} is {given}; write 1 for new, 2 for a change, 3 for a deletion."
        source.reader.report(element, "CHANGE_INVALID", english, f"报送类型为 {given}；新增填 1，变更填 2，删除填 3。")
    return _CHANGES.get(given)


def declared(source: Source, field: Field) -> None:
    """appStatus: only what was declared (2) is taken; a draft proves nothing."""
    element, given = source.given(field)
    if given not in ("", _DECLARED):
        english = f"{element} is {given}: a draft; declare it, with {_DECLARED}, and send it again."
        source.reader.report(element, "NOT_DECLARED", english, f"业务状态为 {given}，尚未申报；请以 2 申报后重新发送。")


def time(source: Source, field: Field) -> Timestamp | None:
    """yyyyMMddHHmmss, with milliseconds where the sender has them, Beijing time."""
    element, given = source.given(field)
    match = _TIME.fullmatch(given)
    moment = _moment(match[1]) if match else None
    if moment is None:
        if given:
            english = f"{given} is no time in the form yyyyMMddHHmmss."
            source.reader.report(element, "TIME_INVALID", english, f"{given} 不是 yyyyMMddHHmmss 形式的有效时间。")
        return None
    found = Timestamp()
    found.FromDatetime(moment)
    found.nanos = int((match[2] if match else None) or 0) * 1_000_000
    return found


def _moment(digits: str) -> datetime | None:
    """In UTC; None where it is none, or before the first that can be told."""
    try:
        return datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC) - _BEIJING
    except (ValueError, OverflowError):
        return None


def flag(source: Source, field: Field) -> None:
    """ieFlag: the letter of the message's own direction."""
    _flagged(source, field, _FLAGS)


def order_type(source: Source, field: Field) -> int | None:
    """orderType: who orders, by a letter of the message's own direction. W of an export is WAREHOUSE."""
    return _flagged(source, field, _ORDER_TYPES)


def _flagged(source: Source, field: Field, meanings: Mapping[str, Mapping[str, int]]) -> int | None:
    """The meaning of a letter; reported and None where the message's direction has no such letter."""
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
    """A plain decimal; what is none is left to the rules on the row."""
    given = source.given(field)[1]
    return decimal_pb2.Decimal(value=plain(given)) if given else None


def weight(source: Source, field: Field) -> decimal_pb2.Decimal | None:
    """Kilograms."""
    element, given = source.given(field)
    if given and decimal_or_none(given) is None:
        english, chinese = f"{given} is no weight in kilograms.", f"{given} 不是有效的重量（千克）。"
        source.reader.report(element, "NUMBER_INVALID", english, chinese)
        return None
    return decimal(source, field)


def whole_number(source: Source, field: Field) -> int | None:
    """A whole number from 0."""
    return elements.whole_number(source.reader, *source.given(field)) or None


def day(source: Source, field: Field) -> Any:
    """A calendar day, yyyyMMdd."""
    return elements.day(source.reader, *source.given(field))


def money(source: Source, field: Field) -> Any:
    """An amount in the currency of its element, which is one of customs' old numerics, rounded half-up.

    One that is missing though required is nothing of its currency: the rules on the row then find no more.
    Amounts are N19,5: what is written finer than the currency is kept beside (exact). 37.03701 CNY are 3704 fen.
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
    """The text of an amount that is finer than its currency, for example 37.03701 in CNY; empty for all others."""
    given = source.given(field)[1]
    is_amount = bool(field.currency) and source.texts.get(field.mark, "") in _AMOUNT_MARKS
    amount = exact_or_none(given) if is_amount else None
    currency = "" if amount is None else currency_of(source, field)
    rounded = None if amount is None else nearest_minor_units(amount, currency)
    if rounded is None or amount == to_major_units(rounded, currency):
        return ""
    return f"{amount:f}"


def charge(source: Source, field: Field, value: money_pb2.Money, kilograms: str) -> money_pb2.Money | None:
    """A freight or insurance that is given as a rate or as a price of a ton, rounded half-even to the minor unit.

    value: of the goods; a rate is a part of it, in its currency. kilograms: gross, for a price. None where it is
    no such one, or can't be computed from what is there.
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
    """Half-even to the minor unit; None for no currency, and for what is more than any amount."""
    digits = minor_digits(currency_code)
    minor_units = None if digits is None else major.scaleb(digits).quantize(Decimal(1), ROUND_HALF_EVEN)
    if minor_units is None or minor_units > INT64_MAX:
        return None
    return money_pb2.Money(currency_code=currency_code, minor_units=int(minor_units))


def currency_of(source: Source, field: Field) -> str:
    """ISO 4217 of an amount's currency; reported and empty where customs' table doesn't have the code."""
    given = source.text(*field.currency)
    row = code_table("customs_currencies").row(given, source.on)
    if given and row is None:
        english = f"{given} is no currency of customs' old table; use one of it, for example 142 for CNY."
        chinese = f"{given} 不是海关币制代码；请使用海关三位数字代码，如 142（人民币）。"
        source.reader.report(field.currency[0], "CURRENCY_UNKNOWN", english, chinese)
    return row["iso"] if row else ""


def country(source: Source, field: Field) -> str | None:
    """ISO 3166 alpha-3 of one of customs' old numerics."""
    element, given = source.given(field)
    row = code_table("customs_countries").row(given, source.on)
    if given and row is None:
        english = f"{given} is no country of customs' old table; use one of it, for example 142 for China."
        chinese = f"{given} 不是海关国别（地区）代码；请使用海关三位数字代码，如 142（中国）。"
        source.reader.report(element, "COUNTRY_UNKNOWN", english, chinese)
    return row["iso"] if row else None


def day_of(time_text: str) -> date:
    """The day of a time element, for the code tables; the open rows count where it is none."""
    match = _TIME.fullmatch(time_text)
    moment = _moment(match[1]) if match else None
    return moment.date() if moment else date.max
