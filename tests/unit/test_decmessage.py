"""DecMessage documents: the fixtures, the rules on the row, and the fields that arrive."""

import string
from decimal import Decimal
from pathlib import Path

import pytest
from aval.declarations.v1 import declarations_pb2, retail_pb2
from hypothesis import given
from hypothesis import strategies as st

from services.declarations.customs.checks import decimal_or_none, plain
from services.declarations.intake.formats.decmessage import check, parse
from trade.identifiers import is_social_credit_code

FIXTURES = Path(__file__).parents[1] / "fixtures" / "decmessage"
TEMPLATES = Path(__file__).parents[2] / "cli" / "demo" / "world" / "declarations"
HEAD, LINES = "DecMessage/DecHead", "DecMessage/DecLists"
EXPECTED = {
    "bad_decimal_comma": [(f"{LINES}/DecList[2]/DeclTotal", "AMOUNT_INVALID")],
    "bad_direction": [(f"{HEAD}/IEFlag", "DIRECTION_MISMATCH")],
    "bad_document_type": [("", "DTD_NOT_ALLOWED")],
    "bad_encoding": [("", "ENCODING_AMBIGUOUS")],
    "bad_entity_expansion": [("", "DTD_NOT_ALLOWED")],
    "bad_external_entity": [("", "DTD_NOT_ALLOWED")],
    "bad_fifty_one_lines": [(LINES, "LINES_OUT_OF_RANGE"), (f"{LINES}/DecList[51]/GNo", "OUT_OF_RANGE")],
    "bad_flag": [(f"{HEAD}/IEFlag", "FLAG_INVALID")],
    "bad_line_total": [(f"{LINES}/DecList[2]/DeclTotal", "TOTAL_MISMATCH")],
    "bad_malformed": [("", "XML_MALFORMED")],
    "bad_many_things": [
        (f"{HEAD}/IEDate", "DATE_INVALID"),
        (f"{LINES}/DecList[2]/GNo", "NUMBER_INVALID"),
        (f"{LINES}/DecList[2]/DeclTotal", "AMOUNT_INVALID"),
        (f"{HEAD}/GrossWet", "NUMBER_INVALID"),
    ],
    "bad_missing_elements": [
        (f"{HEAD}/TrafMode", "MISSING_ELEMENT"),
        (f"{LINES}/DecList[2]/CodeTS", "MISSING_ELEMENT"),
    ],
    "bad_net_above_gross": [(f"{HEAD}/NetWt", "NET_EXCEEDS_GROSS")],
    "bad_old_customs_codes": [
        (f"{HEAD}/TradeCountry", "COUNTRY_UNKNOWN"),
        (f"{LINES}/DecList[1]/TradeCurr", "CURRENCY_UNKNOWN"),
        (f"{LINES}/DecList[2]/TradeCurr", "CURRENCY_UNKNOWN"),
    ],
    "bad_order_number_missing": [("DecMessage/EdocRealation", "ORDER_NUMBER_MISSING")],
    "bad_order_number_missing_9810": [("DecMessage/EdocRealation", "ORDER_NUMBER_MISSING")],
    "bad_several_currencies": [(f"{LINES}/DecList[2]/TradeCurr", "SEVERAL_CURRENCIES")],
    "bad_social_credit_code": [(f"{HEAD}/TradeCoScc", "SOCIAL_CREDIT_CODE_INVALID")],
    "bad_unknown_country": [(f"{HEAD}/TradeCountry", "COUNTRY_UNKNOWN")],
    "bad_unknown_currency": [
        (f"{LINES}/DecList[1]/TradeCurr", "CURRENCY_UNKNOWN"),
        (f"{LINES}/DecList[2]/TradeCurr", "CURRENCY_UNKNOWN"),
    ],
    "bad_wrong_namespace": [("DecMessage", "WRONG_NAMESPACE")],
}


def fixture(name: str) -> bytes:
    return (FIXTURES / f"{name}.xml").read_bytes()


