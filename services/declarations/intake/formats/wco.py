"""Import declarations in the WCO data model (3.x, XML) into records of mirror declarations.

The root is MetaData, which may hold several Declarations, or one Declaration itself; namespaces begin with
urn:wco:datamodel:WCO:, or there is none. WCOTypeName, TypeCode and FunctionCode say whether a document is an import
declaration (data/wco_documents.csv); exports, cancellations, amendments and responses prove no import and are refused
by name. Times are DateTimeString with a formatCode of UN/EDIFACT list 2379 (data/date_time_formats.csv); countries are
ISO alpha-2 or a customs territory's code, weights KGM. All problems of a declaration are reported at once.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo

from aval.declarations.v1 import records_pb2
from google.type import decimal_pb2

from chassis import rpc
from chassis.errors import Problem
from chassis.fields import problems as field_problems
from chassis.xml import Reader, drop_namespaces, local_name, namespace, parse_document, wrong_namespace
from services.declarations.customs.code_tables import Row, code_table
from services.declarations.intake.formats import elements
from services.declarations.intake.formats.parsed import Parsed, too_many
from services.declarations.window.records import kinds as records_kinds

NAMESPACE = "urn:wco:datamodel:WCO:"
# A namespace of version 3.6, as an example of those that begin so.
EXAMPLE_NAMESPACE = f"{NAMESPACE}DEC-DMS:2"
RESPONSE = "Response"
UNION = "EU"
ROOTS = ("MetaData", "Declaration", RESPONSE)
_SHIPMENT, _ITEM = "GoodsShipment", "GovernmentAgencyGoodsItem"
_ACCEPTANCE = "AcceptanceDateTime"
_TIME = re.compile(r"([0-9]{6,14})(?:(Z|UTC|GMT)|([+-])([0-9]{2}):?([0-9]{2})?)?", re.ASCII)
_ISO_8601 = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
# UN/EDIFACT 2379: the formats that the count of digits alone gives away.
_FORMAT_BY_DIGITS = {8: "102", 14: "204"}
_HARMONISED = re.compile(r"[0-9]{6,10}", re.ASCII)
# After all types of the table.
_RANK_WITHOUT_TYPE = 99
_SEPARATORS = str.maketrans("", "", " .")

# Field of the mirror declaration: the element its text comes from.
_TEXTS = {
    "foreign_number": "ID",
    "importer_name": f"{_SHIPMENT}/Importer/Name",
    "exporter_name": "Exporter/Name",
    "bill_number": f"{_SHIPMENT}/Consignment/TransportContractDocument/ID",
    "invoice_number": f"{_SHIPMENT}/Invoice/ID",
}


def parse(content: bytes) -> list[Parsed]:
    """Reads each declaration of the document; returns one problem where the document holds none or can't be read."""
    element, problems = parse_document(content)
    if element is None:
        return [Parsed("", None, problems)]
    if (not namespace(element).startswith(NAMESPACE) and namespace(element)) or local_name(element) not in ROOTS:
        expected = f"{{{EXAMPLE_NAMESPACE}}}Declaration"
        return [Parsed("", None, [wrong_namespace(local_name(element), str(element.tag), expected)])]
    drop_namespaces(element, NAMESPACE)
    root = Reader(element, local_name(element))
    if other := _other_message(root):
        return [Parsed("", None, [other])]
    declarations = [root] if root.path == "Declaration" else list(root.descendants("Declaration"))
    if problems := too_many(len(declarations)):
        return [Parsed("", None, problems)]
    responsible = root.text("ResponsibleCountryCode")
    return [_parsed(Reader(reader.element, reader.path), responsible) for reader in declarations]


def _other_message(root: Reader) -> Problem | None:
    """Names the message where it carries no declarations, by its elements or its WCOTypeName."""
    response = root if root.path == RESPONSE else next(root.descendants(RESPONSE), None)
    if response is not None:
        return _no_import(response.path, "RES", _document("NAME RES"))
    name = root.text("WCOTypeName")
    return _unless_import(f"{root.path}/WCOTypeName", name, _document(f"NAME {name[:3].upper()}")) if name else None


def _other_document(reader: Reader) -> Problem | None:
    """Names the document where it is no import declaration, by its TypeCode and FunctionCode.

    Examples: TypeCode IMA is an import, EXA an export, INV a cancellation; FunctionCode 9 is an original, 13 a request
    to amend or cancel. Without a FunctionCode the document is an original.
    """
    kind, function = reader.text("TypeCode"), reader.text("FunctionCode")
    row = _document(f"TYPE {kind}") or _document(f"TYPE {kind[:2]}")
    other = _unless_import(f"{reader.path}/TypeCode", kind, row)
    if other or not function:
        return other
    return _unless_import(f"{reader.path}/FunctionCode", function, _document(f"FUNCTION {function.lstrip('0')}"))


def _document(code: str) -> Row | None:
    return code_table("wco_documents").row(code, date.max)


def _unless_import(path: str, code: str, row: Row | None) -> Problem | None:
    return None if row and row["is_import"] == "yes" else _no_import(path, code, row)


