"""CEB messages: the fixtures of every message, good and broken on purpose, and any row written and read again."""

import datetime
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aval.declarations.v1 import personal_pb2, retail_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from chassis.currencies import to_major_units
from chassis.xml import document, put
from services.declarations.customs.code_tables import code_table
from services.declarations.intake.formats.ceb import kinds as ceb_kinds
from services.declarations.intake.formats.ceb import parse
from services.declarations.intake.formats.ceb.message import NAMESPACE, Field, Message
from services.declarations.intake.formats.ceb.tables import MESSAGES
from services.declarations.intake.formats.parsed import PROBLEMS_MAX, Parsed, told
from services.declarations.window.retail.checks import check
from services.declarations.window.retail.flows.payment import commands as payment_commands

FIXTURES = Path(__file__).parents[1] / "fixtures" / "ceb"
ORDER, LIST, PAYMENT = "CEB303Message/Order[1]", "CEB603Message/Inventory[1]", "CEB411Message/Payment[1]"
# Of one document, or of the message as a whole: element path and reason.
BROKEN = {
    "bad_change": [(f"{PAYMENT}/PaymentHead/appType", "CHANGE_INVALID")],
    "bad_charge_missing": [("CEB403Message/Receipts[1]/charge", "MISSING_ELEMENT")],
    "bad_decimals": [(f"{ORDER}/OrderHead/goodsValue", "AMOUNT_INVALID")],
    "bad_order_type": [(f"{ORDER}/OrderHead/orderType", "FLAG_INVALID")],
    "bad_refund_without_list": [("CEB213Message/InvtRefund[1]/InvtRefundHead/invtNo", "MISSING_ELEMENT")],
    "bad_summary_part": [("CEB701Message/SummaryApply[1]/SummaryApplyHead/msgSeqNo", "PART_OUT_OF_RANGE")],
    "bad_summary_time": [("CEB701Message/SummaryApply[1]/SummaryApplyHead/endTime", "TIME_RANGE_INCOMPLETE")],
    "bad_summary_time_reversed": [("CEB701Message/SummaryApply[1]/SummaryApplyHead/endTime", "TIME_RANGE_REVERSED")],
    "bad_departure_empty": [("CEB509Message/Departure[1]/DepartureList", "NOTHING_NAMED")],
    "bad_direction": [(f"{LIST}/InventoryHead/ieFlag", "DIRECTION_MISMATCH")],
    "bad_document_type": [("", "DTD_NOT_ALLOWED")],
    "bad_draft": [(f"{ORDER}/OrderHead/appStatus", "NOT_DECLARED")],
    "bad_external_entity": [("", "DTD_NOT_ALLOWED")],
    "bad_flag": [(f"{LIST}/InventoryHead/ieFlag", "FLAG_INVALID")],
    "bad_flag_lower_case": [(f"{LIST}/InventoryHead/ieFlag", "FLAG_INVALID")],
    "bad_goods_value": [(f"{ORDER}/OrderHead/goodsValue", "GOODS_VALUE_MISMATCH")],
    "bad_iso_codes": [
        (f"{ORDER}/OrderHead/currency", "CURRENCY_UNKNOWN"),
        (f"{ORDER}/OrderList[1]/currency", "CURRENCY_UNKNOWN"),
        (f"{ORDER}/OrderList[1]/country", "COUNTRY_UNKNOWN"),
    ],
    # ISO's numerics of CNY, CHN and USA: customs' own are 142, 142 and 502.
    "bad_iso_numeric": [
        (f"{LIST}/InventoryHead/country", "COUNTRY_UNKNOWN"),
        (f"{LIST}/InventoryList[1]/currency", "CURRENCY_UNKNOWN"),
        (f"{LIST}/InventoryList[1]/country", "COUNTRY_UNKNOWN"),
    ],
    "bad_line_total": [(f"{ORDER}/OrderList[1]/totalPrice", "TOTAL_MISMATCH")],
    "bad_list_number": [
        (f"{LIST}/InventoryHead/invtNo", "FORMAT_INVALID"),
        (f"{LIST}/InventoryHead/customsCode", "FORMAT_INVALID"),
        (f"{LIST}/InventoryHead/tradeMode", "FORMAT_INVALID"),
    ],
    "bad_malformed": [("", "XML_MALFORMED")],
    "bad_missing_elements": [
        *((f"{ORDER}/OrderHead/{name}", "MISSING_ELEMENT") for name in ("appType", "appTime", "orderNo", "ebcCode")),
        (f"{ORDER}/OrderHead/goodsValue", "MISSING_ELEMENT"),
        (f"{ORDER}/OrderList[1]/itemName", "MISSING_ELEMENT"),
        (f"{ORDER}/OrderList[1]/totalPrice", "MISSING_ELEMENT"),
    ],
    "bad_net_above_gross": [(f"{LIST}/InventoryHead/netWeight", "NET_EXCEEDS_GROSS")],
    "bad_no_document": [("CEB303Message/Order", "NO_DOCUMENT")],
    "bad_no_lines": [(f"{ORDER}/OrderList", "TOO_FEW")],
    "bad_not_positive": [(f"{PAYMENT}/PaymentHead/amountPaid", "AMOUNT_NOT_POSITIVE")],
    "bad_numbers": [(f"{ORDER}/OrderList[1]/{name}", "NUMBER_INVALID") for name in ("gnum", "qty", "price")],
    "bad_other_namespace": [("CEB303Message", "WRONG_NAMESPACE")],
    "bad_receipt": [
        ("CEB604Message/InventoryReturn[1]/returnTime", "MISSING_ELEMENT"),
        ("CEB604Message/InventoryReturn[1]/returnStatus", "FORMAT_INVALID"),
    ],
    "bad_several_currencies": [(f"{ORDER}/OrderList[2]/currency", "SEVERAL_CURRENCIES")],
    "bad_summary_empty": [("CEB701Message/SummaryApply[1]/SummaryApplyList", "TOO_FEW")],
    "bad_summary_repeats": [("CEB701Message/SummaryApply[1]/SummaryApplyList", "REPEATED")],
    "bad_times": [
        (f"{PAYMENT}/PaymentHead/appTime", "TIME_INVALID"),
        (f"{PAYMENT}/PaymentHead/payTime", "TIME_INVALID"),
    ],
    "bad_unknown_country": [(f"{LIST}/InventoryHead/country", "COUNTRY_UNKNOWN")],
    "bad_unknown_currency": [(f"{ORDER}/OrderHead/currency", "CURRENCY_UNKNOWN")],
    "bad_unknown_message": [("CEB999Message", "MESSAGE_UNKNOWN")],
    "bad_unknown_unit": [(f"{ORDER}/OrderList[1]/unit", "UNIT_UNKNOWN")],
    "bad_version": [("CEB303Message/@version", "VERSION_UNSUPPORTED")],
}
# Files that hold the same documents, written in another way.
THE_SAME = {
    "good_byte_order_mark": "good_303",
    "good_gb18030_under_utf8_header": "good_311",
    "good_default_namespace": "good_no_transfer",
    "good_version_v1": "good_no_transfer",
    "good_no_namespace": "good_603",
    "good_only_root_in_namespace": "good_603",
    "good_unknown_elements": "good_603",
}


