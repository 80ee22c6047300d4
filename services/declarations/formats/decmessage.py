"""DecMessage, the goods declaration of the single window, into a Declaration.

Elements as the format has them: an empty one is absent, an unknown one is passed over. All problems are
reported at once, each with the path of its element. What the row itself must keep is in checks.check
and in the proto's field rules; here are only the rules on elements that the row doesn't have.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal

from aval.declarations.v1 import declarations_pb2, personal_pb2
from aval.type.v1 import money_pb2
from google.type import date_pb2, decimal_pb2

from chassis.errors import Problem
from chassis.xml import Reader, local_name, namespace, parse_document, wrong_namespace
from services.declarations.checks import check, date_or_none, decimal_or_none, net_exceeds_gross
from services.declarations.code_tables import code_table
from services.declarations.formats import elements
from services.declarations.formats.parsed import MISDECLARED
from services.declarations.formats.row_problems import field_problems, report_at_elements

__all__ = ["check", "parse"]

NAMESPACE = "http://www.chinaport.gov.cn/dec"
ROOT = "DecMessage"
LINES_READ_MAX = 1_000
EDOC_INVOICE = "00000001"
EDOC_ORDER_NUMBER = "10000004"

# Direction digit of the declaration number by IEFlag.
_DIRECTIONS = {"E": "0", "I": "1"}
_DIRECTION_DIGIT = 8

_HEAD = "DecHead"
_LINES = "DecLists"
_LINE = "DecList"

# Field of the row: the elements of DecHead it may come from, the first that isn't empty.
_HEAD_FIELDS: Mapping[str, tuple[str, ...]] = {
    "declaration_number": ("EntryId",),
    "unified_number": ("CusCiqNo", "SeqNo"),
    "enterprise": ("TradeCoScc",),
    "enterprise_name": ("TradeName",),
    "buyer_name": ("OverseasConsigneeEname",),
    "trade_mode": ("TradeMode",),
    "transport_mode": ("TrafMode",),
    "transaction_mode": ("TransMode",),
    "destination_country": ("TradeCountry",),
    "contract_number": ("ContrNo",),
    "bill_number": ("BillNo",),
    "export_date": ("IEDate", "PDate"),
}
_HEAD_TEXTS = tuple(name for name in _HEAD_FIELDS if name != "export_date")
_REQUIRED_IN_HEAD = ("IEFlag", "EntryId", "TradeCoScc", "TradeMode", "TrafMode", "TradeCountry")

# Field of the line: its element.
_LINE_FIELDS: Mapping[str, str] = {
    "line_number": "GNo",
    "commodity_code": "CodeTS",
    "goods_name": "GName",
    "quantity": "GQty",
    "unit": "GUnit",
    "unit_price": "DeclPrice",
    "total": "DeclTotal",
    "total.currency_code": "TradeCurr",
    "origin_country": "OriginCountry",
}
_OPTIONAL_IN_LINE = frozenset({"GUnit", "OriginCountry"})

# Element of DecHead that names a natural person: which part, and the field it fills.
_PERSONS = {
    "TypistNo": ("TYPIST", "identity_number"),
    "InputerName": ("INPUTTER", "name"),
    "DeclareName": ("DECLARANT", "name"),
}

_OTHER_PATHS = {
    "lines": _LINES,
    "declared_value": _LINES,
    "declared_value.currency_code": f"{_LINES}/{_LINE}[1]/TradeCurr",
    "invoice_number": "EdocRealation",
}
_LINE_PATH = re.compile(r"lines\[([0-9]+)\]\.(.+)")

_LEVY_NATURE_PROBLEMS: Mapping[str, tuple[str, str, str]] = {
    "REQUIRED": (
        "CUT_MODE_REQUIRED",
        "TradeMode {mode} needs a levy nature; fill in CutMode, for example 101.",
        "监管方式 {mode} 须填写征免性质 CutMode，如 101。",
    ),
    "FORBIDDEN": (
        "CUT_MODE_FORBIDDEN",
        "TradeMode {mode} has no levy nature; leave CutMode empty.",
        "监管方式 {mode} 不得填写征免性质；请清空 CutMode。",
    ),
}


def parse(content: bytes) -> tuple[declarations_pb2.Declaration | None, list[Problem]]:
    """The declaration of one DecMessage document; None and all its problems where it has any."""
    element, problems = parse_document(content, MISDECLARED)
    if element is None:
        return None, problems
    if (namespace(element), local_name(element)) != (NAMESPACE, ROOT):
        return None, [wrong_namespace(local_name(element), element.tag, f"{{{NAMESPACE}}}{ROOT}")]
    return _read(Reader(element, ROOT))


def _read(root: Reader) -> tuple[declarations_pb2.Declaration | None, list[Problem]]:
    declaration = _declaration(root)
    _check_elements(root, declaration)
    for found in (check(declaration), field_problems(declaration)):
        report_at_elements(root, found, lambda path: f"{ROOT}/{_element_path(path, root)}")
    return (None if root.problems else declaration), root.problems


def _declaration(root: Reader) -> declarations_pb2.Declaration:
    declaration = declarations_pb2.Declaration(invoice_number=_edoc_copy(root, EDOC_INVOICE))
    _set_head_texts(root, declaration)
    _set_packing(root, declaration)
    declaration.persons.extend(_persons(root))
    export_date = _export_date(root)
    if export_date is not None:
        declaration.export_date.CopyFrom(export_date)
    lines = root.find(_LINES)
    # So many tell as well as all that there are too many.
    read = itertools.islice(lines.children(_LINE) if lines else (), LINES_READ_MAX)
    declaration.lines.extend(map(_line, read))
    if declaration.lines:
        declaration.declared_value.CopyFrom(_declared_value(declaration.lines))
    return declaration


def _set_head_texts(root: Reader, declaration: declarations_pb2.Declaration) -> None:
    for element in _REQUIRED_IN_HEAD:
        root.required(f"{_HEAD}/{element}")
    for name in _HEAD_TEXTS:
        setattr(declaration, name, _head_element(root, name)[1])
    declaration.name = f"declarations/{declaration.declaration_number}"
    declaration.enterprise = f"enterprises/{declaration.enterprise}"


def _set_packing(root: Reader, declaration: declarations_pb2.Declaration) -> None:
    """Packages and weights, where the document tells them; a wrong weight is reported with the rules on both."""
    if gross := root.text(f"{_HEAD}/GrossWet"):
        declaration.gross_weight_kilograms.value = gross
    if net := root.text(f"{_HEAD}/NetWt"):
        declaration.net_weight_kilograms.value = net
    packages = f"{_HEAD}/PackNo"
    declaration.package_count = elements.whole_number(root, packages, root.text(packages))


def _persons(root: Reader) -> Iterator[personal_pb2.Person]:
    """The natural persons of the head, those that it names."""
    for element, (part, field) in _PERSONS.items():
        if text := root.text(f"{_HEAD}/{element}"):
            yield personal_pb2.Person(**{"part": part, field: text})


def _head_element(root: Reader, name: str) -> tuple[str, str]:
    """(path below the root, text) of the element that a field comes from."""
    texts = [(f"{_HEAD}/{element}", root.text(f"{_HEAD}/{element}")) for element in _HEAD_FIELDS[name]]
    return next((found for found in texts if found[1]), texts[0])


def _edoc_copy(root: Reader, code: str) -> str:
    """EdocCopId of the first attachment of that kind; empty where there is none."""
    attachments = (edoc for edoc in root.children("EdocRealation") if edoc.text("EdocCode") == code)
    return next((edoc.text("EdocCopId") for edoc in attachments), "")


def _export_date(root: Reader) -> date_pb2.Date | None:
    """The day of exit or, before that, of declaration; None where it is absent or no day (reported)."""
    return elements.day(root, *_head_element(root, "export_date"))


def _line(reader: Reader) -> declarations_pb2.DeclarationLine:
    texts = {
        name: reader.text(element) if element in _OPTIONAL_IN_LINE else reader.required(element)
        for name, element in _LINE_FIELDS.items()
    }
    return declarations_pb2.DeclarationLine(
        line_number=elements.whole_number(reader, "GNo", texts["line_number"]),
        commodity_code=texts["commodity_code"],
        goods_name=texts["goods_name"],
        quantity=decimal_pb2.Decimal(value=texts["quantity"]),
        unit=texts["unit"],
        unit_price=decimal_pb2.Decimal(value=texts["unit_price"]),
        total=elements.money(reader, "DeclTotal", texts["total"], texts["total.currency_code"]),
        origin_country=texts["origin_country"],
    )


def _declared_value(lines: Iterable[declarations_pb2.DeclarationLine]) -> money_pb2.Money:
    totals = [line.total for line in lines]
    return money_pb2.Money(
        currency_code=totals[0].currency_code if totals else "",
        minor_units=sum(total.minor_units for total in totals),
    )


def _check_elements(root: Reader, declaration: declarations_pb2.Declaration) -> None:
    """The rules on elements that the row doesn't have."""
    _check_direction(root, declaration.declaration_number)
    _check_weights(root)
    on = date_or_none(declaration.export_date) or date.max
    mode = code_table("trade_modes").row(declaration.trade_mode, on)
    if mode is not None:
        _check_levy_nature(root, mode["levy_nature"], declaration.trade_mode)
        _check_order_number(root, mode["order_number"], declaration.trade_mode)


