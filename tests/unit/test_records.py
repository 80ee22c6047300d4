"""The pure rules of records: what each kind keeps, due dates, permits, manifests, mirrors, titles, foreign formats."""

import datetime
import itertools
import json
import pathlib
from decimal import Decimal
from typing import Any

import pytest
from aval.declarations.v1 import declarations_pb2, records_pb2
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from chassis import fields
from chassis.errors import WrongState
from chassis.money import Money, rounded, to_proto
from chassis.states import moved
from services.declarations.intake.formats import decmessage, wco
from services.declarations.window.bill import charges, due_dates, late_fees
from services.declarations.window.bill.model import TRANSITIONS, Bill, State, Verb, reissued
from services.declarations.window.eligibility import manifests, permits
from services.declarations.window.eligibility.model import PermitUse
from services.declarations.window.records import kinds as records_kinds
from services.declarations.window.records import mirrors, titles
from services.settlement.bill_payment import model as bill_payment_model
from services.settlement.bill_payment.plan import PLANS as BILL_PAYMENT_PLANS
from trade.calendars import packaged

FIXTURES = pathlib.Path(__file__).parent.parent / "fixtures"
TODAY = datetime.date(2026, 11, 30)
ENTERPRISE = "enterprises/91411023MAXY00112A"


def rows(kind: str) -> list[records_pb2.Record]:
    """The fixture's rows of a kind."""
    text = (FIXTURES / "records" / f"{kind}.jsonl").read_text(encoding="utf-8")
    return [json_format.ParseDict(json.loads(line), records_pb2.Record()) for line in text.splitlines()]


def export(**changes: Any) -> declarations_pb2.Declaration:
    """The export declaration that the fixtures are about."""
    line = {
        "line_number": 1,
        "commodity_code": "6704200000",
        "goods_name": "WIGS",
        "quantity": {"value": "1"},
        "unit": "035",
        "total": {"currency_code": "USD", "minor_units": 100_000_00},
    }
    row = {
        "declaration_number": "460120260000009001",
        "enterprise": ENTERPRISE,
        "transport_mode": "2",
        "destination_country": "USA",
        "bill_number": "cosu6301234567",
        "invoice_number": "RH-2026-118",
        "export_date": {"year": 2026, "month": 11, "day": 4},
        "declared_value": {"currency_code": "USD", "minor_units": 100_000_00},
        "package_count": 120,
        "gross_weight_kilograms": {"value": "2450"},
        "net_weight_kilograms": {"value": "2300"},
        "lines": [line],
    }
    return declarations_pb2.Declaration(**(row | changes))  # type: ignore[arg-type]


EXCEEDED = ["PERMIT_QUANTITY_EXCEEDED"]


def of_goods(*codes: str, quantity: str = "100", number: str = "460120260000009001") -> declarations_pb2.Declaration:
    """A declaration with such goods."""
    lines = [
        declarations_pb2.DeclarationLine(line_number=n, commodity_code=code, goods_name="GOODS", unit="035")
        for n, code in enumerate(codes, start=1)
    ]
    for line in lines:
        line.quantity.value = quantity
    return export(lines=lines, declaration_number=number)


@pytest.mark.parametrize("kind", records_kinds.KINDS)
def test_the_fixtures_of_every_kind_are_sound(kind: str) -> None:
    found = rows(kind)
    assert found
    for row in found:
        assert records_kinds.kind_of(row) == kind
        assert fields.row_problems(row) == fields.problems(row) == []
        assert records_kinds.problems(row) == []


def test_the_table_has_every_kind_of_the_contract() -> None:
    oneof = records_pb2.Record.DESCRIPTOR.oneofs_by_name["content"]
    assert list(records_kinds.KINDS) == [field.name for field in oneof.fields]