def read(name: str) -> list[Parsed]:
    """The documents of a fixture."""
    return parse((FIXTURES / f"{name}.xml").read_bytes())


def row(name: str, index: int = 0) -> Any:
    """The row of one of a good fixture's documents."""
    return read(name)[index].row


def test_every_fixture_and_every_message_is_tried() -> None:
    names = {path.stem for path in FIXTURES.glob("*.xml")}
    assert {name for name in names if name.startswith("bad_")} == {*BROKEN, "bad_one_of_three"}
    assert {f"good_{message.format.removeprefix('CEB')}" for message in MESSAGES.values()} <= names


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_document_is_refused_with_all_its_problems(name: str) -> None:
    (parsed,) = read(name)
    assert parsed.row is None
    assert sorted((problem.path, problem.reason) for problem in parsed.problems) == sorted(BROKEN[name])
    assert all(problem.english and problem.chinese for problem in parsed.problems)


@pytest.mark.parametrize("name", sorted(path.stem for path in FIXTURES.glob("good_*.xml")))
def test_a_good_document_has_a_row(name: str) -> None:
    for parsed in read(name):
        assert (parsed.problems, bool(parsed.document_id)) == ([], True)
        assert parsed.row is not None
        assert check(parsed.row) == []


@pytest.mark.parametrize(("name", "other"), THE_SAME.items())
def test_how_a_sender_writes_it_changes_nothing(name: str, other: str) -> None:
    assert [parsed.row for parsed in read(name)] == [parsed.row for parsed in read(other)]


