"""Declarations as flat rows, one for each line of goods, and as the text of a CSV file. Pure."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from aval.declarations.v1 import declarations_pb2, insight_pb2

from chassis import money
from chassis.rpc import to_date

Line = insight_pb2.ExportedLine
# A spreadsheet takes a cell that begins so for a formula; some take the full-width forms too.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
# Characters that a spreadsheet may drop before it looks.
UNSEEN = " \u00a0\u3000\u200b\u2060\ufeff\x00"
# The fields that a row has of its declaration and of its line under the same name.
HEAD = (
    "declaration_number", "enterprise", "enterprise_name", "buyer_name", "trade_mode", "transport_mode",
    "transaction_mode", "destination_country", "contract_number", "bill_number", "invoice_number",
)  # fmt: skip
GOODS = ("line_number", "commodity_code", "goods_name", "unit", "origin_country")


def lines(declaration: declarations_pb2.Declaration, status: str) -> Iterator[insight_pb2.ExportedLine]:
    """Yields the rows of a declaration; a single one with the head alone where it has no goods."""
    for goods in declaration.lines or [declarations_pb2.DeclarationLine()]:
        row = Line(status=status, **{name: getattr(declaration, name) for name in HEAD})
        for name in GOODS:
            setattr(row, name, getattr(goods, name))
        _copy(declaration, row, "declared_value", "export_date")
        _copy(goods, row, "quantity", "unit_price", "total")
        yield row


def _copy(source: Any, row: insight_pb2.ExportedLine, *names: str) -> None:
    """Copies those messages that the source has."""
    for name in names:
        if source.HasField(name):
            getattr(row, name).CopyFrom(getattr(source, name))


def _plain(name: str) -> Callable[[Any], str]:
    return lambda row: str(getattr(row, name))


def _amount(name: str) -> Callable[[Any], str]:
    return lambda row: money.from_proto(getattr(row, name)).plain() if row.HasField(name) else ""


def _number(name: str) -> Callable[[Any], str]:
    return lambda row: str(getattr(row, name).value)


def _day(row: Any) -> str:
    return to_date(row.export_date).isoformat() if row.HasField("export_date") else ""


# Heads and how each cell is read, in the order of the file.
COLUMNS: dict[str, Callable[[Any], str]] = {
    **{name: _plain(name) for name in HEAD},
    "status": _plain("status"),
    "export_date": _day,
    "currency": lambda row: row.declared_value.currency_code,
    "declared_value": _amount("declared_value"),
    **{name: _plain(name) for name in GOODS},
    "quantity": _number("quantity"),
    "unit_price": _number("unit_price"),
    "total": _amount("total"),
}
CHINESE = {
    "declaration_number": "报关单号",
    "enterprise": "企业",
    "enterprise_name": "企业名称",
    "buyer_name": "境外收货人",
    "trade_mode": "监管方式",
    "transport_mode": "运输方式",
    "transaction_mode": "成交方式",
    "destination_country": "运抵国",
    "contract_number": "合同协议号",
    "bill_number": "提运单号",
    "invoice_number": "发票号",
    "status": "状态",
    "export_date": "出口日期",
    "currency": "币制",
    "declared_value": "申报总价",
    "line_number": "项号",
    "commodity_code": "商品编号",
    "goods_name": "商品名称",
    "unit": "成交单位",
    "origin_country": "原产国",
    "quantity": "成交数量",
    "unit_price": "单价",
    "total": "总价",
}
# The columns that a spreadsheet reads as numbers and days.
AMOUNTS = frozenset({"declared_value", "total"})
NUMBERS = frozenset({"declared_value", "line_number", "quantity", "unit_price", "total"})
DAYS = frozenset({"export_date"})


def cells(row: insight_pb2.ExportedLine) -> dict[str, str]:
    """Returns a row's cells by their heads: decimals and days as plain text."""
    return {head: read(row) for head, read in COLUMNS.items()}


def safe(text: str) -> str:
    """Returns the text as a spreadsheet takes it for text, an apostrophe before a formula: =1+1 gives '=1+1."""
    return f"'{text}" if text.startswith(FORMULA) or text.lstrip(UNSEEN).startswith(FORMULA) else text


def heads(language: str) -> list[str]:
    """Returns the heads of the columns: the fields' names, or in Chinese."""
    return [CHINESE[name] if language.startswith("zh") else name for name in COLUMNS]


def to_csv(rows: Iterable[insight_pb2.ExportedLine], heads: Iterable[str] = ()) -> bytes:
    """Writes rows of RFC 4180, UTF-8 without a byte-order mark, below heads if there are any."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    if above := list(heads):
        writer.writerow(above)
    for row in rows:
        writer.writerow([safe(cell) for cell in cells(row).values()])
    return text.getvalue().encode()