@pytest.mark.parametrize(
    ("kind", "changes", "expected"),
    [
        ("enterprise_registration", {"social_credit_code": "91411023MAXY00112B"}, "SOCIAL_CREDIT_CODE_INVALID"),
        ("manifest", {"receipt_code": "99"}, "CODE_UNKNOWN"),
        ("manifest", {"gross_weight_kilograms": {"value": "1e99"}}, "NUMBER_INVALID"),
        ("permit", {"permit_kind": "Q"}, "CODE_UNKNOWN"),
        ("permit", {"valid_to": {"year": 2025, "month": 1, "day": 1}}, "PERIOD_REVERSED"),
        ("permit", {"valid_to": {"year": 2026, "month": 2, "day": 30}}, "DATE_INVALID"),
        ("bill", {"amount": {"currency_code": "CNY", "minor_units": 0}}, "AMOUNT_NOT_POSITIVE"),
        ("bill", {"amount": {"currency_code": "XXQ", "minor_units": 1}}, "AMOUNT_INVALID"),
        ("bill", {"payee": ENTERPRISE}, "PAYEE_IS_PAYER"),
        ("bill", {"term": "STATED"}, "DUE_DATE_DOESNT_FIT"),
        ("bill", {"overdue_bill_number": "1"}, "OVERDUE_BILL_DOESNT_FIT"),
        ("bill", {"charges": [{"amount": {"currency_code": "CNY"}}]}, "CHARGES_DONT_FIT"),
        ("rebate_status", {"expected_amount": {"currency_code": "USD", "minor_units": 1}}, "CURRENCY_DIFFERS"),
        ("rebate_status", {"state": "PAID"}, "PAID_AMOUNT_DOESNT_FIT"),
        ("milestone", {"transport_mode": "5"}, "CODE_UNKNOWN"),
        ("overseas_warehouse", {"country": "ZZQ"}, "CODE_UNKNOWN"),
        ("stock_movement", {"quantity": {"value": "0"}}, "QUANTITY_NOT_POSITIVE"),
        ("stock_movement", {"kind": "INBOUND", "sale_number": ""}, "DECLARATION_MISSING"),
        ("stock_movement", {"kind": "LOST"}, "SALE_NUMBER_DOESNT_FIT"),
        ("stock_movement", {"sale_number": ""}, "SALE_NUMBER_DOESNT_FIT"),
        ("mirror_declaration", {"country": "ZZQ"}, "CODE_UNKNOWN"),
        ("title_control", {"holder": ""}, "HOLDER_MISSING"),
        ("title_control", {"verb": "SURRENDER"}, "HOLDER_MISSING"),
    ],
)
def test_what_a_kind_must_keep(kind: str, changes: dict[str, Any], expected: str) -> None:
    row = rows(kind)[0]
    for field in changes:
        records_kinds.content_of(row).ClearField(field)
    records_kinds.content_of(row).MergeFrom(type(records_kinds.content_of(row))(**changes))
    (problem,) = records_kinds.problems(row)
    assert problem.reason == expected
    assert problem.text("en") != problem.text("zh-CN")


@pytest.mark.parametrize("kind", [name for name, kind in records_kinds.KINDS.items() if "enterprise" in kind.needs])
def test_a_kind_that_is_an_enterprises_names_it(kind: str) -> None:
    row = rows(kind)[0]
    row.enterprise = ""
    assert "ENTERPRISE_MISSING" in {problem.reason for problem in records_kinds.problems(row)}


def test_a_hold_is_about_something() -> None:
    row = rows("hold")[0]
    row.declaration = ""
    assert [problem.reason for problem in records_kinds.problems(row)] == ["HOLD_WITHOUT_SUBJECT"]


# Sources: the announcements in data/duty_deadlines.csv and the State Council's calendar in trade/data/calendars.
@pytest.mark.parametrize(
    ("term", "issued", "expected"),
    [
        ("SINGLE", "2022-06-30", "2022-07-11"),  # 10 days end on Sunday the 10th
        ("SINGLE", "2022-07-01", "2022-07-18"),  # 15 days end on Saturday the 16th
        ("SINGLE", "2026-11-05", "2026-11-20"),
        ("SINGLE", "2026-09-20", "2026-10-08"),  # within the National Day holiday, which ends on the 7th
        ("SINGLE", "2026-09-05", "2026-09-20"),  # a Sunday that is worked
        ("CONSOLIDATED", "2026-11-05", "2026-12-07"),
        ("CONSOLIDATED", "2026-09-30", "2026-10-13"),  # the 10th, a Saturday, is worked
        ("CONSOLIDATED", "2025-12-31", "2026-01-08"),  # the 4th, a Sunday, is worked
    ],
)
def test_bills_are_due_by_rule(term: str, issued: str, expected: str) -> None:
    due, rule = due_dates.due(term, datetime.date.fromisoformat(issued), packaged)
    assert (due.date.isoformat(), bool(rule), due.is_provisional) == (expected, True, False)


