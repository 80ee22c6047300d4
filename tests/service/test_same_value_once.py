"""The same goods by two names are one value: what was once found to be lent on twice stays found."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from aval.declarations.v1 import declarations_pb2 as pb
from aval.declarations.v1 import pre_shipment_pb2, rebate_pb2, records_pb2, value_pb2
from google.protobuf import any_pb2

from chassis import fields
from chassis.money import Money, to_proto
from services.declarations.customs import checks as customs_checks
from services.declarations.window.retail import checks as retail_checks
from tests.service.register_world import (
    BANK,
    BANKS,
    CHECKER,
    COVER,
    ENTERPRISE,
    EXPORTER,
    INSURER,
    MAKER,
    OTHER,
    OTHER_CHECKER,
    OTHER_MAKER,
    SETTLEMENT,
    VALUE,
    WINDOW,
    World,
    usd,
)
from tests.service.retail_lists_world import list_row


@pytest.fixture
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A register with three banks and an insurer that may see everything; proved at the end.

    In memory, but on each dialect in turn for a test that asks for `database_url`.
    """
    url = request.getfixturevalue("database_url") if "database_url" in request.fixturenames else "sqlite://"
    made = World(url)
    made.consent(*BANKS, INSURER)
    yield made
    assert made.violations() == []
    made.store.close()


@pytest.mark.parametrize("written", ["\uff30\uff2f-\uff12\uff10\uff12\uff16/\uff10\uff11", "po 2026 01", "PO.2026.01"])
def test_a_contract_is_one_however_its_number_is_typed(world: World, written: str) -> None:
    """Full-width letters and digits, as a Chinese keyboard gives them, are the same ones."""
    order = world.order(contract="PO-2026/01")
    world.finance(order, 80_000_00)
    name = world.declared(contract_number=written)
    assert world.refused("ReserveEncumbrance", world.reservation(name, 10_000_01), BANK).reason == "VALUE_ENCUMBERED"
    assert world.value(name) == {"margin": 10_000_00, "free": 10_000_00, "reserved": 80_000_00}


def test_an_order_has_a_number_that_declarations_can_name(world: World) -> None:
    """Without a letter or digit nothing would ever be found to be shipped under it."""
    order = pre_shipment_pb2.PreShipment(kind="ORDER", contract_number="--/--")
    order.amount.currency_code, order.amount.minor_units = "USD", 1
    order.expire_date.year, order.expire_date.month, order.expire_date.day = 2027, 6, 30
    request = pre_shipment_pb2.CreatePreShipmentRequest(pre_shipment=order)
    refusal = world.refused("CreatePreShipment", request, EXPORTER)
    assert [problem.reason for problem in refusal.problems] == ["CONTRACT_NUMBER_INVALID"]


@pytest.mark.usefixtures("database_url")
def test_an_amended_contract_number_counts(world: World) -> None:
    """A declaration that was booked under a mistyped contract is found by its order once that is corrected."""
    order = world.order()
    name = world.declared(contract_number="PO-2026/10")
    world.reserve(name, 1_00)
    world.amend(name, contract_number="PO-2026/01")
    assert world.refused("ReserveEncumbrance", world.reservation(order, 1), BANK).reason == "VALUE_ENCUMBERED"
    world.amend(name, contract_number="PO-2026/10")
    world.finance(order, 80_000_00)


def test_what_is_netted_stays_whatever_contract_is_named_later(world: World) -> None:
    """Or an amendment would free what is financed before shipment."""
    order = world.order()
    world.finance(order, 80_000_00)
    name = world.declared(contract_number="PO-2026/01")
    world.reserve(name, 1_00)
    for contract in ("PO-2026/10", ""):
        world.amend(name, contract_number=contract)
        assert world.value(name)["reserved"] == 80_001_00