def test_one_bad_document_never_stops_the_others() -> None:
    first, second, third = read("bad_one_of_three")
    assert [parsed.row is not None for parsed in (first, second, third)] == [True, False, True]
    assert [problem.path for problem in second.problems] == ["CEB303Message/Order[2]/OrderHead/goodsValue"]
    assert [parsed.document_id[-2:] for parsed in (first, second, third)] == ["01", "02", "03"]


def test_a_document_is_named_by_its_guid_or_else_by_its_place() -> None:
    assert [parsed.document_id for parsed in read("good_repeated_guid")] == [
        "7C1B0303-0000-4000-8000-000000000001",
        "Order[2]",
    ]


def test_heads_right_under_the_root_have_the_lines_that_follow_them() -> None:
    first, second = (row("good_head_under_root", index) for index in range(2))
    assert first == row("good_603")
    assert (second.enterprise_number, len(second.lines)) == ("QH-INV-0002", 1)


def test_old_customs_numerics_become_iso_codes() -> None:
    order, declared = row("good_303"), row("good_603")
    assert (order.goods_value.currency_code, order.goods_value.minor_units) == ("USD", 129_80)
    assert [line.country for line in order.lines] == ["CHN", "CHN"]
    assert (declared.country, declared.value.minor_units) == ("USA", 129_80)
    # Without decimals.
    yen = row("good_yen")
    assert (yen.goods_value.currency_code, yen.goods_value.minor_units, yen.freight.minor_units) == ("JPY", 12980, 600)


def test_a_line_takes_the_currency_of_its_head_where_it_has_none() -> None:
    assert row("good_621").lines[0].total.currency_code == "CNY"


def test_charges_as_amounts_rates_and_prices_of_a_ton() -> None:
    assert row("good_603").freight.minor_units == 6_00
    content = (FIXTURES / "good_freight_rate.xml").read_text()
    freight, insurance = "<ceb:freight>5<", "<ceb:insuredFee>0</ceb:insuredFee>"
    insured = "<ceb:insuredFee>0.3</ceb:insuredFee>"
    assert freight in content
    assert insurance in content

    def charged(*changes: tuple[str, str]) -> tuple[tuple[str, int], tuple[str, int]]:
        text = content
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (parsed,) = parse(text.encode())
        assert not parsed.problems
        found: Any = parsed.row
        assert (found.value.currency_code, found.value.minor_units) == ("USD", 129_80)
        assert found.gross_weight_kilograms.value == "0.85"
        return tuple((entry.currency_code, entry.minor_units) for entry in (found.freight, found.insurance))  # type: ignore[return-value]

    # 5 % of 129.80; whatever the currency beside a rate says.
    assert charged() == (("USD", 6_49), ("", 0))
    assert charged(("<ceb:fCurrency>502<", "<ceb:fCurrency>142<")) == charged()
    # 3 per mille are 0.3894; 0.05 % are 6.49 cents.
    assert charged((insurance, insured), ("<ceb:iFlag/>", "<ceb:iFlag>1</ceb:iFlag>"))[1] == ("USD", 39)
    assert charged((freight, "<ceb:freight>0.05<"))[0] == ("USD", 6)
    # 1,000 yuan a ton, of 0.85 kg.
    by_ton = (("<ceb:fFlag>1<", "<ceb:fFlag>2<"), ("<ceb:fCurrency>502<", "<ceb:fCurrency>142<"))
    assert charged((freight, "<ceb:freight>1000<"), *by_ton)[0] == ("CNY", 85)
    assert charged((freight, "<ceb:freight>9999999999999<"), *by_ton)[0] == ("CNY", 8_500_000_000_00)
    # What no mark of the format says is no charge.
    assert charged(("<ceb:fFlag>1<", "<ceb:fFlag>7<"))[0] == ("", 0)
    (parsed,) = parse(content.replace(freight, "<ceb:freight>five<").encode())
    assert [(problem.path.rpartition("/")[2], problem.reason) for problem in parsed.problems] == [
        ("freight", "NUMBER_INVALID")
    ]