def good() -> declarations_pb2.Declaration:
    declaration, problems = parse(fixture("good_general_trade"))
    assert problems == []
    assert declaration is not None
    return declaration


def reasons(declaration: declarations_pb2.Declaration) -> list[tuple[str, str]]:
    return [(problem.path, problem.reason) for problem in check(declaration)]


def test_every_bad_fixture_is_expected() -> None:
    assert {path.stem for path in FIXTURES.glob("bad_*.xml")} == set(EXPECTED)


@pytest.mark.parametrize("name", list(EXPECTED))
def test_bad_documents(name: str) -> None:
    declaration, problems = parse(fixture(name))
    assert declaration is None
    assert [(problem.path, problem.reason) for problem in problems] == EXPECTED[name]
    assert all(problem.english and problem.chinese for problem in problems)
    assert "root:" not in repr(problems)


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("good_*.xml")), ids=lambda path: path.stem)
def test_good_documents(path: Path) -> None:
    declaration, problems = parse(path.read_bytes())
    assert problems == []
    assert declaration is not None
    assert check(declaration) == []


def test_the_fields_arrive() -> None:
    declaration = good()
    assert declaration.name == "declarations/462020260000000118"
    assert declaration.declaration_number == "462020260000000118"
    assert declaration.unified_number == "E20260000462000118"
    assert declaration.enterprise == "enterprises/91410100MAXY004469"
    assert declaration.enterprise_name == "许昌示例发制品有限公司"
    assert declaration.buyer_name == "SAMPLE HAIR TRADING LLC"
    assert (declaration.trade_mode, declaration.transport_mode, declaration.transaction_mode) == (
        "0110",
        "5",
        "3",
    )
    assert (declaration.destination_country, declaration.contract_number) == ("USA", "XC-2026-118")
    assert (declaration.bill_number, declaration.invoice_number) == ("HNRF26110042", "XC-INV-2026-118")
    day = declaration.export_date
    assert (day.year, day.month, day.day) == (2026, 11, 5)
    value = declaration.declared_value
    assert (value.currency_code, value.minor_units) == ("USD", 12_260_000)


def test_the_fields_of_a_line_arrive() -> None:
    line = good().lines[1]
    assert (line.line_number, line.commodity_code, line.goods_name) == (2, "6704200000", "人发制发块")
    assert (line.quantity.value, line.unit, line.unit_price.value) == ("640", "007", "31.25")
    assert (line.total.currency_code, line.total.minor_units, line.origin_country) == (
        "USD",
        2_000_000,
        "CHN",
    )


def test_the_second_source_of_a_field() -> None:
    declaration, _ = parse(fixture("good_cross_border_b2b"))
    assert declaration is not None
    assert declaration.unified_number == "E20260000462000119"
    assert declaration.export_date.day == 7


def test_a_currency_without_decimals() -> None:
    declaration, _ = parse(fixture("good_yen"))
    assert declaration is not None
    assert declaration.declared_value.minor_units == 1_851_851


def test_every_encoding_gives_the_same_declaration() -> None:
    for name in ("good_byte_order_mark", "good_gb18030_under_utf8_header", "good_unknown_elements"):
        assert parse(fixture(name))[0] == good()


def changed(*changes: tuple[str, str]) -> declarations_pb2.Declaration:
    """The good export with texts in place of others."""
    text = fixture("good_general_trade").decode()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    declaration, problems = parse(text.encode())
    assert problems == []
    assert declaration is not None
    return declaration


