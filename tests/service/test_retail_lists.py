"""Lists on a real store: one resource whatever names it, and the same state in whatever order things arrive."""

import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from aval.declarations.v1 import declarations_pb2, retail_pb2
from google.type import decimal_pb2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.ids import derived
from services.declarations.intake.takers import lists as takers_lists
from services.declarations.service import SERVICE
from services.declarations.window.declaration import store as declaration_store
from services.declarations.window.retail.list import store as list_store
from services.declarations.window.retail.list.model import RetailList
from tests.service.retail_lists_world import (
    DAY_US,
    NOW_US,
    RIVAL,
    RetailRegister,
    cny,
    list_number,
    list_row,
    name_of,
    receipt_row,
)
from tests.support import Stores

HOUR_US = 3_600_000_000
LAW = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def register(store: Stores) -> RetailRegister:
    """A register on a fresh store, on each dialect in turn."""
    return RetailRegister(store("declarations", SERVICE.migrations))


def test_a_list_stays_the_same_when_it_gets_its_number(register: RetailRegister) -> None:
    assert register.lists(list_row(1)) == ["ACCEPTED"]
    assert register.receipts(receipt_row(1, "120", pre_number="PRE1")) == ["ACCEPTED"]
    found = register.list(1)
    assert (found.id, found.list_number, found.pre_number) == (name_of(1), list_number(1), "PRE1")
    # From now on any of its numbers alone names it.
    for hour, said in enumerate(({"list_number": list_number(1)}, {"pre_number": "PRE1"}), 1):
        nobody = {"enterprise_number": "", "list_number": ""}
        receipt = receipt_row(1, "300", NOW_US + hour * HOUR_US, **(nobody | said))
        assert register.receipts(receipt) == ["ACCEPTED"]
    changed = list_row(1, list_number=list_number(1), send_us=NOW_US, change=retail_pb2.MODIFY)
    assert register.lists(changed) == ["ACCEPTED"]
    assert register.list(1).status == "IN_REVIEW"


def test_receipts_before_their_list_wait_for_it(register: RetailRegister) -> None:
    early = [receipt_row(1, "800"), receipt_row(1, "899", NOW_US, enterprise_number="")]
    assert register.receipts(*early, early[0]) == ["ACCEPTED", "ACCEPTED", "DUPLICATE"]
    assert register.receipts(*early) == ["DUPLICATE", "DUPLICATE"]
    assert register.lists(list_row(1)) == ["ACCEPTED"]
    # The first gave the list its number, and by that the second was found.
    assert (register.list(1).status, register.list(1).list_number) == ("CLOSED", list_number(1))
    assert register.receipts(*early) == ["DUPLICATE", "DUPLICATE"]
    with register.database.read() as connection:
        assert not list_store.is_waited(connection)


def test_merchants_may_use_the_same_number(register: RetailRegister) -> None:
    assert register.lists(list_row(1), list_row(1, merchant_code=RIVAL)) == ["ACCEPTED", "ACCEPTED"]
    ambiguous = receipt_row(1, "800", list_number="")
    assert register.receipts(ambiguous) == ["ACCEPTED"]
    assert [register.list(1).status, register.list(1, RIVAL).status] == ["DRAFT", "DRAFT"]
    register.receipts(receipt_row(1, "800", list_number="", merchant_code=RIVAL))
    assert [register.list(1).status, register.list(1, RIVAL).status] == ["DRAFT", "RELEASED"]


def test_a_number_is_one_lists_alone(register: RetailRegister) -> None:
    register.lists(list_row(1, list_number=list_number(1)))
    assert register.lists(list_row(2, list_number=list_number(1))) == ["LIST_NUMBER_TAKEN"]
    # The number that customs gave is stronger than the enterprise's.
    register.lists(list_row(3))
    register.receipts(receipt_row(3, "800", list_number=list_number(1)))
    assert [register.list(1).status, register.list(3).status] == ["RELEASED", "DRAFT"]


def test_versions_and_deletions(register: RetailRegister) -> None:
    first, later = list_row(1, 800_00), list_row(1, 700_00, send_us=NOW_US, change=retail_pb2.MODIFY)
    assert register.lists(later, first, later) == ["ACCEPTED", "DUPLICATE", "DUPLICATE"]
    assert register.list(1).value.minor_units == 700_00
    # An overtaken version still says which number the list has.
    assert register.lists(list_row(1, 800_00, list_number=list_number(1), send_us=NOW_US - 1)) != ["REFUSED"]
    assert (register.list(1).list_number, register.list(1).value.minor_units) == (list_number(1), 700_00)
    other = list_row(1, 900_00)
    assert register.lists(other) == ["DUPLICATE"]
    assert register.lists(list_row(2), list_row(2, 300_00)) == ["ACCEPTED", "LIST_KNOWN_WITH_OTHER_CONTENT"]
    deletion = list_row(1, 700_00, send_us=NOW_US + 1, change=retail_pb2.DELETE)
    assert register.lists(deletion, deletion) == ["ACCEPTED", "DUPLICATE"]
    assert register.list(1).status == "CANCELLED"
    # A deletion may come before what it deletes.
    assert register.lists(list_row(3, send_us=NOW_US, change=retail_pb2.DELETE)) == ["ACCEPTED"]
    assert register.lists(list_row(3, 500_00)) == ["ACCEPTED"]
    assert (register.list(3).status, register.list(3).value.minor_units) == ("CANCELLED", 500_00)