def sold(world: World, units: int = VALUE) -> tuple[str, str]:
    """Goods that went to a warehouse abroad, and a sale of them that is financed as far as it may be."""
    name = world.declared(trade_mode="9810")
    sale = world.sale(name, units).name
    world.finance(sale, units * 8 // 10)
    return name, sale


@pytest.mark.usefixtures("database_url")
def test_a_sale_falls_short_with_its_declaration(world: World) -> None:
    """W1: amended, deleted, the last sale falls short first; who finances a sale is told, and it is frozen."""
    name, sale = sold(world, 60_000_00)
    world.now_us += 1
    later = world.sale(name, 40_000_00, "2").name
    world.finance(later, 20_000_00)
    world.amend(name, 70_000_00, trade_mode="9810")
    assert world.booked(sale) == {"margin": 12_000_00, "financed": 48_000_00}
    assert world.booked(later) == {"financed": 20_000_00, "shortfall": 10_000_00}
    world.receive(name, "D")
    assert world.booked(sale) == {"financed": 48_000_00, "shortfall": 48_000_00}
    found = sorted(breach.open_amount.minor_units for breach in world.breaches(BANK))
    assert found == [10_000_00, 10_000_00, 48_000_00]


def test_a_sale_comes_back_with_its_declaration(world: World) -> None:
    """Down and up leaves everything as it was."""
    name, sale = sold(world)
    for units in (50_000_00, VALUE):
        world.amend(name, units, trade_mode="9810")
    assert world.booked(sale) == {"margin": 20_000_00, "financed": 80_000_00}
    assert [breach.open_amount.minor_units for breach in world.breaches(BANK)] == [0]


def test_goods_that_came_back_are_sold_no_more(world: World) -> None:
    """The unsold goods come back first."""
    name, sale = sold(world, 60_000_00)
    world.take_back(name, 40_000_00)
    assert world.breaches() == []
    world.take_back(name, 30_000_00)
    assert world.booked(sale) == {"financed": 48_000_00, "shortfall": 18_000_00}


@pytest.mark.usefixtures("database_url")
def test_what_buyers_pay_settles_the_sales_first(world: World) -> None:
    """Payments name the declaration; who finances its sales is repaid by them, the first sale first."""
    name, sale = sold(world, 60_000_00)
    world.now_us += 1
    later = world.sale(name, 30_000_00, "2").name
    applied = world.pay(name, 70_000_00)
    assert [settled_encumbrance.amount for settled_encumbrance in applied.settled_encumbrances] == [usd(48_000_00)]
    assert (applied.unfinanced, applied.excess) == (usd(22_000_00), usd(0))
    assert world.booked(sale) == {"settled": 60_000_00}
    assert world.booked(later) == {"margin": 6_000_00, "free": 14_000_00, "settled": 10_000_00}
    world.pay(name, 25_000_00)
    assert world.booked(later) == {"settled": 30_000_00}
    assert world.booked(name)["settled"] == 5_000_00


def settlements(world: World) -> list[tuple[str, set[str], int, int]]:
    """Returns for each asset.settled what was settled, who was told, and the cents within and beyond its value."""
    found = []
    for resource, tenants, payload in world.events("asset.settled"):
        message = value_pb2.AssetSettlement()
        assert any_pb2.Any.FromString(payload).Unpack(message)
        assert (message.asset, message.enterprise) == (resource, ENTERPRISE)
        found.append((resource, tenants, message.settled.minor_units, message.excess.minor_units))
    return found


def test_a_settled_sale_is_told_to_its_enterprise_alone(world: World) -> None:
    """Beside declaration.settled, since the sale is an asset of its own."""
    name, sale = sold(world, 60_000_00)
    world.pay(name, 70_000_00)
    assert settlements(world) == [(sale, {ENTERPRISE}, 60_000_00, 0)]
    assert [resource for resource, _, _ in world.events("declaration.settled")] == [name]


def test_a_settled_rebate_is_told_with_what_was_paid_beyond_it(world: World) -> None:
    rebate = world.rebate(10_000_00)
    world.finance(rebate, 5_000_00)
    world.pay(rebate, 12_000_00)
    assert settlements(world) == [(rebate, {ENTERPRISE}, 10_000_00, 2_000_00)]
    assert world.events("declaration.settled") == []


def test_what_the_declaration_carries_is_not_in_its_sales(world: World) -> None:
    """Financed and insured as general trade, then amended to warehouse goods and sold."""
    name = world.declared()
    world.finance(name, 50_000_00)
    world.finance(name, 60_000_00, COVER, asset_class="INSURANCE")
    world.amend(name, trade_mode="9810")
    assert world.sale(name).value == usd(40_000_00)


def test_goods_amended_out_of_the_warehouse_have_no_sales(world: World) -> None:
    """Or the declaration would be financed beside them."""
    name, sale = sold(world)
    world.amend(name)
    assert world.booked(sale) == {"financed": 80_000_00, "shortfall": 80_000_00}


def test_an_order_is_netted_before_its_goods_are_sold_abroad(world: World) -> None:
    """Order, declaration and sale are one value; the order's finance waits on the declaration."""
    world.finance(world.order(), 80_000_00)
    name = world.declared(trade_mode="9810", contract_number="PO-2026/01")
    assert world.sale(name).value == usd(20_000_00)


@pytest.mark.usefixtures("database_url")
def test_what_is_sold_bears_no_finance_of_its_order(world: World) -> None:
    """The excess on the order, once all is shipped, waits on the unsold goods."""
    order = world.order(2 * VALUE)
    name, sale = sold(world)
    world.call("LinkPreShipment", pre_shipment_pb2.LinkPreShipmentRequest(name=order, declaration=name), EXPORTER)
    world.finance(order, 80_000_00)
    rest = world.declared()
    world.call("LinkPreShipment", pre_shipment_pb2.LinkPreShipmentRequest(name=order, declaration=rest), EXPORTER)
    assert "reserved" not in world.booked(name)
    assert world.booked(rest)["reserved"] == 80_000_00
    assert world.booked(sale)["financed"] == 80_000_00
    assert world.refused("ReserveEncumbrance", world.reservation(rest, 1), OTHER).reason == "VALUE_ENCUMBERED"


def test_a_hold_on_the_goods_holds_their_sales(world: World) -> None:
    """A recall of what is in the warehouse."""
    name = world.declared(trade_mode="9810")
    sale = world.sale(name).name
    hold = records_pb2.Record(declaration=name)
    hold.hold.authority, hold.hold.hold_number, hold.hold.kind = "SAMR", "1", records_pb2.Hold.RECALL
    hold.hold.state = records_pb2.Hold.PLACED
    hold.notice_time.FromMicroseconds(world.now_us)
    request = pb.BatchCreateRecordsRequest(records=[hold])
    verdicts = world.call("BatchCreateRecords", request, WINDOW).verdicts
    assert verdicts[0].outcome == pb.IntakeVerdict.ACCEPTED, verdicts
    assert world.refused("ReserveEncumbrance", world.reservation(sale, 1), BANK).reason == "VALUE_NOT_ELIGIBLE"


def test_a_roll_leaves_each_holder_its_share_of_the_breach(world: World) -> None:
    """One holder has given up its share, the other hasn't: what has value behind it moves, exactly."""
    order = world.order()
    first = world.finance(order, 60_000_00, pari_passu=True)
    second = world.finance(order, 20_000_00, OTHER, pari_passu=True)
    name = world.declared()
    world.finance(name, 65_000_00, pari_passu=True)
    world.call("LinkPreShipment", pre_shipment_pb2.LinkPreShipmentRequest(name=order, declaration=name), EXPORTER)
    world.resolve(OTHER_MAKER, OTHER_CHECKER)
    world.call("RollPreShipment", pre_shipment_pb2.RollPreShipmentRequest(name=order), CHECKER)
    assert [(item.asset, item.amount) for item in world.encumbrance(second, OTHER).items] == [(name, usd(6_250_00))]
    world.resolve(MAKER, CHECKER)
    assert [(item.asset, item.amount) for item in world.encumbrance(first).items] == [
        (name, usd(18_750_00)), (order, usd(0))
    ]  # fmt: skip
    assert world.booked(order) == {}


def test_each_asset_is_named_once(world: World) -> None:
    """Or the second amount would count and the first be lost."""
    name = world.declared()
    held = world.reserve(name, 50_000_00)
    twice = [pb.EncumberedValue(asset=name, amount=usd(units)) for units in (10_000_00, 20_000_00)]
    for method, asked, caller in (
        ("ConfirmEncumbrance", pb.ConfirmEncumbranceRequest(name=held, items=twice), BANK),
        ("ReduceEncumbrance", pb.ReduceEncumbranceRequest(name=held, items=twice, reason="repaid"), MAKER),
        ("ReleaseEncumbrance", pb.ReleaseEncumbranceRequest(name=held, items=twice), BANK),
    ):
        refusal = world.refused(method, asked, caller)
        assert [problem.reason for problem in refusal.problems] == ["ASSET_REPEATED"], method
        if method == "ConfirmEncumbrance":
            world.call(method, pb.ConfirmEncumbranceRequest(name=held), caller)


@pytest.mark.parametrize("units", [2**63 - 1, VALUE])
def test_more_than_an_amount_can_be_is_more_than_there_is(world: World, units: int) -> None:
    """The conversion to another currency doesn't fit; the next caller of the same batch gets its amount."""
    name = world.declared()
    request = world.reservation(name, 0)
    request.encumbrance.items[0].amount.CopyFrom(to_proto(Money("GBP", units)))
    outcomes = world.submit(
        ("ReserveEncumbrance", request, BANK), ("ReserveEncumbrance", world.reservation(name, 1), BANK)
    )
    assert [getattr(outcome, "reason", "") for outcome in outcomes] == ["VALUE_ENCUMBERED", ""]


def test_nothing_is_paid_but_what_was_paid(world: World) -> None:
    """Less than nothing isn't, whatever stands on it."""
    name = world.declared()
    world.finance(name, 50_000_00)
    refusal = world.refused(
        "ApplyProceeds", pb.ApplyProceedsRequest(asset=name, payment="p", amount=usd(-1)), SETTLEMENT
    )
    assert [problem.reason for problem in refusal.problems] == ["AMOUNT_NEGATIVE"]


@pytest.mark.parametrize("asset", ["pools/pool-1", "preShipments/order-1"])
def test_what_has_no_buyer_of_its_own_is_not_paid(asset: str) -> None:
    """A payment for a pool at large would stay in its base, one for an order wouldn't follow its goods."""
    request = pb.ApplyProceedsRequest(asset=asset, payment="p", amount=usd(1), request_id=str(uuid.uuid4()))
    assert [problem.path for problem in fields.problems(request)] == ["asset"]
    request.asset = "rebates/rebate-1"
    assert fields.problems(request) == []


def test_a_reservation_does_not_end_before_it_begins(world: World) -> None:
    """A duration below nothing is refused at the door."""
    request = world.reservation(world.declared(), 1)
    request.request_id = str(uuid.uuid4())
    request.reserve_duration.seconds = -1
    assert [problem.path for problem in fields.problems(request)] == ["reserve_duration"]


@pytest.mark.parametrize("way", ["amended", "rejected"])
def test_goods_that_came_back_stay_back(world: World, way: str) -> None:
    """Whatever customs does to the declaration afterwards: their value isn't financed or insured again."""
    name = world.declared()
    world.finance(name, 10_000_00)
    world.take_back(name, 30_000_00)
    before = world.booked(name)
    if way == "amended":
        world.amend(name, 20_000_00)
        world.amend(name, VALUE)
    else:
        world.receive(name, *"HE", "7", "P", "R")
    assert world.booked(name) == before
    cover = world.reservation(name, 70_000_01, asset_class="INSURANCE")
    assert world.refused("ReserveEncumbrance", cover, COVER).reason == "VALUE_ENCUMBERED"


def application(world: World, state: str, declaration: str = "", **fields: Any) -> pb.IntakeVerdict:
    """The newest version of an application for a rebate of 100 yuan."""
    world.now_us += 1
    status = records_pb2.RebateStatus(application_number="1", expected_amount=cny(100_00), state=state, **fields)
    record = records_pb2.Record(enterprise=ENTERPRISE, declaration=declaration, rebate_status=status)
    record.notice_time.FromMicroseconds(world.now_us)
    answer: pb.BatchCreateRecordsResponse = world.call(
        "BatchCreateRecords", pb.BatchCreateRecordsRequest(records=[record]), WINDOW
    )
    return answer.verdicts[0]


def rebates(world: World) -> dict[str, Any]:
    """The rebates by what they are for."""
    found = world.read("ListRebates", rebate_pb2.ListRebatesRequest(), EXPORTER).rebates
    return {entry.declaration or entry.period: entry for entry in found}


@pytest.mark.usefixtures("database_url")
def test_an_application_makes_one_rebate(world: World) -> None:
    """A newer version names another declaration, then a tax period: what it named before is worth nothing."""
    names = [world.declared(), world.declared()]
    application(world, "APPLIED", names[0])
    held = world.reservation(rebates(world)[names[0]].name, 0)
    held.encumbrance.items[0].amount.CopyFrom(cny(80_00))
    world.call(
        "ConfirmEncumbrance", pb.ConfirmEncumbranceRequest(name=world.call("ReserveEncumbrance", held, BANK).name), BANK
    )
    application(world, "APPLIED", names[1])
    application(world, "APPLIED", period="202609")
    found = rebates(world)
    assert [found[key].amount for key in (*names, "202609")] == [cny(0), cny(0), cny(100_00)]
    assert [breach.amount for breach in world.breaches(BANK)] == [cny(80_00)]


def test_a_rebate_that_was_paid_is_financed_no_more(world: World) -> None:
    """Finance that stands on it stays; nothing new does."""
    name = world.declared()
    application(world, "ACCEPTED", name)
    application(world, "PAID", name, paid_amount=cny(100_00))
    request = world.reservation(rebates(world)[name].name, 0)
    request.encumbrance.items[0].amount.CopyFrom(cny(1))
    refusal = world.refused("ReserveEncumbrance", request, BANK)
    assert [problem.reason for problem in refusal.problems] == ["REBATE_PAID"]
    verdict = application(world, "PAID", name, paid_amount=usd(100_00))
    assert [problem.reason for problem in verdict.problems] == ["CURRENCY_DIFFERS"]


def cny(units: int) -> Any:
    """An amount on the wire, in fen."""
    return to_proto(Money("CNY", units))


def test_what_was_overpaid_is_paid_once_the_value_is_raised(world: World) -> None:
    """The buyer pays the invoice; customs has too small a value, which is amended later."""
    name = world.declared(60_000_00)
    world.finance(name, 50_000_00)
    assert world.pay(name, 80_000_00).excess == usd(20_000_00)
    world.amend(name, VALUE)
    assert world.value(name) == {"settled": 80_000_00, "margin": 10_000_00, "free": 10_000_00}


def test_what_the_buyer_paid_of_a_breach_is_paid_once_the_value_is_back(world: World) -> None:
    """It repaid finance without value behind it; the buyer owes nothing more."""
    name = world.declared()
    world.finance(name, 90_000_00)
    world.amend(name, 60_000_00)
    world.pay(name, VALUE)
    world.amend(name, VALUE)
    assert world.value(name) == {"settled": VALUE}


def test_no_document_declares_more_than_books_can_hold(world: World) -> None:
    """Or one parcel would stop all others of its pool, and a declaration could no longer be amended."""
    row = world.row()
    row.lines[0].quantity.value, row.lines[0].unit_price.value = "1000000000", "100000"
    for target in (row.declared_value, row.lines[0].total):
        target.minor_units = customs_checks.VALUE_MOST
    assert customs_checks.check(row) == []
    row.lines[0].unit_price.value = "100001"
    for target in (row.declared_value, row.lines[0].total):
        target.minor_units = customs_checks.VALUE_MOST + 10**11
    assert [problem.reason for problem in customs_checks.check(row)] == ["AMOUNT_TOO_LARGE"]
    parcels = [list_row(1, customs_checks.PARCEL_MOST + more) for more in (0, 1)]
    found = [[problem.reason for problem in retail_checks.check(parcel)] for parcel in parcels]
    assert found == [[], ["AMOUNT_TOO_LARGE"]]