@pytest.mark.parametrize(
    ("flag", "first", "second", "arrives", "origin", "destination"),
    [
        # By the field table: on an export the final destination stands in OriginCountry.
        ("E", "USA", "CHN", "USA", "CHN", "USA"),
        ("E", "DEU", "CHN", "NLD", "CHN", "DEU"),
        ("E", "USA", "JPN", "USA", "JPN", "USA"),
        ("E", "CHN", "CHN", "CHN", "CHN", "CHN"),
        ("E", "USA", "", "USA", "", "USA"),
        # Named as on imports: China is no destination of what arrives elsewhere.
        ("E", "CHN", "USA", "USA", "CHN", "USA"),
        ("E", "CHN", "", "USA", "CHN", ""),
        ("I", "DEU", "CHN", "DEU", "DEU", "CHN"),
        ("I", "CHN", "CHN", "HKG", "CHN", "CHN"),
    ],
)
def test_origin_and_final_destination(
    flag: str, first: str, second: str, arrives: str, origin: str, destination: str
) -> None:
    number = "462020261000000118" if flag == "I" else "462020260000000118"
    declaration = changed(
        ("<IEFlag>E<", f"<IEFlag>{flag}<"),
        ("462020260000000118", number),
        ("<TradeCountry>USA<", f"<TradeCountry>{arrives}<"),
        ("<DestinationCountry>CHN<", f"<DestinationCountry>{second}<"),
        ("<OriginCountry>USA<", f"<OriginCountry>{first}<"),
    )
    assert {(line.origin_country, line.destination_country) for line in declaration.lines} == {(origin, destination)}


def test_a_country_is_told_at_the_element_it_stands_in() -> None:
    text = fixture("good_general_trade").decode().replace("<DestinationCountry>CHN<", "<DestinationCountry>142<", 1)
    _, problems = parse(text.encode())
    assert [(problem.path, problem.reason) for problem in problems] == [
        (f"{LINES}/DecList[1]/DestinationCountry", "COUNTRY_UNKNOWN")
    ]


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("XC-INV-2026-118", "XC-INV-2026-118"),
        ("INV.2026.118", "INV.2026.118"),
        ("460400000001IM202603010000000001.pdf", ""),
        ("460400000001IM202603010000000001", ""),
        ("EX2026-001-发票.PDF", ""),
        ("invoice.xlsx", ""),
        ("scan 1.jpeg", ""),
        ("发票.csv", ""),
        ("invoice.html", ""),
        ("IMG_0118.HEIC", ""),
        ("invoice.pdf.p7s", ""),
        ("", ""),
    ],
)
def test_an_invoice_number_is_no_files_name(written: str, number: str) -> None:
    assert changed(("XC-INV-2026-118", written)).invoice_number == number
    copied = changed(("<EdocID>XC-INV-2026-118</EdocID>", f"<EdocID/><EdocCopId>{written}</EdocCopId>"))
    assert copied.invoice_number == ""


def test_the_first_attachment_with_a_number_counts() -> None:
    file = "<EdocRealation><EdocID>a.pdf</EdocID><EdocCode>00000001</EdocCode></EdocRealation>\n  <EdocRealation>"
    text = fixture("good_general_trade").decode().replace("<EdocRealation>", file, 1)
    declaration, _ = parse(text.encode())
    assert declaration is not None
    assert declaration.invoice_number == "XC-INV-2026-118"


@pytest.mark.parametrize("root", ["<DecMessage>", '<DecMessage xmlns="">', '<d:DecMessage xmlns:d="{namespace}">'])
def test_namespaces_may_be_missing_or_empty(root: str) -> None:
    namespace = "http://www.chinaport.gov.cn/dec"
    text = fixture("good_general_trade").decode().replace(f'<DecMessage xmlns="{namespace}">', root)
    if root.startswith("<d:"):
        text = text.replace("{namespace}", namespace).replace("</DecMessage>", "</d:DecMessage>")
    assert parse(text.encode())[0] == good()


def test_children_may_be_in_no_namespace() -> None:
    text = fixture("good_general_trade").decode()
    for name in ("DecHead", "DecLists", "EdocRealation"):
        text = text.replace(f"<{name}>", f'<{name} xmlns="">')
    assert parse(text.encode())[0] == good()


@pytest.mark.parametrize("written", ["2026-11-05", "20261105"])
def test_days_with_and_without_dashes(written: str) -> None:
    assert changed(("<IEDate>20261105<", f"<IEDate>{written}<")).export_date == good().export_date