def test_an_exports_money_needs_no_payment_company() -> None:
    (parsed,) = parse((FIXTURES / "good_403_without_company.xml").read_bytes())
    found: Any = parsed.row
    assert (found.payment_company_code, found.transaction_number, found.payment_company_name) == ("", "", "现金支付")
    other = retail_pb2.RetailPayment()
    other.CopyFrom(found)
    other.order_number += "2"
    numbered = retail_pb2.RetailPayment()
    numbered.CopyFrom(found)
    numbered.transaction_number = "7"
    assert len({payment_commands.identify(retail_payment) for retail_payment in (found, other, numbered)}) == 3
    # An import's is registered with customs.
    content = (FIXTURES / "good_411.xml").read_text()
    (parsed,) = parse(content.replace("<ceb:payCode>4101W6000D</ceb:payCode>", "").encode())
    assert [(problem.path.rpartition("/")[2], problem.reason) for problem in parsed.problems] == [
        ("payCode", "MISSING_ELEMENT")
    ]
    assert [(problem.path, problem.reason) for problem in check(retail_pb2.RetailPayment(amount=found.amount))] == [
        ("payment_company_code", "PAYMENT_NUMBER_MISSING"),
        ("transaction_number", "PAYMENT_NUMBER_MISSING"),
    ]


def test_times_are_beijings_with_milliseconds_where_there_are_some() -> None:
    assert row("good_604").notice_time.ToJsonString() == "2026-11-03T02:15:00.123Z"
    assert row("good_604", 1).notice_time.ToJsonString() == "2026-11-02T05:15:00Z"
    assert row("good_509").departure_time.ToJsonString() == "2026-11-03T15:45:00Z"
    assert not row("good_607").HasField("departure_time")


def test_natural_persons_are_apart_from_everything_else() -> None:
    part = personal_pb2.Person.Part
    order = row("good_311")
    buyer = personal_pb2.Person(
        part=part.BUYER,
        name="柳星遥",
        identity_type="1",
        identity_number="410101199001010011",
        telephone="13900000017",
    )
    assert order.persons[0] == buyer
    assert [(person.part, person.name) for person in order.persons] == [
        (part.BUYER, "柳星遥"),
        (part.CONSIGNEE, "桑若云"),
    ]
    assert [(person.part, person.name) for person in row("good_411").persons] == [(part.PAYER, "柳星遥")]
    assert [person.part for person in row("good_621").persons] == [part.BUYER, part.CONSIGNEE]
    assert not row("good_303").persons
    order.ClearField("persons")
    assert "柳星遥" not in str(order)


def test_what_each_message_becomes() -> None:
    direction, change = retail_pb2.Direction, retail_pb2.Change
    assert (row("good_303").direction, row("good_311").direction) == (direction.EXPORT, direction.IMPORT)
    assert (row("good_311").envelope.change, row("good_change").envelope.change) == (change.NEW, change.MODIFY)
    assert row("good_311").paid.minor_units == 273_48
    assert row("good_505").order_number == "YL20261102000001"
    assert row("good_505").gross_weight_kilograms.value == "0.85000"
    assert row("good_511").gross_weight_kilograms.value == "2.1"
    assert (row("good_403").amount.minor_units, row("good_403").transaction_number) == (135_80, "HL202611020001")
    assert row("good_403_as_payment").amount.minor_units == 129_80
    assert (row("good_603").list_number, row("good_621").list_number) == ("46042026E000000001", "46042026I000000031")
    assert row("good_621").bonded_books_number == "T4604W000001"
    assert row("good_604").merchant_code == row("good_605").merchant_code == row("good_603").merchant_code != ""
    assert (row("good_604").status_code, row("good_622").status_code) == ("800", "-621001")
    assert [row(name).is_return for name in ("good_605", "good_623", "good_625")] == [False, False, True]
    assert row("good_625").note == "七天无理由退货"
    assert list(row("good_607").waybill_numbers) == ["XQ00000000001", "XQ00000000002"]
    assert list(row("good_701").list_numbers) == ["46042026E000000001", "46042026E000000002"]
    assert row("good_603").envelope.format == "CEB603"


