"""Import declarations in the WCO data model (3.x, XML) into records of mirror declarations.

The root is MetaData, which may hold several Declarations, or one Declaration itself; namespaces begin with
urn:wco:datamodel:WCO:. Times are DateTimeString with formatCode 102 (yyyyMMdd) or 304 (yyyyMMddHHmmss and an
offset); countries are ISO alpha-2, weights KGM. All problems of a declaration are reported at once.
"""

import re
from collections.abc import Iterator
from datetime import date, datetime

from aval.declarations.v1 import records_pb2
from google.type import decimal_pb2

from chassis import rpc as wire
from chassis.errors import Problem
from chassis.fields import problems as field_problems
from chassis.xml import Reader, local_name, namespace, parse_document, wrong_namespace
from services.declarations.code_tables import code_table
from services.declarations.formats import elements
from services.declarations.formats.parsed import Parsed
from services.declarations.records import kinds

NAMESPACE = "urn:wco:datamodel:WCO:"
ROOTS = ("MetaData", "Declaration")
_SHIPMENT, _ITEM = "GoodsShipment", "GovernmentAgencyGoodsItem"
_TIME = re.compile(r"([0-9]{8})([0-9]{6})?(?:Z|([+-][0-9]{2}):?([0-9]{2}))?", re.ASCII)
_HARMONISED = re.compile(r"[0-9]{6,10}", re.ASCII)

# Field of the mirror declaration: the element its text comes from.
_TEXTS = {
    "foreign_number": "ID",
    "importer_name": f"{_SHIPMENT}/Importer/Name",
    "exporter_name": "Exporter/Name",
    "bill_number": f"{_SHIPMENT}/Consignment/TransportContractDocument/ID",
    "invoice_number": f"{_SHIPMENT}/Invoice/ID",
}


def parse(content: bytes) -> list[Parsed]:
    """One for each declaration in the document; one with the problem where the document can't be read."""
    element, problems = parse_document(content)
    if element is None:
        return [Parsed("", None, problems)]
    if not namespace(element).startswith(NAMESPACE) or local_name(element) not in ROOTS:
        expected = f"{{{NAMESPACE}…}}{' or '.join(ROOTS)}"
        return [Parsed("", None, [wrong_namespace(local_name(element), str(element.tag), expected)])]
    root = Reader(element, local_name(element))
    found = [root] if root.path == "Declaration" else list(root.descendants("Declaration"))
    responsible = root.text("ResponsibleCountryCode")
    return [_parsed(Reader(one.element, one.path), responsible) for one in found]


def _parsed(reader: Reader, responsible: str) -> Parsed:
    row = _row(reader, responsible)
    if not reader.problems:
        reader.problems.extend(_broken(row))
    return Parsed(row.mirror_declaration.foreign_number, None if reader.problems else row, reader.problems)


def _broken(row: records_pb2.Record) -> list[Problem]:
    """What the row itself must keep; paths are fields of the row."""
    return field_problems(row) or kinds.problems(row)


def _row(reader: Reader, responsible: str) -> records_pb2.Record:
    for name in ("ID", f"{_SHIPMENT}/{_ITEM}"):
        if reader.find(name) is None:
            reader.required(name)
    accepted = _time(reader, "AcceptanceDateTime")
    mirror = records_pb2.MirrorDeclaration(
        country=_country(reader, f"{_SHIPMENT}/Destination/CountryCode", responsible),
        gross_weight_kilograms=_kilograms(reader, "TotalGrossMassMeasure"),
        package_count=elements.whole_number(reader, "TotalPackageQuantity", reader.text("TotalPackageQuantity")),
        lines=_lines(reader),
    )
    for field, name in _TEXTS.items():
        setattr(mirror, field, reader.text(name))
    row = records_pb2.Record()
    if accepted is not None:
        mirror.accept_date.CopyFrom(wire.date(accepted.date()))
        row.notice_time.FromDatetime(_time(reader, "IssueDateTime") or accepted)
    else:
        reader.required("AcceptanceDateTime/DateTimeString")
    _set_amount(reader, mirror)
    row.mirror_declaration.CopyFrom(mirror)
    return row


def _time(reader: Reader, element: str) -> datetime | None:
    """A moment; None where it is absent or none, which is reported."""
    holder = reader.find(element)
    texts = [one.own_text() for one in holder.descendants("DateTimeString")] if holder else []
    if not texts:
        return None
    match = _TIME.fullmatch(texts[0])
    try:
        return _moment(match)
    except ValueError:
        _no_time(reader, element, texts[0])
        return None


def _moment(match: re.Match[str] | None) -> datetime:
    """The moment in its own zone. ValueError."""
    if match is None:
        raise ValueError
    day, clock, hours, minutes = match.groups()
    offset = f"{hours}{minutes}" if hours else "+0000"
    return datetime.strptime(f"{day}{clock or '000000'}{offset}", "%Y%m%d%H%M%S%z")


def _no_time(reader: Reader, element: str, text: str) -> None:
    reader.report(
        f"{element}/DateTimeString",
        "DATE_INVALID",
        f"{text} is no time in the form yyyyMMdd or yyyyMMddHHmmss with an offset.",
        f"{text} 不是 yyyyMMdd 或 yyyyMMddHHmmss（含时区）形式的有效时间。",
    )


def _country(reader: Reader, element: str, otherwise: str = "") -> str:
    """ISO alpha-3 of an alpha-2 code; empty where it is absent, reported where it is unknown."""
    code = otherwise or reader.text(element)
    row = code_table("countries_alpha_2").row(code, date.max) if code else None
    if code and row is None:
        english, chinese = f"{code} is no country code of ISO 3166 alpha-2.", f"{code} 不是有效的两位国别代码。"
        reader.report(element, "COUNTRY_UNKNOWN", english, chinese)
    return row["iso"] if row else ""


def _kilograms(reader: Reader, element: str) -> decimal_pb2.Decimal | None:
    """A weight; None where it is absent, or in another unit than KGM, which is reported."""
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
    """The first classification that is a number of the harmonised system."""
    commodity = item.find("Commodity")
    codes = [one.text("ID") for one in commodity.children("Classification")] if commodity else []
    found = next((code for code in codes if _HARMONISED.fullmatch(code)), "")
    if not found:
        item.report(
            "Commodity/Classification",
            "COMMODITY_CODE_MISSING",
            "No classification has 6 to 10 digits; give the HS code.",
            "没有 6 至 10 位的商品编码；请填写 HS 编码。",
        )
    return found
