"""Sales that make value or duty: out of overseas warehouses, and of bonded goods in stores; modes and visibility."""

from typing import Any

import pytest
from aval.declarations.v1 import declarations_pb2, retail_list_pb2, retail_pb2

from chassis.errors import InvalidFields, NotFound
from chassis.identity import Caller
from chassis.service import Reading
from services.declarations.assets import errors as assets_errors
from services.declarations.customs import modes
from services.declarations.privacy import errors as privacy_errors
from services.declarations.register import errors as register_errors
from services.declarations.service import SERVICE
from services.declarations.views import lists as views_lists
from tests.service.retail_lists_world import (
    DAY_US,
    ENTERPRISE,
    EXPORTER,
    NOW_US,
    RIVAL,
    WINDOW,
    RetailRegister,
    cny,
    list_row,
    receipt_row,
)
from tests.service.test_retail_lists import declaration_row
from tests.service.test_retail_pool import BANK, consent, finance, value
from tests.support import Stores

NUMBER = "460120260000000001"
STRANGER = Caller(f"enterprises/{RIVAL}/wu", f"enterprises/{RIVAL}", frozenset({"EXPORTER"}))


@pytest.fixture
def register(store: Stores) -> RetailRegister:
    """A register on a fresh store, on each dialect in turn."""
    return RetailRegister(store("declarations", SERVICE.migrations))


def declared(register: RetailRegister, trade_mode: str, codes: str = "7LPR") -> None:
    """A declaration of 100.00 with its receipts."""
    row = declaration_row(NUMBER)
    row.trade_mode = trade_mode
    register.call("BatchCreateDeclarations", declarations_pb2.BatchCreateDeclarationsRequest(declarations=[row]))
    request = declarations_pb2.BatchCreateReceiptsRequest()
    for hour, code in enumerate(codes):
        receipt = request.receipts.add(declaration_number=NUMBER, channel_code=code)
        receipt.notice_time.FromMicroseconds(NOW_US - DAY_US + hour * 1_000_000)
    register.call("BatchCreateReceipts", request)


def sale(number: str, units: int, **fields: Any) -> retail_list_pb2.ReportWarehouseSaleRequest:
    """A sale out of the warehouse."""
    made = retail_list_pb2.WarehouseSale(declaration=f"declarations/{NUMBER}", sale_number=number, amount=cny(units))
    made.sale_time.FromMicroseconds(fields.get("sale_us", NOW_US))
    return retail_list_pb2.ReportWarehouseSaleRequest(warehouse_sale=made)


def test_inventory_abroad_is_worth_nothing_until_sold(register: RetailRegister) -> None:
    declared(register, "9810")
    consent(register, BANK)
    with pytest.raises(register_errors.ValueNotEligible) as refused:
        finance(register, f"declarations/{NUMBER}", 1_00)
    assert [problem.reason for problem in refused.value.problems] == ["INVENTORY_UNTIL_SOLD"]
    first = register.call("ReportWarehouseSale", sale("1", 60_00), EXPORTER)
    assert (first.value, first.enterprise) == (cny(60_00), ENTERPRISE)
    assert finance(register, first.name, 48_00)
    with pytest.raises(register_errors.ValueEncumbered):
        finance(register, first.name, 1)
    # All sales together make no more value than was declared.
    assert register.call("ReportWarehouseSale", sale("2", 70_00), EXPORTER).value == cny(40_00)
    assert register.call("ReportWarehouseSale", sale("3", 10_00), EXPORTER).value == cny(0)
    assert value(register, first.name).financed.minor_units == 48_00
    assert register.violations() == []


def test_a_sale_is_reported_once(register: RetailRegister) -> None:
    declared(register, "9810")
    first = register.call("ReportWarehouseSale", sale("1", 60_00), EXPORTER)
    assert register.call("ReportWarehouseSale", sale("1", 60_00), EXPORTER) == first
    with pytest.raises(assets_errors.WarehouseSaleKnown):
        register.call("ReportWarehouseSale", sale("1", 61_00), EXPORTER)
    with pytest.raises(InvalidFields):
        register.call("ReportWarehouseSale", sale("2", 0), EXPORTER)
    with pytest.raises(privacy_errors.DeclarationNotFound):
        register.call("ReportWarehouseSale", sale("2", 1_00), STRANGER)


def test_a_sale_waits_for_the_goods_exit(register: RetailRegister) -> None:
    declared(register, "9810", "7LP")
    consent(register, BANK)
    made = register.call("ReportWarehouseSale", sale("1", 60_00), EXPORTER)
    with pytest.raises(register_errors.ValueNotEligible) as refused:
        finance(register, made.name, 1_00)
    assert [problem.reason for problem in refused.value.problems] == ["EXIT_NOT_CONFIRMED"]