@pytest.mark.parametrize(
    ("kind", "yuan", "late", "fee", "is_waived"),
    [
        ("DUTY", "326400.00", 7, "1142.40", False),
        ("VALUE_ADDED_TAX", "326400.00", 1, "163.20", False),
        ("CONSUMPTION_TAX", "326400.00", 0, None, False),
        ("DUTY", "326400.00", -3, None, False),
        ("PORT_CHARGE", "326400.00", 7, None, False),
        ("LATE_FEE", "326400.00", 7, None, False),
        ("DUTY", "99989.99", 1, "0.00", True),
        ("DUTY", "99990.00", 1, "50.00", False),
        ("DUTY", "100000.00", 1, "50.00", False),
    ],
)
def test_a_late_fee_is_half_a_per_mille_a_day(
    kind: str, yuan: str, late: int, fee: str | None, is_waived: bool
) -> None:
    due = datetime.date(2026, 10, 8)
    amount = rounded(Decimal(yuan), "CNY")
    found = late_fees.late_fee(kind, amount, due, due + datetime.timedelta(days=late))
    if fee is None:
        assert found is None
        return
    assert found is not None
    assert (found.days, found.amount, found.is_waived) == (late, rounded(Decimal(fee), "CNY"), is_waived)
    assert late_fees.late_fee(kind, Money("USD", 10**9), due, TODAY) is None


def test_a_late_fee_counts_each_day_by_the_rule_of_that_day() -> None:
    amount, due, on = Money("CNY", 10_000_000_00), datetime.date(2024, 11, 28), datetime.date(2024, 12, 3)
    before = late_fees.late_fee("DUTY", amount, due, datetime.date(2024, 11, 30))
    after = late_fees.late_fee("DUTY", amount, due, on)
    assert before is not None
    assert after is not None
    assert (before.amount, after.amount) == (Money("CNY", 10_000_00), Money("CNY", 25_000_00))
    assert "order 392" in before.rule
    assert "Tariff Law" in after.rule


def a_bill(state: State, **changes: Any) -> Bill:
    amount = Money("CNY", 100)
    values: dict[str, Any] = {
        "id": "1",
        "enterprise": ENTERPRISE,
        "amount": amount,
        "payee": "treasuries/4601",
        "due_date": TODAY,
    }
    return Bill(**(values | UNCLAIMED | {"state": state} | changes))


UNCLAIMED = {"due_rule": "", "payment": "", "transfer": "", "claim_date": None, "late_fee": None, "revision": 3}


EXPECTED_BILL = {
    ("OPEN", "claim"): "PAYING",
    ("OPEN", "cancel"): "CANCELLED",
    ("PAYING", "release"): "OPEN",
    ("PAYING", "confirm"): "PAID",
    ("CANCELLED", "reinstate"): "OPEN",
}


@pytest.mark.parametrize(("state", "verb"), list(itertools.product(State, Verb)))
def test_every_verb_in_every_state_of_a_bill(state: State, verb: Verb) -> None:
    expected = EXPECTED_BILL.get((state.value, verb.value))
    if expected is None:
        with pytest.raises(WrongState):
            moved(TRANSITIONS, a_bill(state), verb)
    else:
        assert moved(TRANSITIONS, a_bill(state), verb) == expected


def test_an_issuer_never_moves_a_bill_that_is_being_paid() -> None:
    for before, after in itertools.product((State.PAYING, State.PAID), (State.OPEN, State.CANCELLED)):
        with pytest.raises(WrongState):
            reissued(a_bill(before), a_bill(after))
    assert reissued(a_bill(State.OPEN), a_bill(State.OPEN, payee="treasuries/4602")).payee == "treasuries/4602"


