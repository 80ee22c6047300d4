"""The business rules of a declaration, over its proto row. Pure; every problem at once.

Lengths and patterns are rules of the proto and are not repeated here. Paths are field paths of the row, indexes from 0:
lines[1].total. Rules: the single window's goods declaration format, whose field table has prices of four and quantities
of five decimals: a total may differ from quantity times price by what rounding the price explains.
"""

import operator
import re
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from functools import lru_cache

from aval.declarations.v1 import declarations_pb2, retail_pb2

from chassis.currencies import minor_digits, to_text
from chassis.errors import Problem
from services.declarations.customs.code_tables import code_table
from trade import checks as trade_checks
from trade.checks import date_or_none
from trade.identifiers import is_social_credit_code

# A line of goods, whatever document it stands in.
Goods = declarations_pb2.DeclarationLine | retail_pb2.RetailLine

LINES_MAX = 50
# The most that one document declares, in minor units: with it all that ever moves of a value fits the ledger's int64,
# and so does what thousands of parcels add up to in a pool.
VALUE_MOST, PARCEL_MOST = 10**16, 10**12
# As senders write numbers: without a zero before the point, with more decimals than count, as floats.
_NUMBER = re.compile(r"\+?(?=\.?[0-9])[0-9]{0,30}(\.[0-9]{0,30})?([eE][+-]?[0-9]{1,2})?", re.ASCII)
# Customs' amounts are N19,5 (cross-border messages, 202205) and 19,4: 14 digits before the point at most.
_WHOLE_MOST, _LAST_DECIMAL = Decimal(10) ** 14, Decimal("0.000001")


@lru_cache(maxsize=65536)
def decimal_or_none(text: str) -> Decimal | None:
    """Parses a number from 0 to below 10^14, rounded half-even to six decimals. Returns None for anything else.

    12.5000 keeps its decimals, since they tell how far it was rounded. `.5` is 0.5, `12.50000000` is 12.500000,
    `1.25E7` is 12500000, `3.3333333333333335` is 3.333333.
    """
    number = exact_or_none(text)
    if number is None or _decimals(number) <= _decimals(_LAST_DECIMAL):
        return number
    # A number that rounding brings to nothing doesn't count.
    return number.quantize(_LAST_DECIMAL) or (None if number else number.quantize(_LAST_DECIMAL))


def exact_or_none(text: str) -> Decimal | None:
    """Parses a number from 0 to below 10^14 with all its decimals. Returns None for anything else.

    `12.50000000` keeps its eight decimals, `-1` and `1E14` give None.
    """
    number = Decimal(text) if _NUMBER.fullmatch(text) else _WHOLE_MOST
    return number if number < _WHOLE_MOST else None


def _decimals(number: Decimal) -> int:
    """Returns how many decimals a number is written with: 12.50 has 2, 1.25E7 none."""
    return max(0, -int(number.as_tuple().exponent))


def plain(text: str) -> str:
    """Returns a number as it is kept: digits, a point, at most six decimals. Text that is no number stays as it is.

    `.5` is kept as 0.5, `1.25E7` as 12500000.
    """
    number = decimal_or_none(text)
    return text if number is None else f"{number:f}"


def rounding(quantity: Decimal, unit_price: Decimal) -> Decimal:
    """Returns how far quantity times price may be from the total, as the price was rounded: half its last digit, each.

    3000 at 3.3333 may be 0.15 more or less than 9999.90.
    """
    return quantity * Decimal(1).scaleb(-_decimals(unit_price)) / 2


def check(declaration: declarations_pb2.Declaration) -> list[Problem]:
    """Returns every broken business rule of a declaration."""
    on = date_or_none(declaration.export_date) or date.max
    lines = list(_line_problems(declaration, on))
    return [*_head_problems(declaration, on), *lines, *_value_problems(declaration, lines)]


def check_row(declaration: declarations_pb2.Declaration) -> list[Problem]:
    """Returns every broken rule of a declaration that comes as a row: it needs a number by which it is told, too."""
    numbers = (declaration.declaration_number, declaration.unified_number, declaration.client_number)
    return [*(() if any(numbers) else (_WITHOUT_NUMBER,)), *check(declaration)]


