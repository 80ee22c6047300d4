"""DecMessage documents: the fixtures, the rules on the row, and the fields that arrive."""

import string
from pathlib import Path

import pytest
from aval.declarations.v1 import declarations_pb2
from hypothesis import given
from hypothesis import strategies as st

from services.declarations.checks import is_social_credit_code
from services.declarations.formats.decmessage import check, parse

FIXTURES = Path(__file__).parents[1] / "fixtures" / "decmessage"
TEMPLATES = Path(__file__).parents[2] / "cli" / "demo" / "world" / "declarations"
HEAD, LINES = "DecMessage/DecHead", "DecMessage/DecLists"
EXPECTED = {
    "bad_direction": [(f"{HEAD}/IEFlag", "DIRECTION_MISMATCH")],
    "bad_document_type": [("", "DTD_NOT_ALLOWED")],
    "bad_encoding": [("", "ENCODING_AMBIGUOUS")],
    "bad_entity_expansion": [("", "DTD_NOT_ALLOWED")],
    "bad_external_entity": [("", "DTD_NOT_ALLOWED")],
    "bad_fifty_one_lines": [(LINES, "LINES_OUT_OF_RANGE"), (f"{LINES}/DecList[51]/GNo", "OUT_OF_RANGE")],
    "bad_flag": [(f"{HEAD}/IEFlag", "FLAG_INVALID")],
    "bad_levy_nature_forbidden": [(f"{HEAD}/CutMode", "CUT_MODE_FORBIDDEN")],
    "bad_levy_nature_missing": [(f"{HEAD}/CutMode", "CUT_MODE_REQUIRED")],
    "bad_line_total": [(f"{LINES}/DecList[2]/DeclTotal", "TOTAL_MISMATCH")],
    "bad_malformed": [("", "XML_MALFORMED")],
    "bad_many_things": [
        (f"{HEAD}/IEDate", "DATE_INVALID"),
        (f"{LINES}/DecList[2]/GNo", "NUMBER_INVALID"),
        (f"{LINES}/DecList[2]/DeclTotal", "AMOUNT_INVALID"),
        (f"{HEAD}/GrossWet", "NUMBER_INVALID"),
    ],
    "bad_missing_elements": [
        (f"{HEAD}/EntryId", "MISSING_ELEMENT"),
        (f"{HEAD}/TrafMode", "MISSING_ELEMENT"),
        (f"{LINES}/DecList[2]/CodeTS", "MISSING_ELEMENT"),
    ],
    "bad_net_above_gross": [(f"{HEAD}/NetWt", "NET_EXCEEDS_GROSS")],
    "bad_no_namespace": [("DecMessage", "WRONG_NAMESPACE")],
    "bad_old_customs_codes": [
        (f"{HEAD}/TradeCountry", "COUNTRY_UNKNOWN"),
        (f"{LINES}/DecList[1]/TradeCurr", "CURRENCY_UNKNOWN"),
        (f"{LINES}/DecList[2]/TradeCurr", "CURRENCY_UNKNOWN"),
    ],
    "bad_order_number_missing": [("DecMessage/EdocRealation", "ORDER_NUMBER_MISSING")],
    "bad_order_number_missing_9810": [("DecMessage/EdocRealation", "ORDER_NUMBER_MISSING")],
    "bad_several_currencies": [(f"{LINES}/DecList[2]/TradeCurr", "SEVERAL_CURRENCIES")],
    "bad_social_credit_code": [(f"{HEAD}/TradeCoScc", "SOCIAL_CREDIT_CODE_INVALID")],
    "bad_too_many_decimals": [(f"{LINES}/DecList[2]/DeclTotal", "AMOUNT_INVALID")],
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


@pytest.mark.parametrize("text", ["1e3", "-1", "NaN", "1.0000001", "12345678901234", "１"])
def test_numbers_of_a_row_are_plain(text: str) -> None:
    declaration = good()
    declaration.lines[0].quantity.value = text
    assert reasons(declaration) == [("lines[0].quantity", "NUMBER_INVALID")]


@pytest.mark.parametrize("minor_units", [0, -1])
def test_amounts_are_positive(minor_units: int) -> None:
    declaration = good()
    declaration.lines[0].total.minor_units = minor_units
    assert reasons(declaration) == [("lines[0].total", "AMOUNT_NOT_POSITIVE")]


@given(st.integers(1, 10**9), st.integers(1, 10**8), st.integers(-3, 3))
def test_a_total_may_be_off_by_its_rounding_only(quantity: int, price: int, off: int) -> None:
    """price in 1/10000 of a unit; off in cents from the rounded product."""
    declaration = good()
    del declaration.lines[1:]
    line = declaration.lines[0]
    line.quantity.value, line.unit_price.value = str(quantity), f"{price // 10_000}.{price % 10_000:04}"
    line.total.minor_units = declaration.declared_value.minor_units = max(1, quantity * price // 100 + off)
    exact = abs(quantity * price - 100 * line.total.minor_units) < 100
    assert (reasons(declaration) == []) is exact


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