EXPECTED_PAYMENT = {
    ("CLAIMING", "post"): "POSTED",
    ("CLAIMING", "give up"): "RELEASING",
    ("CLAIMING", "refuse"): "REFUSED",
    ("RELEASING", "refuse"): "REFUSED",
    ("POSTED", "confirm"): "PAID",
}


@pytest.mark.parametrize(("state", "verb"), list(itertools.product(bill_payment_model.State, bill_payment_model.Verb)))
def test_every_verb_in_every_state_of_a_bills_payment(
    state: bill_payment_model.State, verb: bill_payment_model.Verb
) -> None:
    found = bill_payment_model.TRANSITIONS.get((state, verb))
    assert (found.value if found else None) == EXPECTED_PAYMENT.get((state.value, verb.value))
    assert (state in BILL_PAYMENT_PLANS) is (state not in bill_payment_model.FINISHED)


def permit(**changes: Any) -> records_pb2.Permit:
    """The fixture's permit of rare-earth metals, changed."""
    found = rows("permit")[0].permit
    for field in changes:
        found.ClearField(field)
    found.MergeFrom(records_pb2.Permit(**changes))
    return found


@pytest.mark.parametrize(
    ("declaration", "changes", "expected"),
    [
        (of_goods("6704200000"), None, []),
        (of_goods("2805301100"), {}, []),
        (of_goods("2805301100", "6704200000"), {}, []),
        (of_goods("2805301100"), None, ["PERMIT_MISSING"]),
        (of_goods("2805301100"), {"permit_kind": "3"}, ["PERMIT_MISSING"]),
        (of_goods("2846101000"), {}, ["PERMIT_MISSING"]),
        (of_goods("2805301100"), {"status": "REVOKED"}, ["PERMIT_NOT_IN_FORCE"]),
        (of_goods("2805301100"), {"valid_to": {"year": 2026, "month": 11, "day": 3}}, ["PERMIT_EXPIRED"]),
        (of_goods("2805301100"), {"valid_to": {"year": 2026, "month": 11, "day": 4}}, []),
        (of_goods("2805301100"), {"valid_from": {"year": 2026, "month": 11, "day": 5}}, ["PERMIT_NOT_YET_VALID"]),
        (of_goods("2805301100", quantity="5000"), {}, []),
        (of_goods("2805301100", quantity="5001"), {}, ["PERMIT_QUANTITY_EXCEEDED"]),
        (of_goods("2805301100", "2805301200", quantity="3000"), {}, ["PERMIT_QUANTITY_EXCEEDED"]),
        (of_goods("2805301100", quantity="5001"), {"unit": "007"}, ["PERMIT_UNIT_DIFFERS"]),
        (of_goods("2805301100", quantity="1001"), {"unit": "070", "quantity": {"value": "1"}}, EXCEEDED),
        (of_goods("2805301100", quantity="1000"), {"unit": "070", "quantity": {"value": "1"}}, []),
        (of_goods("2805301100", quantity="5001", number="460120261000009001"), None, []),
    ],
)
def test_permits(
    declaration: declarations_pb2.Declaration, changes: dict[str, Any] | None, expected: list[str]
) -> None:
    held = {} if changes is None else {"records/1": permit(**changes)}
    verdict = permits.verdict(permits.PermitRequest(declaration, permits.day_of(declaration, TODAY)), held, {}, {})
    assert [problem.reason for problem in verdict.problems] == expected
    assert set(verdict.relied_on) <= {"records/1"}


def test_what_exceeds_a_permit_is_told_in_its_unit_and_in_both_languages() -> None:
    asked = permits.PermitRequest(of_goods("2805301100", quantity="1500"), TODAY)
    held = {"records/1": permit(unit="070", quantity={"value": "2.5"})}
    (problem,) = permits.verdict(asked, held, {}, {"records/1": Decimal("1200.5")}).problems
    assert "1.5 of " in problem.text("en")
    assert "permit 26-AA-100001: 1.2995 of 2.5 tonne" in problem.text("en").replace("Export licence", "permit")
    assert "2.5吨中剩余 1.2995" in problem.text("zh-CN")