_WITHOUT_NUMBER = Problem(
    "declaration_number",
    "DECLARATION_NUMBER_MISSING",
    "The row has no number; give the customs number or, before there is one, the unified number or the client's.",
    "该行没有编号；请填写海关编号，海关尚未给出编号时填写统一编号或客户端编号。",
)


def _head_problems(declaration: declarations_pb2.Declaration, on: date) -> Iterator[Problem]:
    if not is_social_credit_code(declaration.enterprise.removeprefix("enterprises/")):
        yield Problem(
            "enterprise",
            "SOCIAL_CREDIT_CODE_INVALID",
            "The exporter's social credit code fails its check; copy it from the business licence.",
            "境内发货人统一社会信用代码校验不通过；请按营业执照填写。",
        )
    if declaration.HasField("export_date") and not date_or_none(declaration.export_date):
        yield trade_checks.no_such_day("export_date")
    yield from country_problems("destination_country", declaration.destination_country, on)
    yield from _count_problems(len(declaration.lines))


def _count_problems(count: int) -> Iterator[Problem]:
    if not 1 <= count <= LINES_MAX:
        yield Problem(
            "lines",
            "LINES_OUT_OF_RANGE",
            f"The declaration has {count} lines of goods; it must have 1 to {LINES_MAX}.",
            f"报关单有 {count} 项商品；应为 1 至 {LINES_MAX} 项。",
        )


def country_problems(path: str, code: str, on: date) -> Iterator[Problem]:
    """Yields COUNTRY_UNKNOWN unless the country is one of ISO 3166 alpha-3 as GACC has it, or empty.

    USA is right, US isn't.
    """
    if not _is_country(code, on):
        yield _unknown_country(path, code)


@lru_cache(maxsize=65536)
def _is_country(code: str, on: date) -> bool:
    return not code or code_table("countries").row(code, on) is not None


def _unknown_country(path: str, code: str) -> Problem:
    return Problem(
        path,
        "COUNTRY_UNKNOWN",
        f"{code} is no country code; use ISO 3166 alpha-3, for example USA.",
        f"{code} 不是有效的国别（地区）代码；请使用三位字母代码，如 USA。",
    )


def _line_problems(declaration: declarations_pb2.Declaration, on: date) -> Iterator[Problem]:
    """Yields the problems of each line.

    Paths are built only for wrong lines, since the window sends lines by the million.
    """
    currency = declaration.declared_value.currency_code
    for index, line in enumerate(declaration.lines):
        if problems := goods_problems(index, line, currency):
            yield from problems
        if not _is_country(line.origin_country, on):
            yield _unknown_country(f"lines[{index}].origin_country", line.origin_country)
        if not _is_country(line.destination_country, on):
            yield _unknown_country(f"lines[{index}].destination_country", line.destination_country)


def goods_problems(index: int, line: Goods, currency: str, is_positive: bool = False) -> Sequence[Problem]:
    """Returns the problems of a line's quantity, price and total, in a document of that currency.

    is_positive: the total is known to be more than nothing, though less than half a minor unit.
    """
    total = line.total
    digits = minor_digits(total.currency_code)
    problems = _total_problems(index, line, total.minor_units, digits, is_positive)
    if digits is None or total.currency_code != currency:
        return [
            *_line_currency_problems(f"lines[{index}].total.currency_code", total.currency_code, currency),
            *problems,
        ]
    return problems


def _line_currency_problems(path: str, code: str, declared: str) -> Iterator[Problem]:
    yield from currency_problems(path, code)
    if code != declared and minor_digits(code) is not None and minor_digits(declared) is not None:
        yield Problem(
            path,
            "SEVERAL_CURRENCIES",
            f"The line is in {code}, the document in {declared}; use one currency, or declare separately.",
            f"该项币制为 {code}，与单证币制 {declared} 不一致；请使用同一币制或分单申报。",
        )


def currency_problems(path: str, code: str) -> Iterator[Problem]:
    """Yields CURRENCY_UNKNOWN unless the currency is one of ISO 4217 that is paid in: XAU, gold, isn't."""
    if minor_digits(code) is None:
        yield Problem(
            path,
            "CURRENCY_UNKNOWN",
            f"{code or 'Nothing'} is no currency; use the ISO 4217 code, for example USD.",
            f"{code or '空值'} 不是有效币制；请使用 ISO 4217 字母代码，如 USD。",
        )