def changed(name: str, *changes: tuple[str, str]) -> Parsed:
    """The first document of a fixture with texts replaced."""
    text = (FIXTURES / f"{name}.xml").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return parse(text.encode())[0]


def reasons(parsed: Parsed) -> list[tuple[str, str]]:
    """The last element and the reason of each problem."""
    return [(problem.path.rpartition("/")[2], problem.reason) for problem in parsed.problems]


def test_orders_say_who_orders() -> None:
    kind = retail_pb2.RetailOrder
    assert row("good_order_of_business").order_type == kind.BUSINESS
    assert row("good_order_of_warehouse").order_type == kind.WAREHOUSE
    # A consumer's order is as it always was, so that one that is sent again is known.
    assert row("good_303").order_type == row("good_311").order_type == kind.ORDER_TYPE_UNSPECIFIED
    other = changed("good_311", ("<ceb:orderType>I<", "<ceb:orderType>W<"))
    assert reasons(other) == [("orderType", "DIRECTION_MISMATCH")]
    assert row("good_list_of_9710").trade_mode == "9710"


def test_amounts_of_five_decimals_are_rounded_and_kept_as_written() -> None:
    order = row("good_five_decimals")
    assert (order.goods_value.minor_units, [line.total.minor_units for line in order.lines]) == (129_80, [79_80, 50_00])
    assert {exact_amount.path: exact_amount.value.value for exact_amount in order.exact_amounts} == {
        "goods_value": "129.80251",
        "lines[0].total": "79.80246",
        "lines[1].total": "50.00005",
    }
    assert check(order) == []
    # What is written with zeros isn't finer.
    zeros = changed("good_303", (">129.80<", ">129.80000<"))
    assert (zeros.problems, list(zeros.row.exact_amounts)) == ([], [])  # type: ignore[union-attr]
    # Half a minor unit goes up: 0.125 is 0.13, 0.135 is 0.14.
    halves = [changed("good_403", (">135.80<", f">{text}<")).row.amount.minor_units for text in ("0.125", "0.135")]  # type: ignore[union-attr]
    assert halves == [13, 14]
    yen = changed("good_yen", (">600<", ">600.5<")).row
    assert (yen.freight.minor_units, yen.exact_amounts[0].value.value) == (601, "600.5")  # type: ignore[union-attr]


def test_exact_amounts_add_up_as_they_are_written() -> None:
    assert reasons(changed("good_five_decimals", (">129.80251<", ">129.81251<"))) == [
        ("goodsValue", "GOODS_VALUE_MISMATCH")
    ]
    # A total that was rounded itself differs by no more than half a minor unit.
    assert reasons(changed("good_five_decimals", (">129.80251<", ">129.80<"))) == []
    # Three lines of 0.004 are worth nothing each, yet they aren't nothing.
    tiny = changed(
        "good_five_decimals", (">79.80246<", ">0.00432<"), (">39.90123<", ">0.00216<"), (">129.80251<", ">50.00437<")
    )
    assert (tiny.problems, tiny.row.lines[0].total.minor_units) == ([], 0)  # type: ignore[union-attr]
    order = row("good_five_decimals")
    order.exact_amounts[0].value.value = "129.81"
    order.exact_amounts.add(path="lines[9].total").value.value = "1.00001"
    assert [(problem.path, problem.reason) for problem in check(order)] == [
        ("exact_amounts[0]", "EXACT_AMOUNT_DIFFERS"),
        ("exact_amounts[3]", "EXACT_AMOUNT_DIFFERS"),
    ]