def _check_direction(root: Reader, declaration_number: str) -> None:
    flag = root.text(f"{_HEAD}/IEFlag")
    direction = _DIRECTIONS.get(flag)
    if flag and direction is None:
        root.report(
            f"{_HEAD}/IEFlag",
            "FLAG_INVALID",
            f"IEFlag is {flag}; write E for export or I for import.",
            f"进出口标志为 {flag}；出口填 E，进口填 I。",
        )
    elif direction and declaration_number[_DIRECTION_DIGIT : _DIRECTION_DIGIT + 1] not in ("", direction):
        root.report(
            f"{_HEAD}/IEFlag",
            "DIRECTION_MISMATCH",
            f"IEFlag is {flag}, but the ninth digit of EntryId says otherwise; correct one of them.",
            f"进出口标志为 {flag}，与海关编号第 9 位不一致；请更正其一。",
        )


def _check_weights(root: Reader) -> None:
    gross, net = (_weight(root, f"{_HEAD}/{element}") for element in ("GrossWet", "NetWt"))
    if gross is not None and net is not None and net > gross:
        root.problems.append(net_exceeds_gross(f"{ROOT}/{_HEAD}/NetWt", net, gross))


def _weight(root: Reader, path: str) -> Decimal | None:
    """Kilograms; None where the element is absent or no number, which is reported."""
    text = root.text(path)
    weight = decimal_or_none(text)
    if text and weight is None:
        root.report(path, "NUMBER_INVALID", f"{text} is no weight in kilograms.", f"{text} 不是有效的重量（千克）。")
    return weight