@given(st.lists(st.integers(1, 60), max_size=12), st.lists(st.integers(1, 150), max_size=3))
def test_permits_are_assigned_as_much_as_they_have_and_no_more(wanted: list[int], limits: list[int]) -> None:
    held = {f"records/{index}": permit(quantity={"value": str(limit)}) for index, limit in enumerate(limits)}
    left, taken = dict(zip(held, limits, strict=True)), permits.Taken()
    for kilograms in wanted:
        use = PermitUse(
            enterprise=ENTERPRISE,
            position=1,
            place=1,
            declaration="1",
            permit_kind="4",
            line=0,
            commodity_code="2805301100",
            quantity=Decimal(kilograms),
            unit="035",
            day=TODAY,
            permit="",
            since_us=0,
            until_us=0,
        )
        room = [name for name in held if left[name] >= kilograms]
        name = permits.assign(use, held, taken, TODAY)
        assert name == (room[0] if room else "")
        if name:
            left[name] -= kilograms


def test_who_used_a_permit_up_keeps_it_and_nobody_else_gets_it() -> None:
    held = {"records/1": permit(status="USED_UP", quantity={"value": "100"})}
    asked = permits.PermitRequest(of_goods("2805301100"), TODAY)
    assert not permits.verdict(asked, held, {(0, "4"): "1"}, {}).problems
    assert [problem.reason for problem in permits.verdict(asked, held, {(0, "4"): ""}, {}).problems] == [
        "PERMIT_NOT_IN_FORCE"
    ]


def port_bill(**changes: Any) -> records_pb2.Bill:
    """The fixture's bill of CNY 860 for 1.5 containers, its charge changed."""
    bill = rows("bill")[1].bill
    bill.charges[0].MergeFrom(records_pb2.PortCharge(**changes))
    return bill


def tariff(day: int, yuan: int, currency: str = "CNY", **changes: Any) -> records_pb2.Record:
    """The fixture's tariff from a day of November 2026 on."""
    row = rows("port_tariff")[0]
    row.name = f"records/{day}"
    row.port_tariff.MergeFrom(records_pb2.PortTariff(valid_from={"year": 2026, "month": 11, "day": day}, **changes))
    row.port_tariff.unit_price.CopyFrom(to_proto(Money(currency, yuan * 100)))
    return row


@pytest.mark.parametrize(
    ("changes", "tariffs", "expected"),
    [
        ({}, [tariff(1, 570)], [("PORT_CHARGE_ABOVE_TARIFF", 855, 5, 1)]),
        ({}, [tariff(1, 574)], [("PORT_CHARGE_BELOW_TARIFF", 861, -1, 1)]),
        ({"quantity": {"value": "2"}}, [tariff(1, 430)], []),
        ({"quantity": {"value": "2"}}, [tariff(1, 430), tariff(6, 100)], []),
        ({"quantity": {"value": "2"}}, [tariff(5, 430), tariff(1, 100)], []),
        ({"service_date": {"year": 2026, "month": 11, "day": 4}}, [tariff(5, 430)], [("NOT_PUBLISHED",)]),
        ({}, [tariff(1, 1, valid_to={"year": 2026, "month": 11, "day": 4})], [("NOT_PUBLISHED",)]),
        ({"charge_code": "OTHER"}, [tariff(1, 430)], [("NOT_PUBLISHED",)]),
        ({}, [tariff(1, 100, "USD")], [("CURRENCY_DIFFERS",)]),
        (
            {"amount": {"minor_units": 1}},
            [tariff(1, 570)],
            [("BELOW", 855, -854.99, 1), ("PORT_CHARGES_DONT_ADD_UP", 0.01, 859.99)],
        ),
    ],
)
def test_port_charges_beside_the_published_tariff(
    changes: dict[str, Any], tariffs: list[records_pb2.Record], expected: list[tuple[Any, ...]]
) -> None:
    found = charges.findings(port_bill(**changes), {records_kinds.port_charge("CNTAO", "THC20"): tariffs})
    assert len(found) == len(expected)
    for finding, (reason, *amounts) in zip(found, expected, strict=True):
        assert reason in finding.problem.reason
        assert finding.problem.text("en") != finding.problem.text("zh-CN")
        if amounts:
            assert finding.published is not None
            said = [float(finding.published.major()), float((finding.charged - finding.published).major())]
            assert said == amounts[:2]
            assert finding.published.currency in finding.problem.text("en")


