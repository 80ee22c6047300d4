"""Merchants that are registered after their documents came: nothing of theirs stays nobody's, on both databases."""

import datetime
from typing import Any

import pytest
import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2, records_pb2, retail_pb2
from google.protobuf import any_pb2

from chassis.clock import MICROSECONDS
from chassis.money import Money, to_proto
from services.declarations.intake.merchants import commands as merchants_commands
from services.declarations.intake.merchants.store import merchant_adoptions
from services.declarations.service import SERVICE
from services.declarations.window.retail.flows.order import commands as order_commands
from services.declarations.window.retail.flows.tables import retail_orders
from services.declarations.window.retail.identity import summary_id
from services.declarations.window.retail.list.store import retail_lists
from services.declarations.window.retail.summary.store import retail_summaries
from tests.service.retail_lists_world import (
    ENTERPRISE,
    MERCHANT,
    NOW_US,
    RIVAL,
    RetailRegister,
    list_number,
    list_row,
    name_of,
    receipt_row,
)
from tests.service.test_retail_summary import summary_row
from tests.support import Stores

CODE, OTHER_CODE = "4110960123", "4110960999"
TABLES = {"retailOrders": retail_orders, "retailLists": retail_lists, "retailSummaries": retail_summaries}


@pytest.fixture
def register(store: Stores) -> RetailRegister:
    """A register on a fresh store, on each dialect in turn."""
    return RetailRegister(store("declarations", SERVICE.migrations))


def enterprise_row(code: str, social_credit_code: str = MERCHANT, hours: int = 0) -> records_pb2.Record:
    """An enterprise with a customs code."""
    registration = records_pb2.EnterpriseRegistration(
        social_credit_code=social_credit_code,
        customs_code=code,
        display_name="LIN TRADING",
        credit_rating="REGISTERED",
        status="NORMAL",
    )
    row = records_pb2.Record(enterprise_registration=registration)
    row.notice_time.FromDatetime(datetime.datetime(2026, 11, 1, hours, tzinfo=datetime.UTC))
    return row


def registered(register: RetailRegister, *rows: records_pb2.Record) -> None:
    """The registry's rows are taken."""
    answer = register.call("BatchCreateRecords", declarations_pb2.BatchCreateRecordsRequest(records=rows))
    assert all(verdict.outcome == verdict.ACCEPTED for verdict in answer.verdicts), answer


def order_row(number: int, code: str) -> retail_pb2.RetailOrder:
    """An order of a merchant."""
    order = retail_pb2.RetailOrder(
        direction="EXPORT",
        order_number=f"ORDER{number:09}",
        platform_code="4101D00001",
        merchant_code=code,
        goods_value=to_proto(Money("CNY", 100_00)),
        envelope={"change": "NEW"},
    )
    order.envelope.send_time.FromMicroseconds(NOW_US)
    return order


def came(register: RetailRegister, code: str, numbers: range) -> None:
    """Released lists of a merchant with their orders, and a summary of the first."""
    register.take(order_commands.take, [order_row(number, code) for number in numbers])
    register.lists(*(list_row(n, merchant_code=code, list_number=list_number(n)) for n in numbers))
    register.receipts(*(receipt_row(number, "899", enterprise_number="") for number in numbers))
    register.summaries(summary_row(numbers[0], numbers[:1], 100_00, merchant=code))


def owners(register: RetailRegister) -> dict[str, dict[str, str]]:
    """The enterprise of each document by merchant code, by collection."""
    with register.database.read() as connection:
        return {
            name: dict(connection.execute(sa.select(table.c.merchant_code, table.c.enterprise).distinct()).all())
            for name, table in TABLES.items()
        }


def adopted(register: RetailRegister, seconds: int = 0) -> int:
    """Runs the sweep until it is done, so many seconds later; how often."""
    register.now_us = NOW_US + seconds * MICROSECONDS
    runs = 1
    while register.run(merchants_commands.adopt, None):
        runs += 1
    return runs


def events(register: RetailRegister) -> list[Any]:
    """Returns the events of adoptions."""
    with register.database.read() as connection:
        found = connection.execute(
            sa.text("SELECT payload FROM events WHERE type = 'retail_documents.adopted' ORDER BY position")
        )
        packed = [any_pb2.Any.FromString(bytes(row.payload)) for row in found]
    return [retail_pb2.RetailDocumentsAdopted.FromString(one.value) for one in packed]


def test_documents_become_their_merchants_and_lists_join_its_pool(register: RetailRegister) -> None:
    pool = register.pool(display_name="parcels")
    came(register, CODE, range(1, 151))
    came(register, OTHER_CODE, range(201, 203))
    assert adopted(register) == 1
    assert register.base(pool) == 0
    registered(register, enterprise_row(CODE))
    assert adopted(register) == 2
    expected = {CODE: ENTERPRISE, OTHER_CODE: ""}
    assert owners(register) == dict.fromkeys(TABLES, expected)
    # 150 lists of CNY 100, one of them summarised, at 80 % and within the limits of concentration.
    assert register.base(pool) == (149 * 90_00 + 100_00) * 80 // 100
    (event,) = events(register)
    assert (event.enterprise, len(event.orders), len(event.lists)) == (ENTERPRISE, 150, 150)
    assert f"retailLists/{name_of(1, CODE)}" in event.lists
    assert list(event.summaries) == [f"retailSummaries/{summary_id(CODE, 'SUM000001')}"]
    # What was under way when the registration came is adopted too; then nobody looks any more.
    with register.database.write() as connection:
        connection.execute(sa.update(retail_orders).where(retail_orders.c.merchant_code == CODE).values(enterprise=""))
    assert adopted(register, seconds=59) == 2
    assert adopted(register, seconds=60) == 1
    assert owners(register)["retailOrders"] == expected
    with register.database.read() as connection:
        assert connection.execute(sa.select(merchant_adoptions)).all() == []
    assert register.violations() == []


def test_many_are_adopted_a_batch_at_a_time_and_a_code_that_went_on_by_nobody(
    register: RetailRegister, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merchants_commands, "AT_ONCE", 4)
    came(register, CODE, range(1, 11))
    came(register, OTHER_CODE, range(11, 13))
    registered(register, enterprise_row(CODE), enterprise_row(OTHER_CODE, RIVAL))
    registered(register, enterprise_row("4110960000", RIVAL, hours=1))
    assert adopted(register) == 4
    assert owners(register) == {name: {CODE: ENTERPRISE, OTHER_CODE: ""} for name in TABLES}
    assert sum(len(event.lists) for event in events(register)) == 10
    assert register.violations() == []