def cancellation(number: int, *, is_return: bool, **said: Any) -> retail_pb2.RetailCancellation:
    """An application to cancel or return a list."""
    asked = retail_pb2.RetailCancellation(is_return=is_return, **(said or {"list_number": list_number(number)}))
    asked.envelope.change = retail_pb2.NEW
    asked.envelope.send_time.FromMicroseconds(NOW_US)
    return asked


def departure(*list_numbers: str, waybills: Sequence[str] = (), left: bool = True) -> retail_pb2.RetailDeparture:
    """Parcels that left, or were loaded."""
    message = retail_pb2.RetailDeparture(
        bill_number="BILL1", list_numbers=list_numbers, waybill_numbers=waybills, carrier_code="4101980001"
    )
    message.envelope.change = retail_pb2.NEW
    if left:
        message.departure_time.FromMicroseconds(NOW_US)
    return message


def test_cancellations_and_returns(register: RetailRegister) -> None:
    register.lists(*(list_row(number, list_number=list_number(number)) for number in (1, 2, 3)))
    register.receipts(*(receipt_row(number, "899") for number in (1, 2, 3)))
    asked = [cancellation(1, is_return=False), cancellation(2, is_return=True), cancellation(9, is_return=True)]
    assert register.take(takers_lists.take_cancellations, [*asked, asked[0]]) == ["ACCEPTED"] * 3 + ["DUPLICATE"]
    assert [register.list(number).status for number in (1, 2, 3)] == ["CANCELLED", "RETURNED", "CLOSED"]
    assert register.take(takers_lists.take_cancellations, [cancellation(0, is_return=True, note="?")]) == [
        "LIST_NOT_NAMED"
    ]


def test_an_applications_own_number_is_no_lists(register: RetailRegister) -> None:
    register.take(
        takers_lists.take_cancellations,
        [
            cancellation(1, is_return=False, list_number=list_number(1), enterprise_number="COP000000002"),
        ],
    )
    register.lists(list_row(1, list_number=list_number(1)), list_row(2))
    assert [register.list(number).status for number in (1, 2)] == ["CANCELLED", "DRAFT"]


def test_departures_by_list_and_by_waybill(register: RetailRegister) -> None:
    register.lists(*(list_row(number, list_number=list_number(number)) for number in range(1, 5)))
    told = departure(list_number(1), list_number(2), list_number(77))
    assert register.take(takers_lists.take_departures, [told, told]) == ["ACCEPTED", "DUPLICATE"]
    by_waybill = departure(waybills=["WAYBILL000000003"])
    assert (
        register.take(takers_lists.take_departures, [by_waybill, departure(list_number(4), left=False)])
        == ["ACCEPTED"] * 2
    )
    left = [register.list(number).departure_us for number in range(1, 5)]
    assert left == [NOW_US, NOW_US, NOW_US, None]
    # One that comes later finds its departure waiting.
    register.lists(list_row(77, list_number=list_number(77)))
    assert register.list(77).departure_us == NOW_US


def test_unknown_codes_and_modes_are_refused(register: RetailRegister) -> None:
    assert register.lists(list_row(1, trade_mode="0110")) == ["TRADE_MODE_NOT_RETAIL"]
    assert register.receipts(receipt_row(1, "777")) == ["STATUS_CODE_UNKNOWN"]


NUMBERS = itertools.count(1000)
CODES = ["3", "4", "-7", "100", "120", "300", "399", "500", "700", "800", "899"]
NAMED = ["enterprise", "both", "list", "pre", "list and pre"]
SAID = st.lists(
    st.tuples(st.sampled_from(CODES), st.integers(0, 4), st.sampled_from(NAMED)), min_size=1, max_size=7, unique=True
)
ENDS = st.sets(st.sampled_from(["return", "cancel", "delete", "depart", "modify"]), max_size=2)


def documents(number: int, said: Sequence[tuple[str, int, str]], ends: set[str]) -> list[tuple[Any, Any]]:
    """Everything that is said of a list, with the function that takes it."""
    found: list[tuple[Any, Any]] = [(takers_lists.take, list_row(number))]
    for code, hour, named in said:
        names = {"enterprise_number": "", "list_number": ""}
        if named in ("enterprise", "both"):
            names["enterprise_number"] = f"COP{number:09}"
        if named in ("both", "list", "list and pre"):
            names["list_number"] = list_number(number)
        if named in ("pre", "list and pre"):
            names["pre_number"] = f"PRE{number}"
        found.append((takers_lists.take_receipts, receipt_row(number, code, NOW_US + hour * HOUR_US, **names)))
    choices: dict[str, tuple[Any, Any]] = {
        "return": (takers_lists.take_cancellations, cancellation(number, is_return=True)),
        "cancel": (takers_lists.take_cancellations, cancellation(number, is_return=False)),
        "delete": (takers_lists.take, list_row(number, send_us=NOW_US + DAY_US, change=retail_pb2.DELETE)),
        "depart": (takers_lists.take_departures, departure(waybills=[f"WAYBILL{number:09}"])),
        "modify": (takers_lists.take, list_row(number, 55_00, send_us=NOW_US, change=retail_pb2.MODIFY)),
    }
    return [*found, *(choices[end] for end in sorted(ends))]