def _no_import(path: str, code: str, row: Row | None) -> Problem:
    english, chinese = (row["english"], row["chinese"]) if row else ("a document of an unknown kind", "未知类型的单证")
    return Problem(
        path,
        "NOT_AN_IMPORT_DECLARATION",
        f"{code or 'The empty element'} is {english}, not an import declaration; send the import declaration that "
        "customs accepted.",
        f"{code or '该空元素'} 表示{chinese}，不是进口报关单；请发送海关已接受的进口报关单。",
    )


def _parsed(reader: Reader, responsible: str) -> Parsed:
    if other := _other_document(reader):
        return Parsed(reader.text("ID"), None, [other])
    row = _row(reader, responsible)
    if not reader.problems:
        reader.problems.extend(_broken(row))
    return Parsed(row.mirror_declaration.foreign_number, None if reader.problems else row, reader.problems)


def _broken(row: records_pb2.Record) -> list[Problem]:
    """Returns the problems of the row itself; paths are fields of the row."""
    return field_problems(row) or records_kinds.problems(row)


def _row(reader: Reader, responsible: str) -> records_pb2.Record:
    goods = f"{_SHIPMENT}/{_ITEM}"
    if reader.find(goods) is None:
        reader.required(goods)
    accepted = _time(reader, _ACCEPTANCE)
    mirror = records_pb2.MirrorDeclaration(
        country=_importing_country(reader, responsible),
        gross_weight_kilograms=_kilograms(reader, "TotalGrossMassMeasure"),
        package_count=elements.whole_number(reader, "TotalPackageQuantity", reader.text("TotalPackageQuantity")),
        lines=_lines(reader),
    )
    for field, name in _TEXTS.items():
        setattr(mirror, field, reader.text(name))
    _set_amount(reader, mirror)
    row = records_pb2.Record()
    if accepted is not None:
        mirror.accept_date.CopyFrom(rpc.date(accepted.date()))
        row.notice_time.FromDatetime(_time(reader, "IssueDateTime") or accepted)
    _check_accepted(reader)
    row.mirror_declaration.CopyFrom(mirror)
    return row


def _check_accepted(reader: Reader) -> None:
    """Reports a declaration as its declarant sent it, before customs gave it a number and a time of acceptance.

    Customs' response carries both, but names the declaration by a reference that is unique to its declarant alone, so
    that nothing joins them here without a doubt (decision 33).
    """
    for name, text in (("ID", reader.text("ID")), (_ACCEPTANCE, _time_text(reader, _ACCEPTANCE)[0])):
        if not text:
            reader.report(
                name,
                "NOT_ACCEPTED_YET",
                f"{name} is missing, so the document doesn't show that customs accepted the declaration; add the "
                "number and the time of acceptance from customs' response and send it again.",
                f"缺少 {name}，该报文不能证明海关已接受报关单；请补充海关回执中的编号和接受时间后重新发送。",
            )


def _time(reader: Reader, element: str) -> datetime | None:
    """Reads a moment; returns None where it is absent, or can't be read, which is reported."""
    text, code = _time_text(reader, element)
    moment = moment_or_none(text, code)
    if text and moment is None:
        _no_time(reader, element, text, code)
    return moment


def _time_text(reader: Reader, element: str) -> tuple[str, str]:
    """Returns (text, formatCode) of the DateTimeString in an element, or of the element itself; empty where absent."""
    holder = reader.find(element)
    if holder is None:
        return "", ""
    holder = next(holder.descendants("DateTimeString"), holder)
    return holder.own_text(), holder.attribute("formatCode")


def moment_or_none(text: str, format_code: str = "") -> datetime | None:
    """Reads a time of UN/EDIFACT list 2379 in the zone that it names, else UTC; None where it is no time.

    The count of digits decides where the code is absent or another count of digits stands in the text; a text with
    dashes is of ISO 8601. Examples: "20260302101112+01" of format 304 is 10:11:12 an hour east of Greenwich;
    "260302101112" is 10:11:12 of format 202; "2026-03-02" is that day.
    """
    match = _TIME.fullmatch(text)
    try:
        if _ISO_8601.match(text):
            moment = datetime.fromisoformat(text)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return _moment(match, format_code) if match else None
    except ValueError:
        return None


def _moment(match: re.Match[str], format_code: str) -> datetime:
    """Returns the moment. Raises ValueError where the digits fit no format, or there is no such time or zone."""
    digits = match[1]
    formats = code_table("date_time_formats")
    if format_code and formats.row(format_code, date.max) is None:
        raise ValueError(format_code)
    for code in (format_code, _FORMAT_BY_DIGITS.get(len(digits), "")):
        row = formats.row(code, date.max)
        if row is not None and len(_digits_of(row["form"])) == len(digits):
            return datetime.strptime(digits, row["pattern"]).replace(tzinfo=_zone(match))
    raise ValueError(digits)


def _digits_of(form: str) -> str:
    """Returns the part of a format before its zone: CCYYMMDDHHMMSS of CCYYMMDDHHMMSSZZZ."""
    return form.partition("Z")[0]