def test_only_warehouse_goods_are_sold_out_of_warehouses(register: RetailRegister) -> None:
    declared(register, "9710")
    with pytest.raises(assets_errors.NotWarehouseGoods):
        register.call("ReportWarehouseSale", sale("1", 60_00), EXPORTER)
    consent(register, BANK)
    assert finance(register, f"declarations/{NUMBER}", 1_00)


def store_sale(name: str) -> retail_list_pb2.ReportStoreSaleRequest:
    """Bonded goods fetched in a store."""
    made = retail_list_pb2.StoreSale(retail_list=name, store="Zhengzhou No. 1", handover="SELF_PICKUP")
    made.sale_time.FromMicroseconds(NOW_US - 1)
    return retail_list_pb2.ReportStoreSaleRequest(store_sale=made)


def get(register: RetailRegister, name: str, caller: Caller = EXPORTER) -> retail_pb2.RetailList:
    """A list as a caller reads it."""
    with register.database.read() as connection:
        return views_lists.get(Reading(connection, caller, NOW_US), retail_list_pb2.GetRetailListRequest(name=name))


def bonded(register: RetailRegister, number: int, **fields: Any) -> str:
    """A list of bonded goods; its name."""
    row = list_row(number, direction=retail_pb2.IMPORT, bonded_books_number="T4612W000001", **fields)
    verdict = register.call(
        "BatchCreateRetailDocuments",
        declarations_pb2.BatchCreateRetailDocumentsRequest(documents=[retail_pb2.RetailDocument(list=row)]),
    ).verdicts[0]
    return str(verdict.resource)


def test_duty_of_bonded_goods_falls_due_with_their_sale(register: RetailRegister) -> None:
    name, online = bonded(register, 1, trade_mode="1210"), bonded(register, 2, trade_mode="1210")
    assert not get(register, name).HasField("duty_due_time")
    sold = register.call("ReportStoreSale", store_sale(name), EXPORTER)
    assert (sold.store, sold.duty_due_time.ToMicroseconds()) == ("Zhengzhou No. 1", NOW_US - 1)
    assert get(register, name) == sold
    # Sold online: with the release.
    register.receipts(receipt_row(2, "800", NOW_US - DAY_US))
    assert get(register, online).duty_due_time.ToMicroseconds() == NOW_US - DAY_US
    with pytest.raises(assets_errors.StoreSaleKnown):
        register.call("ReportStoreSale", store_sale(name), EXPORTER)
    with pytest.raises(NotFound):
        register.call("ReportStoreSale", store_sale(online), STRANGER)
    with pytest.raises(assets_errors.NotBondedGoods):
        register.call("ReportStoreSale", store_sale(bonded(register, 3, trade_mode="9610")), EXPORTER)


def test_who_sees_a_list(register: RetailRegister) -> None:
    name = bonded(register, 1, trade_mode="1210")
    unknown = bonded(register, 2, trade_mode="1210", merchant_code="4101960001")
    assert get(register, name).name == get(register, name, WINDOW).name == name
    assert get(register, unknown, WINDOW).enterprise == ""
    with pytest.raises(NotFound):
        get(register, name, STRANGER)
    with pytest.raises(privacy_errors.ConsentMissing):
        get(register, name, BANK)
    consent(register, BANK)
    assert get(register, name, BANK).name == name
    with pytest.raises(privacy_errors.ConsentMissing):
        get(register, unknown, BANK)


def test_persons_are_kept_apart(register: RetailRegister) -> None:
    row = list_row(1, direction=retail_pb2.IMPORT, trade_mode="1210")
    row.persons.add(part="BUYER", name="Zhao Qian Sun")
    assert register.lists(row, row) == ["ACCEPTED", "DUPLICATE"]
    with register.database.read() as connection:
        stored = connection.exec_driver_sql("SELECT body FROM retail_lists").scalar_one()
        sealed = connection.exec_driver_sql("SELECT count(*) FROM personal_data").scalar_one()
    assert (b"Zhao" in bytes(stored), sealed) == (False, 1)


def test_the_modes_are_public(register: RetailRegister) -> None:
    with register.database.read() as connection:
        found = modes.list_(Reading(connection, STRANGER, NOW_US), retail_list_pb2.ListTradeModesRequest()).trade_modes
    warehouse = next(mode for mode in found if mode.trade_mode == "9810")
    assert len(found) == 8
    assert (warehouse.insurable, warehouse.declaration_financeable) == (True, False)
    assert warehouse.value_begins.english.startswith("Only when sold")
    assert warehouse.value_begins.chinese.startswith("售出后")