@pytest.mark.parametrize("written", ["2026-1105", "202611-05", "2026/11/05", "2026-11-31", "05-11-2026"])
def test_what_is_no_day(written: str) -> None:
    text = fixture("good_general_trade").decode().replace("<IEDate>20261105<", f"<IEDate>{written}<")
    assert [problem.reason for problem in parse(text.encode())[1]] == ["DATE_INVALID"]


@pytest.mark.parametrize(
    ("price", "total", "currency", "minor_units"),
    [
        ("1250.1234", "1250.1234", "USD", 125012),
        ("0.33335", "0.33335", "USD", 33),
        ("1250.125", "1250.1250", "USD", 125013),
        ("1250.5", "1250.5000", "JPY", 1251),
        ("1.23456", "1.23456", "KWD", 1235),
        ("1250.12", "1250.12000", "EUR", 125012),
    ],
)
def test_totals_of_more_decimals_than_the_currency_has(price: str, total: str, currency: str, minor_units: int) -> None:
    declaration = changed(
        ("<GQty>1200<", "<GQty>1.00000<"),
        ("<DeclPrice>85.5<", f"<DeclPrice>{price}<"),
        ("<DeclTotal>102600.00<", f"<DeclTotal>{total}<"),
        ("<DeclTotal>20000.00<", "<DeclTotal>20000<"),
        ("<TradeCurr>USD<", f"<TradeCurr>{currency}<"),
    )
    assert declaration.lines[0].total.minor_units == minor_units


def test_a_message_without_a_number_is_a_draft() -> None:
    sign = (
        "<DecSign><OperType>G</OperType><ClientSeqNo>QH001</ClientSeqNo><SignDate>2026110210203045</SignDate></DecSign>"
    )
    declaration = changed(("<EntryId>462020260000000118<", "<EntryId><"), ("</DecLists>", f"</DecLists>{sign}"))
    assert (declaration.declaration_number, declaration.name) == ("", "")
    assert (declaration.client_number, declaration.unified_number) == ("QH001", "E20260000462000118")
    assert declaration.sign_time.ToJsonString() == "2026-11-02T02:20:30Z"
    assert declaration.direction == retail_pb2.EXPORT


@pytest.mark.parametrize("written", ["", "20261302102030", "x"])
def test_a_sign_date_that_is_no_time_is_none(written: str) -> None:
    sign = f"<DecSign><ClientSeqNo>QH001</ClientSeqNo><SignDate>{written}</SignDate></DecSign>"
    declaration = changed(("</DecLists>", f"</DecLists>{sign}"))
    assert (declaration.client_number, declaration.HasField("sign_time")) == ("QH001", False)


@pytest.mark.parametrize("path", sorted(TEMPLATES.glob("*.xml")), ids=lambda path: path.stem)
def test_the_demo_templates(path: Path) -> None:
    document = string.Template(path.read_text(encoding="utf-8")).substitute(
        declaration_number="462020260000001234", unified_number="E20260000462001234", export_date="20261110"
    )
    declaration, problems = parse(document.encode())
    assert problems == []
    assert declaration is not None
    assert 8_000_000 <= declaration.declared_value.minor_units <= 25_000_000


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("enterprise", "enterprises/91410100MAXY004460", ("enterprise", "SOCIAL_CREDIT_CODE_INVALID")),
        ("destination_country", "UKX", ("destination_country", "COUNTRY_UNKNOWN")),
    ],
)
def test_rules_on_the_row(field: str, value: str, expected: tuple[str, str]) -> None:
    declaration = good()
    setattr(declaration, field, value)
    assert reasons(declaration) == [expected]


def test_the_value_is_the_sum_of_the_lines() -> None:
    declaration = good()
    declaration.declared_value.minor_units += 1
    assert reasons(declaration) == [("declared_value", "DECLARED_VALUE_MISMATCH")]


def test_a_row_in_an_unknown_currency() -> None:
    declaration = good()
    declaration.declared_value.currency_code = "USX"
    assert reasons(declaration) == [("declared_value.currency_code", "CURRENCY_UNKNOWN")]


def test_a_row_without_lines() -> None:
    declaration = good()
    del declaration.lines[:]
    assert reasons(declaration) == [("lines", "LINES_OUT_OF_RANGE")]