@pytest.mark.parametrize(
    ("quantity", "price", "total", "is_taken"),
    [
        ("3", "3.33", "10.00", True),
        ("3000", "3.3333", "10000.00", True),
        ("9", "8.87", "79.80", True),
        ("3000", "3.3333", "10001.00", False),
        ("3", "3.33", "10.05", False),
        ("3", "3.3300", "10.05", False),
    ],
)
def test_a_rounded_price_leaves_half_its_last_digit_open(quantity: str, price: str, total: str, is_taken: bool) -> None:
    found = changed(
        "good_603", ("<ceb:qty>2<", f"<ceb:qty>{quantity}<"), (">39.90<", f">{price}<"), (">79.80<", f">{total}<")
    )
    assert reasons(found) == ([] if is_taken else [("totalPrice", "TOTAL_MISMATCH")])


def test_problems_name_the_elements_and_money_of_the_message() -> None:
    assert reasons(changed("good_403", (">20261102094400<", ">today<"))) == [("accountingDate", "TIME_INVALID")]
    assert reasons(
        changed("good_411", ("<ceb:payTransactionId>", "<ceb:x>"), ("</ceb:payTransactionId>", "</ceb:x>"))
    ) == [("payTransactionId", "MISSING_ELEMENT")]
    assert reasons(changed("good_505", ("<ceb:grossWeight>0.85000<", "<ceb:grossWeight>heavy<"))) == [
        ("grossWeight", "NUMBER_INVALID")
    ]
    (problem,) = changed("good_303", (">129.80<", ">129.81<")).problems
    assert problem.english == "The value is 129.81 USD, its lines sum up to 129.80 USD; correct one of them."
    (problem,) = changed("good_yen", (">12980</ceb:goodsValue>", ">12981</ceb:goodsValue>")).problems
    assert problem.english.startswith("The value is 12981 JPY, its lines sum up to 12980 JPY")


def test_list_numbers_have_18_to_20_signs() -> None:
    assert row("good_list_number_of_20").list_number == "46042026E00000000100"
    for number in ("46042026E000000001", "46042026E0000000011", "46042026E00000000111"):
        assert not changed("good_604", ("46042026E000000001", number)).problems
    for number in ("46042026E00000001", "46042026E000000001112"):
        assert reasons(changed("good_604", ("46042026E000000001", number))) == [("invtNo", "FORMAT_INVALID")]


def test_reports_say_what_they_are_of() -> None:
    answer = row("good_304")
    assert (answer.format, answer.status_code, answer.order_number) == ("CEB304", "120", "YL20261102000001")
    assert row("good_404").transaction_number == "HL202611020001"
    assert list(row("good_506").waybill_numbers) == ["XQ00000000001"]
    assert list(row("good_711").waybill_numbers) == ["XQ00000000001", "XQ00000000002"]
    assert (row("good_513").status_code, row("good_513").notice_time.ToJsonString()) == ("S", "2026-11-05T04:00:00Z")
    assert row("good_702").summary_number == "S20261130000000001"
    assert (row("good_816").value_added_tax.value, row("good_816").status_code) == ("18.20000", "1")
    assert (row("good_900").answered_format, row("good_900").note) == ("CEB311Message", "报文格式校验异常")
    assert (row("good_213").is_return, row("good_213").enterprise_number) == (True, "QH-RET-0001")
    result = row("good_792")
    assert (result.summary_number, result.declaration_number) == ("S20261130000000001", "460420260000000009")
    assert list(result.list_numbers) == ["46042026E000000001", "46042026E000000002"]


def test_a_message_of_many_empty_documents_is_read_soon_and_told_briefly() -> None:
    head = f'<ceb:CEB603Message guid="A1" version="1.0" xmlns:ceb="{NAMESPACE}">'
    found = told(parse((head + "<ceb:Inventory/>" * 9_900 + "</ceb:CEB603Message>").encode()))
    assert len(found) == 9_900
    assert {parsed.problems[0].reason for parsed in found} == {"MISSING_ELEMENT"}
    assert sum(len(parsed.problems) for parsed in found) <= PROBLEMS_MAX + len(found)
    assert found[-1].problems[0].english.startswith("appType is missing or empty; it is required. And at least ")
    lines = "<ceb:Inventory>" + "<ceb:InventoryList/>" * 59_000 + "</ceb:Inventory>"
    (long,) = told(parse((head + lines + "</ceb:CEB603Message>").encode()))
    assert (len(long.problems), long.problems[-1].reason) == (PROBLEMS_MAX + 1, "MORE_PROBLEMS")


