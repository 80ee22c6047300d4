"""Three flows: an order with its waybill and payment agrees, or every reason why it doesn't."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from aval.declarations.v1 import declarations_pb2, retail_pb2
from hypothesis import given
from hypothesis import strategies as st

from chassis.money import Money
from services.declarations.intake.takers import retail as takers_retail
from services.declarations.window.retail import identity
from services.declarations.window.retail.flows.matching import store as matching_store
from services.declarations.window.retail.flows.matching.model import OrderSide, PaymentSide, Terms, WaybillSide, match
from services.declarations.window.retail.flows.model import State
from services.declarations.window.retail.versions import Change

DAY_US = 86_400_000_000
NOON_US = 20_000 * DAY_US
TERMS = Terms(Decimal("0.005"), 100, 180, 90)
ORDER = OrderSide(
    id="o",
    direction="EXPORT",
    platform_code="P",
    order_number="N",
    value=Money("USD", 1_000_00),
    due=Money("USD", 1_010_00),
    match_state=State.INCOMPLETE,
    send_us=NOON_US,
    change=Change.NEW,
    revision=1,
)
WAYBILL = WaybillSide("w", "EXPORT", "N", NOON_US, Change.NEW)
PAYMENT = PaymentSide("p", "EXPORT", "N", "P", Money("USD", 1_010_00), NOON_US, Change.NEW)


def reasons(order: OrderSide, waybills: list[WaybillSide], payments: list[PaymentSide]) -> tuple[State, list[str]]:
    """How they stand, and leg and reason of what keeps them from agreeing."""
    found = match(order, waybills, payments, TERMS)
    assert all(reason.english and reason.chinese for reason in found.reasons)
    return found.state, [f"{reason.path}: {reason.reason}" for reason in found.reasons]


def paid(minor_units: int, **changes: Any) -> PaymentSide:
    """A payment of so much."""
    return replace(PAYMENT, amount=Money("USD", minor_units), **changes)


CASES: dict[str, tuple[list[WaybillSide], list[PaymentSide], State, list[str]]] = {
    "all agree": ([WAYBILL], [PAYMENT], State.MATCHED, []),
    "of an export the goods alone may be collected": ([WAYBILL], [paid(1_000_00)], State.MATCHED, []),
    "two payments that add up": (
        [WAYBILL],
        [paid(600_00), paid(410_00, id="p2")],
        State.MATCHED,
        [],
    ),
    "fees within the share": ([WAYBILL], [paid(1_015_05)], State.MATCHED, []),
    "above the share": ([WAYBILL], [paid(1_015_06)], State.DIFFERENT, ["payment: AMOUNT_DIFFERS"]),
    "below the share": ([WAYBILL], [paid(994_99)], State.DIFFERENT, ["payment: AMOUNT_DIFFERS"]),
    "no payment": ([WAYBILL], [], State.INCOMPLETE, ["payment: MISSING_PAYMENT"]),
    "no waybill": ([], [PAYMENT], State.INCOMPLETE, ["waybill: MISSING_WAYBILL"]),
    "nothing": ([], [], State.INCOMPLETE, ["waybill: MISSING_WAYBILL", "payment: MISSING_PAYMENT"]),
    "a payment of another platform": (
        [WAYBILL],
        [replace(PAYMENT, platform_code="Q")],
        State.INCOMPLETE,
        ["payment: MISSING_PAYMENT"],
    ),
    "a payment that says no platform": ([WAYBILL], [replace(PAYMENT, platform_code="")], State.MATCHED, []),
    "a payment taken back": (
        [WAYBILL],
        [replace(PAYMENT, change=Change.DELETE)],
        State.INCOMPLETE,
        ["payment: MISSING_PAYMENT"],
    ),
    "a waybill taken back": (
        [replace(WAYBILL, change=Change.DELETE)],
        [PAYMENT],
        State.INCOMPLETE,
        ["waybill: MISSING_WAYBILL"],
    ),
    "another currency": (
        [WAYBILL],
        [replace(PAYMENT, amount=Money("EUR", 1_010_00))],
        State.DIFFERENT,
        ["payment: CURRENCY_DIFFERS"],
    ),
    "the other way": (
        [replace(WAYBILL, direction="IMPORT")],
        [replace(PAYMENT, direction="IMPORT")],
        State.DIFFERENT,
        ["waybill: DIRECTION_DIFFERS", "payment: DIRECTION_DIFFERS"],
    ),
    "a waybill that says no direction": (
        [replace(WAYBILL, direction="DIRECTION_UNSPECIFIED")],
        [PAYMENT],
        State.MATCHED,
        [],
    ),
    "just in time": (
        [replace(WAYBILL, send_us=NOON_US + 90 * DAY_US)],
        [replace(PAYMENT, pay_us=NOON_US - 180 * DAY_US)],
        State.MATCHED,
        [],
    ),
    "too far apart": (
        [replace(WAYBILL, send_us=NOON_US + 90 * DAY_US + 1)],
        [replace(PAYMENT, pay_us=NOON_US - 180 * DAY_US - 1)],
        State.DIFFERENT,
        ["waybill: TIME_DIFFERS", "payment: TIME_DIFFERS"],
    ),
    "one leg wrong, the other missing": (
        [],
        [paid(1)],
        State.DIFFERENT,
        ["waybill: MISSING_WAYBILL", "payment: AMOUNT_DIFFERS"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_how_an_order_stands(name: str) -> None:
    waybills, payments, state, expected = CASES[name]
    assert reasons(ORDER, waybills, payments) == (state, expected)


def test_an_order_taken_back_stands_for_nothing() -> None:
    assert reasons(replace(ORDER, change=Change.DELETE), [WAYBILL], [PAYMENT])[0] == State.WITHDRAWN


def test_small_amounts_may_differ_by_the_least_unit_sum() -> None:
    small = replace(ORDER, value=Money("USD", 20_00), due=Money("USD", 20_00))
    assert reasons(small, [WAYBILL], [paid(21_00)])[0] == State.MATCHED
    assert reasons(small, [WAYBILL], [paid(21_01)])[0] == State.DIFFERENT


@given(st.lists(st.integers(1, 2_000_00), min_size=1, max_size=5), st.randoms())
def test_the_order_of_payments_says_nothing(amounts: list[int], random: Any) -> None:
    payments = [paid(amount, id=str(index)) for index, amount in enumerate(amounts)]
    shuffled = random.sample(payments, len(payments))
    assert reasons(ORDER, [WAYBILL], payments) == reasons(ORDER, [WAYBILL], shuffled)
    assert (reasons(ORDER, [WAYBILL], payments)[0] == State.MATCHED) == any(
        abs(sum(amounts) - due) <= Decimal("0.005") * due for due in (1_000_00, 1_010_00)
    )


def test_documents_of_one_order_wait_for_each_other() -> None:
    order = retail_pb2.RetailOrder(order_number="N", platform_code="P")
    waybill = retail_pb2.RetailWaybill(order_number="N", carrier_code="C", waybill_number="1")
    payment = retail_pb2.RetailPayment(order_number="N", payment_company_code="D", transaction_number="1")
    documents = [
        retail_pb2.RetailDocument(order=order),
        retail_pb2.RetailDocument(waybill=waybill),
        retail_pb2.RetailDocument(payment=payment),
    ]
    locked = [
        set(takers_retail.names(declarations_pb2.BatchCreateRetailDocumentsRequest(documents=[retail_document])))
        for retail_document in documents
    ]
    assert set.intersection(*locked) == matching_store.names(["N"])
    # A waybill that names no order waits for the lists that may tie it to one.
    waybill.order_number = ""
    alone = declarations_pb2.BatchCreateRetailDocumentsRequest(documents=[retail_pb2.RetailDocument(waybill=waybill)])
    assert set(takers_retail.names(alone)) == matching_store.names([], [identity.waybill_id("C", "1")])