def state(parcel_list: RetailList) -> tuple[Any, ...]:
    """All that finance judges a list by."""
    numbers = (bool(parcel_list.list_number), bool(parcel_list.pre_number))
    return (
        parcel_list.status,
        parcel_list.release_us,
        parcel_list.departure_us,
        parcel_list.value,
        parcel_list.send_us,
        parcel_list.change,
        *numbers,
    )


@LAW
@given(SAID, ENDS, st.data())
def test_any_order_and_repetition_ends_alike(
    register: RetailRegister, said: list[tuple[str, int, str]], ends: set[str], data: st.DataObject
) -> None:
    """D4: a list ends in the same state, in any order and repetition of what is said of it."""
    number, other = next(NUMBERS), next(NUMBERS)
    for take, row in documents(number, said, ends):
        register.take(take, [row])
    told = documents(other, said, ends)
    repeated = told + data.draw(st.lists(st.sampled_from(told), max_size=4))
    for take, row in data.draw(st.permutations(repeated)):
        assert register.take(take, [row])[0] in ("ACCEPTED", "DUPLICATE")
    assert state(register.list(other)) == state(register.list(number))
    # Whatever comes again says nothing new.
    again = [register.take(take, [row])[0] for take, row in told]
    assert set(again) == {"DUPLICATE"}


@LAW
@given(SAID, st.data())
def test_batches_end_as_single_documents_do(
    register: RetailRegister, said: list[tuple[str, int, str]], data: st.DataObject
) -> None:
    number, other = next(NUMBERS), next(NUMBERS)
    for take, row in documents(number, said, set()):
        register.take(take, [row])
    told = documents(other, said, set())
    receipts = [row for take, row in told if take is takers_lists.take_receipts]
    register.take(takers_lists.take_receipts, data.draw(st.permutations(receipts + receipts[:2])))
    register.take(takers_lists.take, [row for take, row in told if take is takers_lists.take] * 2)
    assert state(register.list(other)) == state(register.list(number))


GOODS_SAID = st.lists(
    st.tuples(st.sampled_from("7LGTCPRBEDHM"), st.integers(0, 4)), min_size=1, max_size=6, unique=True
)


def declaration_row(number: str) -> declarations_pb2.Declaration:
    """A goods declaration as the window sends it."""
    row = declarations_pb2.Declaration(
        declaration_number=number,
        enterprise="enterprises/91411023MAXY00112A",
        trade_mode="0110",
        transport_mode="2",
        destination_country="USA",
        declared_value=cny(100_00),
    )
    line = row.lines.add(
        line_number=1, commodity_code="6704200000", goods_name="WIGS", total=cny(100_00), origin_country="CHN"
    )
    line.quantity.CopyFrom(decimal_pb2.Decimal(value="1"))
    line.unit_price.CopyFrom(decimal_pb2.Decimal(value="100"))
    return row


def goods_documents(number: str, said: Sequence[tuple[str, int]]) -> list[tuple[str, Any]]:
    """A declaration and its receipts, with the methods that take them."""
    found: list[tuple[str, Any]] = [
        (
            "BatchCreateDeclarations",
            declarations_pb2.BatchCreateDeclarationsRequest(declarations=[declaration_row(number)]),
        )
    ]
    for code, hour in said:
        receipt = declarations_pb2.Receipt(declaration_number=number, channel_code=code)
        receipt.notice_time.FromMicroseconds(NOW_US + hour * HOUR_US)
        found.append(("BatchCreateReceipts", declarations_pb2.BatchCreateReceiptsRequest(receipts=[receipt])))
    return found


@LAW
@given(GOODS_SAID, st.data())
def test_goods_receipts_end_alike_in_any_order(
    register: RetailRegister, said: list[tuple[str, int]], data: st.DataObject
) -> None:
    first, second = (f"46012026{next(NUMBERS):010}" for _ in range(2))
    for method, request in goods_documents(first, said):
        register.call(method, request)
    told = goods_documents(second, said)
    repeated = told + data.draw(st.lists(st.sampled_from(told), max_size=3))
    for method, request in data.draw(st.permutations(repeated)):
        (verdict,) = register.call(method, request).verdicts
        assert verdict.outcome in (verdict.ACCEPTED, verdict.DUPLICATE)
    with register.database.read() as connection:
        found = declaration_store.load(connection, [first, second])
        receipts = declaration_store.receipts_of(connection, [first, second])
    assert found[first].status == found[second].status
    assert receipts[first] == receipts[second]


def test_ids_do_not_depend_on_what_comes_later() -> None:
    assert name_of(1) == derived("retail list", "EXPORT", "91411023MAXY00112A", "COP000000001")