def _total_problems(
    index: int, line: Goods, minor_units: int, digits: int | None, is_positive: bool
) -> Sequence[Problem]:
    quantity = decimal_or_none(line.quantity.value or "0")
    unit_price = decimal_or_none(line.unit_price.value or "0")
    problems = []
    if quantity is None:
        problems.append(not_a_number(f"lines[{index}].quantity"))
    if unit_price is None:
        problems.append(not_a_number(f"lines[{index}].unit_price"))
    if digits is not None and minor_units <= 0 and not is_positive:
        problems.append(trade_checks.not_positive(f"lines[{index}].total"))
    elif digits is not None and quantity and unit_price:
        product = quantity * unit_price
        off = abs(product.scaleb(digits) - minor_units) - 1
        if off >= 0 and off >= rounding(quantity, unit_price).scaleb(digits):
            problems.append(_total_mismatch(f"lines[{index}].total", product, minor_units, digits))
    return problems


def _total_mismatch(path: str, product: Decimal, minor_units: int, digits: int) -> Problem:
    total = Decimal(minor_units).scaleb(-digits)
    return Problem(
        path,
        "TOTAL_MISMATCH",
        f"The total is {total}, but quantity times price is {product.normalize():f}; correct one of them.",
        f"该项总价为 {total}，而数量乘以单价为 {product.normalize():f}；请更正其一。",
    )


def not_a_number(path: str) -> Problem:
    """Returns the problem of a value that is no plain decimal."""
    return Problem(
        path,
        "NUMBER_INVALID",
        "This is no positive decimal number of at most 14 digits before the point; correct it.",
        "该值不是有效的正十进制数（整数最多 14 位）；请更正。",
    )


def size_problems(path: str, minor_units: int, most: int) -> Iterator[Problem]:
    """Yields AMOUNT_TOO_LARGE for an amount that is larger than any document's."""
    if minor_units > most:
        yield Problem(
            path,
            "AMOUNT_TOO_LARGE",
            f"The amount is above {most} minor units; correct it, or declare separately.",
            f"金额超过 {most}（最小货币单位）；请更正或分单申报。",
        )


def amount_problems(path: str, minor_units: int) -> Iterator[Problem]:
    """Yields the problems of an asset's value: it is positive, and no larger than any document's.

    0 gives AMOUNT_NOT_POSITIVE, 10^16 minor units nothing, more AMOUNT_TOO_LARGE.
    """
    yield from trade_checks.positive(path, minor_units)
    yield from size_problems(path, minor_units, VALUE_MOST)


def net_exceeds_gross(path: str, net: Decimal, gross: Decimal) -> Problem:
    """Returns the problem of a net weight above the gross weight, in kilograms."""
    return Problem(
        path,
        "NET_EXCEEDS_GROSS",
        f"Net weight {net} is above gross weight {gross}; correct one of them.",
        f"净重 {net} 大于毛重 {gross}；请更正其一。",
    )


def _value_problems(declaration: declarations_pb2.Declaration, line_problems: Sequence[Problem]) -> Iterator[Problem]:
    yield from currency_problems("declared_value.currency_code", declaration.declared_value.currency_code)
    value = declaration.declared_value
    yield from size_problems("declared_value", value.minor_units, VALUE_MOST)
    # A sum over broken lines, or over none, would only repeat their problem.
    if declaration.lines and not line_problems:
        yield from _sum_problems(declaration)


_minor_units = operator.attrgetter("total.minor_units")


def _sum_problems(declaration: declarations_pb2.Declaration) -> Iterator[Problem]:
    declared, currency = declaration.declared_value.minor_units, declaration.declared_value.currency_code
    total = sum(map(_minor_units, declaration.lines))
    if declared != total:
        yield Problem(
            "declared_value",
            "DECLARED_VALUE_MISMATCH",
            f"The value is {to_text(declared, currency)}, its lines sum up to {to_text(total, currency)}; "
            "correct one of them.",
            f"申报总值为 {to_text(declared, currency)}，各项合计为 {to_text(total, currency)}；请更正其一。",
        )