def _check_levy_nature(root: Reader, rule: str, trade_mode: str) -> None:
    given = "REQUIRED" if root.text(f"{_HEAD}/CutMode") else "FORBIDDEN"
    if given != rule:
        reason, english, chinese = _LEVY_NATURE_PROBLEMS[rule]
        path = f"{_HEAD}/CutMode"
        root.report(path, reason, english.format(mode=trade_mode), chinese.format(mode=trade_mode))


def _check_order_number(root: Reader, rule: str, trade_mode: str) -> None:
    if rule == "REQUIRED" and not _edoc_copy(root, EDOC_ORDER_NUMBER):
        root.report(
            "EdocRealation",
            "ORDER_NUMBER_MISSING",
            f"TradeMode {trade_mode} needs the order number; attach an EdocCode {EDOC_ORDER_NUMBER}.",
            f"监管方式 {trade_mode} 须附订单编号；请添加随附单据 {EDOC_ORDER_NUMBER}。",
        )


def _element_path(field_path: str, root: Reader) -> str:
    line = _LINE_PATH.fullmatch(field_path)
    if line:
        return f"{_LINES}/{_LINE}[{int(line[1]) + 1}]/{_LINE_FIELDS.get(line[2], line[2])}"
    if field_path in _HEAD_FIELDS:
        return _head_element(root, field_path)[0]
    return _OTHER_PATHS.get(field_path, field_path)