def test_a_bill_that_names_no_charges_says_so_and_duty_has_none() -> None:
    duty, port = [row.bill for row in rows("bill")]
    assert charges.findings(duty, {}) == []
    port.ClearField("charges")
    assert [finding.problem.reason for finding in charges.findings(port, {})] == ["PORT_CHARGES_NOT_ITEMISED"]


def test_goods_need_a_permit_only_from_the_day_it_was_introduced() -> None:
    graphite = of_goods("3801100030")
    assert not permits.needs(graphite, datetime.date(2023, 11, 30))
    assert [need.permit_kind for need in permits.needs(graphite, datetime.date(2023, 12, 1))] == ["3"]


@pytest.mark.parametrize(
    ("declared", "changes", "expected"),
    [
        ({}, {}, []),
        ({}, {"receipt_code": "12"}, ["MANIFEST_REFUSED"]),
        ({}, {"receipt_code": "01"}, ["MANIFEST_NOT_RELEASED"]),
        ({}, {"departure_time": None}, ["DEPARTURE_NOT_CONFIRMED"]),
        ({}, {"package_count": 119}, ["MANIFEST_PACKAGE_COUNT_DIFFERS"]),
        ({}, {"transport_mode": "5"}, ["MANIFEST_TRANSPORT_MODE_DIFFERS"]),
        ({}, {"bill_number": "COSU6301234568"}, ["MANIFEST_BILL_NUMBER_DIFFERS"]),
        ({}, {"gross_weight_kilograms": {"value": "2523.5"}}, []),
        ({}, {"gross_weight_kilograms": {"value": "2523.6"}}, ["MANIFEST_GROSS_WEIGHT_KILOGRAMS_DIFFERS"]),
        ({"package_count": 0, "gross_weight_kilograms": None}, {"package_count": 7}, []),
    ],
)
def test_a_declaration_beside_its_manifest(
    declared: dict[str, Any], changes: dict[str, Any], expected: list[str]
) -> None:
    row = rows("manifest")[0]
    for field, value in changes.items():
        row.manifest.ClearField(field)
        if value is not None:
            row.manifest.MergeFrom(records_pb2.Manifest(**{field: value}))
    found = manifests.findings(export(**declared), row, TODAY)
    assert [problem.reason for problem in found] == expected


@pytest.mark.parametrize(
    ("declared", "verdict", "score"),
    [
        ({}, "MATCHED", 100),
        ({"invoice_number": "OTHER"}, "MATCHED", 80),
        ({"bill_number": "OTHER"}, "POSSIBLE", 60),
        ({"bill_number": "OTHER", "invoice_number": "OTHER"}, "POSSIBLE", 40),
        (
            {"bill_number": "OTHER", "invoice_number": "OTHER", "net_weight_kilograms": {"value": "1000"}},
            "UNMATCHED",
            30,
        ),
        ({"declared_value": {"currency_code": "CNY", "minor_units": 1}}, "MATCHED", 100),
        ({"declared_value": {"currency_code": "USD", "minor_units": 85_000_00}}, "MATCHED", 90),
        ({"destination_country": "GBR"}, "UNMATCHED", 0),
        ({"export_date": {"year": 2026, "month": 12, "day": 1}}, "UNMATCHED", 0),
        ({"export_date": {"year": 2026, "month": 5, "day": 1}}, "UNMATCHED", 0),
        ({"bill_number": "", "net_weight_kilograms": None, "lines": []}, "POSSIBLE", 100),
    ],
)
def test_a_mirror_declaration(declared: dict[str, Any], verdict: str, score: int) -> None:
    mirror = rows("mirror_declaration")[0].mirror_declaration
    match = mirrors.match(export(**declared), mirror, TODAY)
    assert (match.verdict, match.score) == (verdict, score), match.reasons
    assert match.reasons


EXPECTED_TITLE = {
    ("UNISSUED", "ISSUE"): "HELD",
    ("HELD", "TRANSFER"): "HELD",
    ("HELD", "SURRENDER"): "SURRENDERED",
    ("HELD", "CONVERT_TO_PAPER"): "PAPER",
    ("SURRENDERED", "ACCOMPLISH"): "ACCOMPLISHED",
}