def _zone(match: re.Match[str]) -> tzinfo:
    """Returns the zone. Raises ValueError where the offset is a day or more."""
    _, _, sign, hours, minutes = match.groups()
    if not sign:
        return UTC
    offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
    return timezone(-offset if sign == "-" else offset)


def _no_time(reader: Reader, element: str, text: str, format_code: str) -> None:
    reader.report(
        f"{element}/DateTimeString",
        "DATE_INVALID",
        f"{text} is no time of formatCode {format_code or '304'}; write yyyyMMdd (102) or yyyyMMddHHmmss with an "
        "offset such as +01 or Z (304).",
        f"{text} 不是 formatCode {format_code or '304'} 的有效时间；请按 yyyyMMdd（102）或 yyyyMMddHHmmss 加时区"
        "（如 +01 或 Z，304）填写。",
    )


def _importing_country(reader: Reader, responsible: str) -> str:
    """Returns the responsible country, or the destination where that is a group of countries or isn't told."""
    return _country(reader, f"{_SHIPMENT}/Destination/CountryCode", "" if responsible == UNION else responsible)


def _country(reader: Reader, element: str, otherwise: str = "") -> str:
    """Returns ISO alpha-3 of an alpha-2 code or of a customs territory's; empty where absent, reported where unknown.

    Examples: GB is GBR; XI, Northern Ireland, is GBR; EU, where goods originate in the Union, is EUE.
    """
    code = otherwise or reader.text(element)
    tables = (code_table(name) for name in ("countries_alpha_2", "customs_territories"))
    row = next((row for table in tables if code and (row := table.row(code, date.max))), None)
    if code and row is None:
        english = f"{code} is no country code of ISO 3166 alpha-2 and no customs territory's."
        reader.report(element, "COUNTRY_UNKNOWN", english, f"{code} 不是有效的两位国别（地区）代码。")
    return row["iso"] if row else ""


def _kilograms(reader: Reader, element: str) -> decimal_pb2.Decimal | None:
    """Returns a weight; None where it is absent. Reports another unit than KGM."""
    holder = reader.find(element)
    if holder is None or not holder.own_text():
        return None
    if holder.attribute("unitCode") not in ("", "KGM"):
        english = f"The weight is in {holder.attribute('unitCode')}; give kilograms (KGM)."
        reader.report(element, "UNIT_UNKNOWN", english, "重量单位须为千克（KGM）。")
    return decimal_pb2.Decimal(value=holder.own_text())


def _set_amount(reader: Reader, mirror: records_pb2.MirrorDeclaration) -> None:
    holder = reader.find("InvoiceAmount")
    if holder is not None:
        currency = holder.attribute("currencyID")
        mirror.invoice_amount.CopyFrom(elements.money(reader, "InvoiceAmount", holder.own_text(), currency))


def _lines(reader: Reader) -> Iterator[records_pb2.MirrorLine]:
    shipment = reader.find(_SHIPMENT)
    for item in shipment.children(_ITEM) if shipment else ():
        yield _line(item)


def _line(item: Reader) -> records_pb2.MirrorLine:
    line = records_pb2.MirrorLine(
        commodity_code=_commodity_code(item),
        net_weight_kilograms=_kilograms(item, "Commodity/GoodsMeasure/NetNetWeightMeasure"),
        origin_country=_country(item, "Origin/CountryCode"),
    )
    if quantity := item.text("Commodity/GoodsMeasure/TariffQuantity"):
        line.quantity.value = quantity
    charge = item.find("Commodity/InvoiceLine/ItemChargeAmount")
    if charge is not None:
        currency = charge.attribute("currencyID")
        line.value.CopyFrom(elements.money(item, "Commodity/InvoiceLine/ItemChargeAmount", charge.own_text(), currency))
    return line


def _commodity_code(item: Reader) -> str:
    """Returns the classification by the tariff, never a trade item's or dangerous goods' number; reports its absence.

    Its type is of UN/EDIFACT list 7143 (data/commodity_classifications.csv); one without a type counts where no other
    is the tariff's. Example: of SRZ 12345678 and TSP 6704.20.00 it is 67042000.
    """
    commodity = item.find("Commodity")
    classifications = commodity.children("Classification") if commodity else ()
    codes = sorted(filter(None, map(_ranked, classifications)), key=lambda ranked: ranked[0])
    if not codes:
        item.report(
            "Commodity/Classification",
            "COMMODITY_CODE_MISSING",
            "No classification is of the tariff (type TSP or HS) and has 6 to 10 digits; give the HS code.",
            "没有税则类型（TSP 或 HS）且为 6 至 10 位的商品编码；请填写 HS 编码。",
        )
    return codes[0][1] if codes else ""


def _ranked(classification: Reader) -> tuple[int, str] | None:
    """Returns rank and code of a classification by the tariff, the lowest rank first; None for any other."""
    code = classification.text("ID").translate(_SEPARATORS)
    kind = classification.text("IdentificationTypeCode")
    row = code_table("commodity_classifications").row(kind, date.max)
    if not _HARMONISED.fullmatch(code) or (kind and row is None):
        return None
    return (int(row["rank"]) if row else _RANK_WITHOUT_TYPE), code
