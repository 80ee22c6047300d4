"""DecMessage, the goods declaration of the single window, into a Declaration.

Elements as the window's field table has them: an empty one is absent, an unknown one is passed over, and so is the
namespace where the sender leaves it out. EntryId is needed neither to store nor to declare: without it the row is
a draft. All problems are reported at once, each with the path of its element. What the row itself must keep is in
checks.check and in the proto's field rules; here are only the rules on elements that the row doesn't have.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal

from aval.declarations.v1 import declarations_pb2, personal_pb2, retail_pb2
from aval.type.v1 import money_pb2
from google.type import date_pb2, decimal_pb2

from chassis.errors import Problem
from chassis.xml import Reader, drop_namespace, local_name, namespace, parse_document, wrong_namespace
from services.declarations.customs import direction
from services.declarations.customs.checks import check, decimal_or_none, net_exceeds_gross, plain
from services.declarations.customs.code_tables import code_table
from services.declarations.intake.formats import elements
from services.declarations.intake.formats.decresult import notice_time
from services.declarations.intake.formats.parsed import MISDECLARED
from services.declarations.intake.formats.row_problems import field_problems, report_at_elements
from trade.checks import date_or_none

__all__ = ["check", "parse"]

NAMESPACE = "http://www.chinaport.gov.cn/dec"
NAMESPACES = ("", NAMESPACE)
ROOT = "DecMessage"
LINES_READ_MAX = 1_000
EDOC_INVOICE = "00000001"
EDOC_ORDER_NUMBER = "10000004"

# By IEFlag.
_DIRECTIONS = {"E": retail_pb2.EXPORT, "I": retail_pb2.IMPORT}
_CHINA = "CHN"

_HEAD = "DecHead"
_LINES = "DecLists"
_LINE = "DecList"

# Field of the row: the elements of DecHead it may come from, the first that isn't empty.
_HEAD_FIELDS: Mapping[str, tuple[str, ...]] = {
    "declaration_number": ("EntryId",),
    "unified_number": ("CusCiqNo", "SeqNo"),
    "enterprise": ("TradeCoScc", "TradeCodeScc"),
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
_REQUIRED_IN_HEAD = ("IEFlag", "TradeMode", "TrafMode", "TradeCountry")
_REQUIRED_FIELDS = ("enterprise",)

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
}
_OPTIONAL_IN_LINE = frozenset({"GUnit"})
# Origin and final destination of a line on an import; on an export the final destination stands in OriginCountry and
# the origin in DestinationCountry.
_COUNTRY_FIELDS = ("origin_country", "destination_country")
_COUNTRIES = ("OriginCountry", "DestinationCountry")
# A document attached as a file has the file's name where another has its number.
_FILE_NAME = re.compile(
    r".*\.(pdf|ofd|jpe?g|png|tiff?|bmp|gif|heic|webp|docx?|xls[xm]?|pptx?|wps|et|rtf|csv|tsv|html?|xml|txt|eml|msg"
    r"|zip|rar|7z|p7[sm])|[0-9]{12}IM[0-9]{18}",
    re.IGNORECASE,
)
_SIGN = "DecSign"
# yyyyMMddHHmmss, then hundredths of a second.
_SIGN_DATE = re.compile(r"([0-9]{14})[0-9]{2}", re.ASCII)

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


def parse(content: bytes) -> tuple[declarations_pb2.Declaration | None, list[Problem]]:
    """The declaration of one DecMessage document; None and all its problems where it has any."""
    element, problems = parse_document(content, MISDECLARED)
    if element is None:
        return None, problems
    if namespace(element) not in NAMESPACES or local_name(element) != ROOT:
        return None, [wrong_namespace(local_name(element), element.tag, f"{{{NAMESPACE}}}{ROOT}")]
    drop_namespace(element, NAMESPACE)
    return _read(Reader(element, ROOT))


def _read(root: Reader) -> tuple[declarations_pb2.Declaration | None, list[Problem]]:
    lists = root.find(_LINES)
    # So many tell as well as all that there are too many.
    lines = list(itertools.islice(lists.children(_LINE) if lists else (), LINES_READ_MAX))
    declaration = _declaration(root, lines)
    _check_elements(root, declaration)
    for found in (check(declaration), field_problems(declaration)):
        report_at_elements(root, found, lambda path: f"{ROOT}/{_element_path(path, root, lines)}")
    return (None if root.problems else declaration), root.problems


def _declaration(root: Reader, lines: Sequence[Reader]) -> declarations_pb2.Declaration:
    declaration = declarations_pb2.Declaration(invoice_number=_document_number(root, EDOC_INVOICE))
    _set_head_texts(root, declaration)
    _set_signature(root, declaration)
    _set_packing(root, declaration)
    declaration.persons.extend(_persons(root))
    export_date = _export_date(root)
    if export_date is not None:
        declaration.export_date.CopyFrom(export_date)
    declaration.lines.extend(_line(line, _countries(root, line)) for line in lines)
    if declaration.lines:
        declaration.declared_value.CopyFrom(_declared_value(declaration.lines))
    return declaration


def _set_head_texts(root: Reader, declaration: declarations_pb2.Declaration) -> None:
    for element in _REQUIRED_IN_HEAD:
        root.required(f"{_HEAD}/{element}")
    for name in _REQUIRED_FIELDS:
        _head_element(root, name)[1] or root.required(_head_element(root, name)[0])
    for name in _HEAD_TEXTS:
        setattr(declaration, name, _head_element(root, name)[1])
    declaration.enterprise = f"enterprises/{declaration.enterprise}"
    if declaration.declaration_number:
        declaration.name = f"declarations/{declaration.declaration_number}"


def _set_signature(root: Reader, declaration: declarations_pb2.Declaration) -> None:
    """By what the messages of one declaration are told and ordered before it has a number.

    SignDate 2026030110203045 is 10:20:30 in Beijing; what is no time counts as none.
    """
    declaration.client_number = root.text(f"{_SIGN}/ClientSeqNo")
    signed = _SIGN_DATE.sub(r"\1", root.text(f"{_SIGN}/SignDate"))
    if time := notice_time(signed):
        declaration.sign_time.FromDatetime(time)
    if not declaration.declaration_number:
        declaration.direction = _DIRECTIONS.get(root.text(f"{_HEAD}/IEFlag"), retail_pb2.DIRECTION_UNSPECIFIED)


def _set_packing(root: Reader, declaration: declarations_pb2.Declaration) -> None:
    """Packages and weights, where the document tells them; a wrong weight is reported with the rules on both."""
    if gross := root.text(f"{_HEAD}/GrossWet"):
        declaration.gross_weight_kilograms.value = plain(gross)
    if net := root.text(f"{_HEAD}/NetWt"):
        declaration.net_weight_kilograms.value = plain(net)
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


def _document_number(root: Reader, code: str, *elements_of_number: str) -> str:
    """The number of the first attachment of that kind that has one, and no file's name; empty where there is none.

    EdocID is the document's number, or the name of its file: 460400000001IM202603010000000001.pdf. EdocCopId is the
    file's name at the enterprise.
    """
    attachments = (edoc for edoc in root.children("EdocRealation") if edoc.text("EdocCode") == code)
    numbers = (edoc.text(name) for edoc in attachments for name in (elements_of_number or ("EdocID",)))
    return next((number for number in numbers if number and not _FILE_NAME.fullmatch(number)), "")


def _export_date(root: Reader) -> date_pb2.Date | None:
    """The day of exit or, before that, of declaration; None where it is absent or no day (reported)."""
    return elements.day(root, *_head_element(root, "export_date"))


def _countries(root: Reader, line: Reader) -> Sequence[str]:
    """The elements of a line's origin and final destination, which stand the other way round on an export.

    Some senders name them on exports too: China is no final destination of what goes to another country.
    """
    first, second = (line.text(element) for element in _COUNTRIES)
    arrives = root.text(f"{_HEAD}/TradeCountry")
    is_named = first == _CHINA and second != _CHINA and arrives not in ("", _CHINA)
    is_export = root.text(f"{_HEAD}/IEFlag") == "E"
    return _COUNTRIES[::-1] if is_export and not is_named else _COUNTRIES


def _line(reader: Reader, countries: Sequence[str]) -> declarations_pb2.DeclarationLine:
    texts = {
        name: reader.text(element) if element in _OPTIONAL_IN_LINE else reader.required(element)
        for name, element in _LINE_FIELDS.items()
    }
    return declarations_pb2.DeclarationLine(
        line_number=elements.whole_number(reader, "GNo", texts["line_number"]),
        commodity_code=texts["commodity_code"],
        goods_name=texts["goods_name"],
        quantity=decimal_pb2.Decimal(value=plain(texts["quantity"])),
        unit=texts["unit"],
        unit_price=decimal_pb2.Decimal(value=plain(texts["unit_price"])),
        total=elements.money(reader, "DeclTotal", texts["total"], texts["total.currency_code"]),
        origin_country=reader.text(countries[0]),
        destination_country=reader.text(countries[1]),
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
        _check_order_number(root, mode["order_number"], declaration.trade_mode)


def _check_direction(root: Reader, declaration_number: str) -> None:
    flag = root.text(f"{_HEAD}/IEFlag")
    digit = direction.digit(_DIRECTIONS.get(flag, retail_pb2.DIRECTION_UNSPECIFIED))
    if flag and not digit:
        root.report(
            f"{_HEAD}/IEFlag",
            "FLAG_INVALID",
            f"IEFlag is {flag}; write E for export or I for import.",
            f"进出口标志为 {flag}；出口填 E，进口填 I。",
        )
    elif digit and direction.digit_of(declaration_number) not in ("", digit):
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


def _check_order_number(root: Reader, rule: str, trade_mode: str) -> None:
    if rule == "REQUIRED" and not _document_number(root, EDOC_ORDER_NUMBER, "EdocID", "EdocCopId"):
        root.report(
            "EdocRealation",
            "ORDER_NUMBER_MISSING",
            f"TradeMode {trade_mode} needs the order number; write it into EdocID of an EdocCode {EDOC_ORDER_NUMBER}.",
            f"监管方式 {trade_mode} 须附订单编号；请在随附单据 {EDOC_ORDER_NUMBER} 的 EdocID 中填写。",
        )


def _element_path(field_path: str, root: Reader, lines: Sequence[Reader]) -> str:
    line = _LINE_PATH.fullmatch(field_path)
    if line:
        index, field = int(line[1]), line[2]
        return f"{_LINES}/{_LINE}[{index + 1}]/{_line_element(root, lines[index], field)}"
    if field_path in _HEAD_FIELDS:
        return _head_element(root, field_path)[0]
    return _OTHER_PATHS.get(field_path, field_path)


def _line_element(root: Reader, line: Reader, field: str) -> str:
    """The element that a field of a line comes from."""
    if field in _COUNTRY_FIELDS:
        return _countries(root, line)[_COUNTRY_FIELDS.index(field)]
    return _LINE_FIELDS.get(field, field)