def test_three_code_systems_stay_apart() -> None:
    countries, statistics = code_table("customs_countries").rows(), code_table("statistics_countries").rows()
    known = {one["code"] for one in code_table("countries").rows()}
    assert {country["iso"] for country in countries} <= known
    assert {statistic["iso"] for statistic in statistics if statistic["iso"]} <= known
    # Each country has one old code, and so has each currency.
    for name in ("customs_countries", "customs_currencies"):
        codes = [one["iso"] for one in code_table(name).rows()]
        assert len(codes) == len(set(codes))
    assert not {country["code"] for country in countries} & known


def test_units_are_customs_own(real_data: Path) -> None:
    (file,) = (real_data / "codelists" / "cn_customs_params").glob("BaseUnit_*.csv")
    official = {line.split(",")[0] for line in file.read_text(encoding="utf-8-sig").splitlines()[1:]}
    assert {one["code"] for one in code_table("units").rows()} == official


# Any row, written as its message and read again.

CURRENCIES = {one["iso"]: one["code"] for one in code_table("customs_currencies").rows()}
COUNTRIES = {one["iso"]: one["code"] for one in code_table("customs_countries").rows()}
CHANGES = {"NEW": "1", "MODIFY": "2", "DELETE": "3"}


def _time(value: Timestamp) -> str:
    return (value.ToDatetime() + datetime.timedelta(hours=8)).strftime("%Y%m%d%H%M%S")


TEXTS: Mapping[Callable[..., Any], Callable[[Any], str]] = {
    ceb_kinds.text: str,
    ceb_kinds.change: lambda value: CHANGES[retail_pb2.Change.Name(value)],
    ceb_kinds.time: _time,
    ceb_kinds.decimal: lambda value: value.value,
    ceb_kinds.weight: lambda value: value.value,
    ceb_kinds.whole_number: str,
    ceb_kinds.day: lambda value: f"{value.year:04}{value.month:02}{value.day:02}",
    ceb_kinds.country: lambda value: COUNTRIES[value],
    ceb_kinds.money: lambda value: str(to_major_units(value.minor_units, value.currency_code)),
}


def render(message: Message, documents: list[Any]) -> bytes:
    """The message of these rows."""
    root = etree.Element(f"{{{NAMESPACE}}}{message.format}Message", nsmap={"ceb": NAMESPACE})
    for entry in documents:
        element = put(root, message.documents[0])
        head = put(element, message.heads[0]) if message.heads else element
        _write(head, message.fields, entry, message.direction)
        for line in entry.lines if message.line_fields else ():
            _write(put(element, message.line), message.line_fields, line, "")
    return document(root)


def _write(parent: Any, fields: Any, value: Any, direction: str) -> None:
    for field in fields:
        if field.kind in (ceb_kinds.flag, ceb_kinds.order_type):
            put(parent, field.element, direction)
        elif field.path and (found := _found(value, field)) is not None:
            put(parent, field.element, TEXTS[field.kind](found))
            if field.currency and parent.find(f"{{{NAMESPACE}}}{field.currency[0]}") is None:
                put(parent, field.currency[0], CURRENCIES[found.currency_code])


def _found(value: Any, field: Field) -> Any:
    *way, name = field.path.split(".")
    for step in way:
        value = getattr(value, step)
    if value.DESCRIPTOR.fields_by_name[name].has_presence:
        return getattr(value, name) if value.HasField(name) else None
    return getattr(value, name) or None


letters = st.text("ABCXYZ0123456789-_/中文", min_size=1, max_size=18)