def test_a_row_with_no_day() -> None:
    declaration = good()
    declaration.export_date.month = 13
    assert reasons(declaration) == [("export_date", "DATE_INVALID")]


@pytest.mark.parametrize("text", ["1e99", "-1", "NaN", "1,5", "123456789012345", "1e14", ".", "1.2.3", "１", " 1"])
def test_what_is_no_number_of_a_row(text: str) -> None:
    declaration = good()
    declaration.lines[0].quantity.value = text
    assert reasons(declaration) == [("lines[0].quantity", "NUMBER_INVALID")]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (".5", "0.5"),
        ("5.", "5"),
        ("+5", "5"),
        ("100.00000", "100.00000"),
        ("12.50000000", "12.500000"),
        ("3.3333333333333335", "3.333333"),
        ("1.25E7", "12500000"),
        ("1E+1", "10"),
        ("1e-05", "0.00001"),
        ("007", "7"),
    ],
)
def test_numbers_as_senders_write_them(text: str, kept: str) -> None:
    assert plain(text) == kept
    assert decimal_or_none(text) == decimal_or_none(kept) == Decimal(kept)


@given(st.decimals(0, 10**13 - 1, allow_nan=False, allow_infinity=False, places=5))
def test_a_number_is_the_same_however_it_is_written(number: Decimal) -> None:
    for text in (f"{number:f}", f"{number:E}", f"{number:f}000", f"{number:f}".lstrip("0")):
        assert decimal_or_none(text) == number
        assert plain(plain(text)) == plain(text)


@pytest.mark.parametrize("minor_units", [0, -1])
def test_amounts_are_positive(minor_units: int) -> None:
    declaration = good()
    declaration.lines[0].total.minor_units = minor_units
    assert reasons(declaration) == [("lines[0].total", "AMOUNT_NOT_POSITIVE")]


@given(st.integers(1, 10**9), st.integers(1, 10**8), st.integers(-3, 3))
def test_a_total_may_be_off_by_its_rounding_and_the_prices(quantity: int, price: int, off: int) -> None:
    """price in 1/10000 of a unit; off in cents from the rounded product."""
    declaration = good()
    del declaration.lines[1:]
    line = declaration.lines[0]
    line.quantity.value, line.unit_price.value = str(quantity), f"{price // 10_000}.{price % 10_000:04}"
    line.total.minor_units = declaration.declared_value.minor_units = max(1, quantity * price // 100 + off)
    allowed = abs(quantity * price - 100 * line.total.minor_units) * 2 < 200 + quantity
    assert (reasons(declaration) == []) is allowed


@given(st.integers(1, 10**8), st.integers(1, 10**10), st.integers(0, 5))
def test_a_price_that_is_the_total_by_the_quantity_rounded_fits_it(quantity: int, total: int, places: int) -> None:
    """As generators write it: round(total / quantity, places), total in cents."""
    declaration = good()
    del declaration.lines[1:]
    line = declaration.lines[0]
    price = (Decimal(total).scaleb(-2) / quantity).quantize(Decimal(1).scaleb(-places))
    line.quantity.value, line.unit_price.value = str(quantity), f"{price:f}"
    line.total.minor_units = declaration.declared_value.minor_units = total
    assert reasons(declaration) == []


@pytest.mark.parametrize(
    ("code", "valid"),
    [
        ("91410100MAXY004469", True),
        ("91411023MAXY00112A", True),
        ("91411023maxy00112a", False),
        ("9141 1023MAXY00112A", False),
        ("91410100MAXY004460", False),
        ("", False),
    ],
)
def test_social_credit_codes(code: str, valid: bool) -> None:
    assert is_social_credit_code(code) is valid


@given(st.binary(max_size=4), st.integers(0, 4000))
def test_no_bytes_break_the_parser(noise: bytes, position: int) -> None:
    content = fixture("good_general_trade")
    declaration, problems = parse(content[:position] + noise + content[position + len(noise) :])
    assert (declaration is None) is bool(problems)