@pytest.mark.parametrize(("state", "verb"), list(itertools.product(titles.State, titles.Verb)))
def test_every_event_in_every_state_of_a_title(state: titles.State, verb: titles.Verb) -> None:
    found = titles.TRANSITIONS.get((state, verb))
    assert (found.value if found else None) == EXPECTED_TITLE.get((state.value, verb.value))


@given(st.permutations(range(4)), st.lists(st.integers(0, 3)))
def test_a_title_is_the_same_for_any_order_of_arrival(order: list[int], prefix: list[int]) -> None:
    events = rows("title_control")
    title = titles.title_of([events[index] for index in order])
    assert title == titles.title_of(events)
    assert title is not None
    assert (title.state, title.holder, title.disregarded) == (titles.State.SURRENDERED, "", ())
    some = titles.title_of([events[index] for index in dict.fromkeys(prefix)])
    assert some == titles.title_of([events[index] for index in sorted(set(prefix))])


def test_only_the_holder_gives_control_away() -> None:
    issue, transfer, again, _ = rows("title_control")
    again.title_control.from_holder = "SOMEBODY ELSE"
    title = titles.title_of([issue, transfer, again])
    assert title is not None
    assert (title.state, title.holder) == (titles.State.HELD, "LMHFCNB0")
    assert [problem.path for problem in title.disregarded] == ["E-3"]
    transfer.title_control.platform = "ANOTHER"
    assert titles.title_of([issue, transfer]).holder == issue.title_control.holder  # type: ignore[union-attr]
    assert titles.title_of([]) is None


def test_a_foreign_declaration_becomes_the_fixtures_mirror() -> None:
    (parsed,) = wco.parse((FIXTURES / "wco" / "import.xml").read_bytes())
    expected = rows("mirror_declaration")[0]
    expected.notice_time.FromJsonString("2026-11-29T00:00:00Z")
    expected.mirror_declaration.lines[0].commodity_code = "67042000"
    assert parsed.problems == []
    assert (parsed.document_id, parsed.row) == ("26US00012345", expected)


def test_every_problem_of_a_foreign_declaration_is_told_at_its_element() -> None:
    (parsed,) = wco.parse((FIXTURES / "wco" / "broken.xml").read_bytes())
    assert parsed.row is None
    assert {(problem.path.rpartition("Declaration/")[2], problem.reason) for problem in parsed.problems} == {
        ("AcceptanceDateTime/DateTimeString", "DATE_INVALID"),
        ("InvoiceAmount", "AMOUNT_INVALID"),
        ("GoodsShipment/Destination/CountryCode", "COUNTRY_UNKNOWN"),
        ("TotalGrossMassMeasure", "UNIT_UNKNOWN"),
        ("TotalPackageQuantity", "NUMBER_INVALID"),
        ("GoodsShipment/GovernmentAgencyGoodsItem[1]/Commodity/Classification", "COMMODITY_CODE_MISSING"),
    }


@pytest.mark.parametrize("content", [b"<a/>", b"<!DOCTYPE a []><a/>", b"no xml", b"<DecMessage xmlns='x'/>"])
def test_what_is_no_foreign_declaration_is_refused(content: bytes) -> None:
    (parsed,) = wco.parse(content)
    assert parsed.row is None
    assert len(parsed.problems) == 1


def test_a_goods_declaration_tells_packages_and_weights() -> None:
    content = (FIXTURES / "decmessage" / "good_general_trade.xml").read_bytes()
    declaration, _ = decmessage.parse(content)
    assert declaration is not None
    weights = declaration.gross_weight_kilograms.value, declaration.net_weight_kilograms.value
    assert (declaration.package_count, *weights) == (38, "412.5", "380")
    declaration, problems = decmessage.parse(content.replace(b"<PackNo>38<", b"<PackNo>many<"))
    assert declaration is None
    assert [(problem.path, problem.reason) for problem in problems] == [("DecMessage/DecHead/PackNo", "NUMBER_INVALID")]