@st.composite
def lines(draw: st.DrawFn, currency: str, codes: bool) -> list[retail_pb2.RetailLine]:
    """Lines of goods that add up, in one currency."""
    found = []
    for number in range(1, draw(st.integers(1, 4)) + 1):
        quantity, price = draw(st.integers(1, 50)), draw(st.integers(1, 5_000_00))
        line = retail_pb2.RetailLine(line_number=number, goods_name=draw(letters), item_number=draw(letters))
        line.quantity.value, line.unit_price.value = str(quantity), str(to_major_units(price, currency))
        line.total.currency_code, line.total.minor_units = currency, quantity * price
        line.country = draw(st.sampled_from(sorted(COUNTRIES)))
        line.commodity_code = draw(st.from_regex("[0-9]{10}", fullmatch=True)) if codes else ""
        found.append(line)
    return found


@st.composite
def orders(draw: st.DrawFn) -> retail_pb2.RetailOrder:
    """Any order that a sender may send."""
    currency = draw(st.sampled_from(sorted(CURRENCIES)))
    goods = draw(lines(currency, codes=False))
    order = retail_pb2.RetailOrder(
        direction=retail_pb2.EXPORT,
        order_number=draw(letters),
        platform_code=draw(letters),
        merchant_code=draw(letters),
        merchant_name=draw(letters),
        lines=goods,
    )
    _envelope(draw, order, "CEB303")
    order.goods_value.currency_code = currency
    order.goods_value.minor_units = sum(line.total.minor_units for line in goods)
    if draw(st.booleans()):
        order.freight.currency_code, order.freight.minor_units = currency, draw(st.integers(0, 100_00))
    return order


@st.composite
def declared_lists(draw: st.DrawFn) -> retail_pb2.RetailList:
    """Any list that a sender may send."""
    currency = draw(st.sampled_from(sorted(CURRENCIES)))
    net = draw(st.decimals(Decimal("0.001"), 30, places=3))
    declared = retail_pb2.RetailList(
        direction=retail_pb2.EXPORT,
        enterprise_number=draw(letters),
        order_number=draw(letters),
        platform_code=draw(letters),
        merchant_code=draw(letters),
        waybill_number=draw(letters),
        list_number=draw(st.from_regex("([0-9]{8}[EI][0-9]{9})?", fullmatch=True)),
        trade_mode=draw(st.sampled_from(["9610", "1210"])),
        country=draw(st.sampled_from(sorted(COUNTRIES))),
        lines=draw(lines(currency, codes=True)),
    )
    _envelope(draw, declared, "CEB603")
    declared.net_weight_kilograms.value = str(net)
    declared.gross_weight_kilograms.value = str(net + draw(st.decimals(0, 5, places=2)))
    day = draw(st.dates(min_value=datetime.date(2014, 1, 1), max_value=datetime.date(2099, 12, 31)))
    declared.trade_date.year, declared.trade_date.month, declared.trade_date.day = day.year, day.month, day.day
    declared.value.currency_code = currency
    declared.value.minor_units = sum(line.total.minor_units for line in declared.lines)
    return declared


def _envelope(draw: st.DrawFn, one: Any, name: str) -> None:
    one.envelope.document_id = draw(st.uuids()).hex
    one.envelope.change = draw(st.sampled_from([1, 2, 3]))
    one.envelope.send_time.FromSeconds(draw(st.integers(1_400_000_000, 4_000_000_000)))
    one.envelope.format = name


@given(st.lists(orders(), min_size=1, max_size=3, unique_by=lambda order: order.envelope.document_id))
def test_any_order_is_read_as_it_was_written(written: list[retail_pb2.RetailOrder]) -> None:
    found = parse(render(MESSAGES["CEB303Message"], written))
    assert [(parsed.problems, parsed.row) for parsed in found] == [([], retail_order) for retail_order in written]


@given(declared_lists())
def test_any_list_is_read_as_it_was_written(written: retail_pb2.RetailList) -> None:
    (found,) = parse(render(MESSAGES["CEB603Message"], [written]))
    assert (found.problems, found.row) == ([], written)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_whatever_comes_is_answered(content: bytes) -> None:
    assert all(parsed.row is None and parsed.problems for parsed in parse(content))


@given(st.sampled_from(sorted(FIXTURES.glob("good_*.xml"))), st.data())
def test_a_damaged_document_is_read_or_refused(path: Path, data: st.DataObject) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    for parsed in parse(bytes(content)):
        assert (parsed.row is None) == bool(parsed.problems)
