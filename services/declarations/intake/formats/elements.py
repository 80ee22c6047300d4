"""Texts of elements as values. What can't be read is reported at its element; an empty text is absent."""

import re

from aval.type.v1 import money_pb2
from google.type import date_pb2

from chassis.currencies import minor_digits, nearest_minor_units
from chassis.xml import Reader
from services.declarations.customs.checks import exact_or_none
from trade.checks import date_or_none

_DATE = re.compile(r"([0-9]{4})(-?)([0-9]{2})\2([0-9]{2})", re.ASCII)
# So many digits that int32 can be judged, and no more: Python itself refuses to read thousands.
_WHOLE = re.compile(r"0*[0-9]{1,10}", re.ASCII)
_INT32_MAX = 2**31 - 1


def day(reader: Reader, element: str, text: str) -> date_pb2.Date | None:
    """A calendar day, 20260302 or 2026-03-02; None where it is absent or no day (DATE_INVALID)."""
    match = _DATE.fullmatch(text)
    found = date_pb2.Date(year=int(match[1]), month=int(match[3]), day=int(match[4])) if match else None
    if found is not None and date_or_none(found):
        return found
    if text:
        english, chinese = f"{text} is no day in the form yyyyMMdd.", f"{text} 不是 yyyyMMdd 形式的有效日期。"
        reader.report(element, "DATE_INVALID", english, chinese)
    return None


def whole_number(reader: Reader, element: str, text: str) -> int:
    """A whole number from 0; 0 where it is absent or none (NUMBER_INVALID)."""
    if _WHOLE.fullmatch(text) and int(text[-10:]) <= _INT32_MAX:
        return int(text[-10:])
    if text:
        reader.report(element, "NUMBER_INVALID", f"{text} is no whole number.", f"{text} 不是有效的整数。")
    return 0


def money(reader: Reader, element: str, text: str, currency_code: str) -> money_pb2.Money:
    """An amount in major units of a currency; 0 minor units where it can't be read (AMOUNT_INVALID).

    The field tables allow four and five decimals, whatever the currency: it is rounded half-up to the minor unit,
    1250.1250 USD to 125013. An unknown currency is left to the rules on the row.
    """
    amount = exact_or_none(text)
    digits = minor_digits(currency_code)
    minor_units = None if amount is None else nearest_minor_units(amount, currency_code)
    if text and minor_units is None and (amount is None or digits is not None):
        reader.report(
            element,
            "AMOUNT_INVALID",
            f"{text} is no amount in {currency_code or 'a currency'}.",
            f"{text} 不是{currency_code or '任何币制'}的有效金额。",
        )
    return money_pb2.Money(currency_code=currency_code, minor_units=minor_units or 0)
