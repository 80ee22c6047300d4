"""Finance before shipment, rebates, other currencies: nothing counts twice."""

import datetime
import uuid
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Any

import pytest
import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2 as pb
from aval.declarations.v1 import pre_shipment_pb2, rebate_pb2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis import money, rpc, verification
from chassis.errors import DomainError
from chassis.identity import Caller
from chassis.money import Money, exponent, to_proto
from services.declarations.kinds import KINDS
from services.declarations.register.kind import load_assets
from services.declarations.register.preshipment import store as preshipment_store
from services.declarations.register.preshipment.model import Link
from services.declarations.register.value import store as value_store
from services.declarations.register.value.model import Value
from tests.service.register_world import (
    BANK,
    BANKS,
    CHECKER,
    DAY_US,
    ENTERPRISE,
    EXPORTER,
    MAKER,
    OTHER,
    VALUE,
    WINDOW,
    World,
    usd,
)
from trade.calendars import day_in_china

CONTRACT: dict[str, Any] = {"contract_number": "po 2026-01"}


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """A register with two banks that may see everything; proved at the end."""
    made = World(database_url)
    made.consent(*BANKS[:2])
    yield made
    assert made.violations() == []
    made.store.close()


def order_of(world: World, name: str) -> dict[str, int]:
    """Returns what is shipped, netted and available of an order, cents."""
    found = world.read("GetPreShipment", pre_shipment_pb2.GetPreShipmentRequest(name=name), EXPORTER)
    return {part: getattr(found, part).minor_units for part in ("shipped", "netted", "available")}


def roll(name: str) -> pre_shipment_pb2.RollPreShipmentRequest:
    """A roll."""
    return pre_shipment_pb2.RollPreShipmentRequest(name=name)


def test_one_asset_of_a_contract(world: World) -> None:
    """The letter of credit that pays for an order is the same value."""
    name = world.order()
    assert world.order() == name
    request = pre_shipment_pb2.CreatePreShipmentRequest()
    request.pre_shipment.MergeFrom(
        pre_shipment_pb2.PreShipment(kind="LETTER_OF_CREDIT", contract_number="PO202601", amount=usd(VALUE))
    )
    request.pre_shipment.expire_date.year, request.pre_shipment.expire_date.month = 2027, 6
    request.pre_shipment.expire_date.day = 30
    refusal = world.refused("CreatePreShipment", request, EXPORTER)
    assert (refusal.reason, refusal.metadata["pre_shipment"]) == ("PRE_SHIPMENT_KNOWN_OTHERWISE", name)


def test_what_is_shipped_shrinks_the_order_and_what_is_financed_is_netted(world: World) -> None:
    """80,000 of 100,000 are financed; 60,000 are shipped: 32,000 stay on the order, 48,000 wait on the declaration."""
    order = world.order()
    world.finance(order, 80_000_00)
    name = world.declared(60_000_00, **CONTRACT)
    assert world.refused("ReserveEncumbrance", world.reservation(name, 10_000_00), BANK).reason == "VALUE_ENCUMBERED"
    assert order_of(world, order) == {"shipped": 60_000_00, "netted": 48_000_00, "available": 0}
    assert world.value(name) == {"margin": 6_000_00, "free": 6_000_00, "reserved": 48_000_00}
    world.reserve(name, 6_000_00)
    assert world.refused("ReserveEncumbrance", world.reservation(name, 1_00), OTHER).reason == "VALUE_ENCUMBERED"


def test_an_order_registered_late_knows_what_was_shipped(world: World) -> None:
    """The order can't finance again what its declarations finance."""
    name = world.declared(60_000_00, **CONTRACT)
    world.finance(name, 54_000_00)
    order = world.order()
    assert order_of(world, order) == {"shipped": 60_000_00, "netted": 0, "available": 32_000_00}
    assert world.refused("ReserveEncumbrance", world.reservation(order, 32_000_01), BANK).reason == "VALUE_ENCUMBERED"
    world.finance(order, 32_000_00)


def test_a_roll_moves_finance_and_creates_none(world: World) -> None:
    """Each holder finances what it did, by the same encumbrances."""
    order = world.order()
    first = world.finance(order, 50_000_00, pari_passu=True)
    second = world.finance(order, 30_000_00, OTHER, pari_passu=True)
    name = world.declared(60_000_00, **CONTRACT)
    link = pre_shipment_pb2.LinkPreShipmentRequest(name=order, declaration=name)
    world.call("LinkPreShipment", link, EXPORTER)
    world.call("RollPreShipment", roll(order), CHECKER)
    assert world.value(name)["financed"] == 48_000_00
    for held, caller, units in ((first, BANK, 50_000_00), (second, OTHER, 30_000_00)):
        items = world.encumbrance(held, caller).items
        assert {item.asset for item in items} == {order, name}
        assert sum(item.amount.minor_units for item in items) == units
    assert order_of(world, order)["netted"] == 0
    assert world.refused("RollPreShipment", roll(order), CHECKER).reason == "NOTHING_TO_ROLL"
    applied = world.pay(name, 60_000_00)
    assert sorted(settled_encumbrance.amount.minor_units for settled_encumbrance in applied.settled_encumbrances) == [
        18_000_00,
        30_000_00,
    ]


def test_a_roll_needs_final_evidence_of_every_declaration(world: World) -> None:
    """All or nothing."""
    order = world.order()
    world.finance(order, 80_000_00)
    for codes in ("7LPR", "7LP"):
        name = world.declared(40_000_00, codes, **CONTRACT)
        request = pre_shipment_pb2.LinkPreShipmentRequest(name=order, declaration=name)
        world.call("LinkPreShipment", request, EXPORTER)
    assert world.refused("RollPreShipment", roll(order), CHECKER).reason == "VALUE_NOT_ELIGIBLE"
    assert order_of(world, order)["netted"] == 64_000_00
    world.receive(name, "R")
    world.call("RollPreShipment", roll(order), CHECKER)
    assert order_of(world, order) == {"shipped": 80_000_00, "netted": 0, "available": 0}


def test_what_is_repaid_is_netted_no_more(world: World) -> None:
    """The declaration is free again, and the order is worth what remains to be shipped."""
    order = world.order()
    held = world.finance(order, 80_000_00)
    name = world.declared(60_000_00, **CONTRACT)
    world.reserve(name, 1_00)
    world.release(held)
    assert order_of(world, order) == {"shipped": 60_000_00, "netted": 0, "available": 32_000_00}
    assert world.value(name) == {"margin": 6_000_00, "free": 53_999_00, "reserved": 1_00}


def test_what_the_buyer_pays_repays_the_finance_before_shipment(world: World) -> None:
    """It is rolled by itself: nothing that is paid for stays financed on the order."""
    order = world.order()
    held = world.finance(order, 80_000_00)
    name = world.declared(**CONTRACT)
    applied = world.pay(name, VALUE)
    assert [settled_encumbrance.amount for settled_encumbrance in applied.settled_encumbrances] == [usd(80_000_00)]
    assert [(item.asset, item.settled) for item in world.encumbrance(held).items] == [(name, usd(80_000_00))]
    assert order_of(world, order) == {"shipped": VALUE, "netted": 0, "available": 0}


def test_a_declaration_that_is_amended_or_deleted_gives_the_order_back(world: World) -> None:
    """The part that isn't shipped remains to be shipped."""
    order = world.order()
    world.finance(order, 80_000_00)
    name = world.declared(60_000_00, **CONTRACT)
    world.refused("ReserveEncumbrance", world.reservation(name, 60_000_00), BANK)
    world.amend(name, 10_000_00)
    assert order_of(world, order) == {"shipped": 10_000_00, "netted": 8_000_00, "available": 0}
    world.receive(name, "D")
    assert order_of(world, order) == {"shipped": 0, "netted": 0, "available": 0}
    assert world.breaches() == []


def test_an_order_whose_declaration_another_finances_falls_short(world: World) -> None:
    """The same goods were financed twice before the register knew: a breach of exactly the excess."""
    order = world.order()
    world.finance(order, 80_000_00)
    name = world.declared()
    world.finance(name, 90_000_00, OTHER)
    world.call("LinkPreShipment", pre_shipment_pb2.LinkPreShipmentRequest(name=order, declaration=name), EXPORTER)
    (breach,) = world.breaches(BANK)
    assert (breach.asset, breach.cause, breach.amount) == (order, "SHIPPED", usd(80_000_00))
    assert world.breaches(OTHER) == []


def test_what_a_bank_gives_up_is_netted_no_more(world: World) -> None:
    """I3: the order's payment left its finance short; once that is written off nothing is held for it any more."""
    order = world.order()
    world.finance(order, 60_000_00)
    world.pay(order, 50_000_00)
    name = world.declared(**CONTRACT)
    world.refused("ReserveEncumbrance", world.reservation(name, 60_000_00), OTHER)
    assert order_of(world, order)["netted"] == 10_000_00
    world.resolve(MAKER, CHECKER)
    assert order_of(world, order)["netted"] == 0
    world.finance(name, 80_000_00, OTHER)


def test_a_rebate_is_an_asset_of_its_own(world: World) -> None:
    """I4: at most the ratio of what is expected; less expected than lent is a breach."""
    rebate = world.rebate()
    assert world.refused("ReserveEncumbrance", world.reservation(rebate, 80_000_01), BANK).reason == "VALUE_ENCUMBERED"
    world.finance(rebate, 80_000_00)
    request = rebate_pb2.ReviseRebateRequest(name=rebate, amount=usd(70_000_00))
    world.call("ReviseRebate", request, WINDOW)
    assert [(breach.asset, breach.amount) for breach in world.breaches(BANK)] == [(rebate, usd(10_000_00))]


def test_a_claim_in_another_currency_keeps_its_rate(world: World) -> None:
    """Rounded up once, with the haircut; asked again it is the same."""
    name = world.declared()
    request = world.reservation(name, 0)
    request.encumbrance.items[0].amount.CopyFrom(money.to_proto(Money("CNY", 100_000_01)))
    held = world.call("ReserveEncumbrance", request, BANK)
    item = held.items[0]
    exact = Decimal(10000001) * Decimal(item.exchange_rate.value) * (1 + Decimal(item.haircut.value))
    assert (item.claimed.minor_units, item.amount.currency_code) == (100_000_01, "USD")
    assert 0 <= item.amount.minor_units - exact < 1
    published = item.rate_origin.publish_date
    assert (published.year, published.month, published.day) == (2026, 10, 30)
    assert (item.rate_origin.age_days, item.rate_origin.is_stale) == (24, True)
    assert item.rate_origin.source.startswith("ECB")
    request.request_id = ""
    assert world.call("ReserveEncumbrance", request, BANK) == held
    assert pb.Encumbrance.State.Name(held.state) == "RESERVED"
    request = world.reservation(name, 0)
    request.encumbrance.items[0].amount.CopyFrom(money.to_proto(Money("XOF", 5)))
    refusal = world.refused("ReserveEncumbrance", request, BANK)
    assert [problem.reason for problem in refusal.problems] == ["CURRENCY_DIFFERS"]


def test_an_order_is_netted_in_another_currency_at_a_rate_that_is_kept(world: World) -> None:
    """80,000 dollars are financed; 60,000 euros are shipped: their rate and the haircut stay as they were."""
    order = world.order()
    held = world.finance(order, 80_000_00)
    name = world.declared(60_000_00, currency="EUR", **CONTRACT)
    world.call("LinkPreShipment", pre_shipment_pb2.LinkPreShipmentRequest(name=order, declaration=name), EXPORTER)
    (link,) = links_of(world, order)
    rate, haircut = Fraction(link.exchange_rate or 0), Fraction(link.haircut or 0)
    assert (0 < rate < 1, haircut > 0) == (True, True)
    shipped = ceil(60_000_00 / rate)
    left = VALUE - shipped
    netted = 80_000_00 - (left - ceil(left * Fraction(20, 100)))
    assert order_of(world, order) == {"shipped": shipped, "netted": netted, "available": 0}
    waiting = ceil(netted * rate * (1 + haircut))
    assert world.value(name) == {"margin": 6_000_00, "free": 54_000_00 - waiting, "reserved": waiting}
    world.now_us += 400 * DAY_US
    world.amend(name, 59_000_00, "EUR")
    (again,) = links_of(world, order)
    assert (again.exchange_rate, again.haircut) == (link.exchange_rate, link.haircut)
    world.now_us -= 400 * DAY_US
    world.call("RollPreShipment", roll(order), CHECKER)
    item = next(item for item in world.encumbrance(held).items if item.asset == name)
    assert item.claimed.minor_units == again.netted.minor_units
    assert item.amount.minor_units == ceil(again.netted.minor_units * rate * (1 + haircut))
    assert Fraction(item.exchange_rate.value) == rate
    assert (item.rate_origin.age_days, item.rate_origin.is_stale) == (24, True)
    applied = world.pay(name, 59_000_00, currency="EUR")
    assert [settled_encumbrance.amount.minor_units for settled_encumbrance in applied.settled_encumbrances] == [
        item.amount.minor_units
    ]


def test_an_order_in_another_currency_registered_late_knows_what_was_shipped(world: World) -> None:
    """The rate is that of the day on which both are known."""
    name = world.declared(60_000_00, currency="EUR", **CONTRACT)
    world.finance(name, 54_000_00, currency="EUR")
    order = world.order()
    (link,) = links_of(world, order)
    assert link.exchange_rate is not None
    shipped = ceil(60_000_00 / Fraction(link.exchange_rate))
    left = VALUE - shipped
    assert order_of(world, order) == {"shipped": shipped, "netted": 0, "available": left - ceil(left * Fraction(1, 5))}


def test_a_currency_without_a_rate_is_not_linked(world: World) -> None:
    """It is said, and nothing is netted."""
    order = world.order(currency="XOF")
    name = world.declared(60_000_00)
    request = pre_shipment_pb2.LinkPreShipmentRequest(name=order, declaration=name)
    assert world.refused("LinkPreShipment", request, EXPORTER).reason == "CURRENCY_OF_PRE_SHIPMENT_DIFFERS"
    assert links_of(world, order) == []


CURRENCIES = ("USD", "EUR", "CNY", "JPY")
STEPS = st.tuples(
    st.sampled_from(("finance", "finance", "reserve", "ship", "ship", "lend", "lend", "amend", "pay", "back", "roll")),
    st.integers(0, 3),
    st.sampled_from((1, 37, 80, 100, 100, 101, 130)),
    st.sampled_from(CURRENCIES),
)


@given(st.sampled_from(CURRENCIES), st.lists(STEPS, min_size=4, max_size=14))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_never_more_claims_than_value(world: World, currency: str, steps: list[tuple[str, int, int, str]]) -> None:
    """I3: financed, shipped in any currency, amended, paid, given back and rolled, claims never exceed the value."""
    play = Play(world, currency)
    for step in steps:
        play.take(*step)
        assert world.wrong(play.order, *play.declarations) == []
        assert play.claims() <= play.worth(), step


class Play:
    """One order and what is shipped under it. All shares are in hundredths of the order."""

    def __init__(self, world: World, currency: str) -> None:
        self.world, self.amount = world, worth(currency, 100)
        self.contract = uuid.uuid4().hex
        self.order = world.order(self.amount.minor_units, self.contract, currency=currency)
        self.declarations: dict[str, str] = {}
        self.held: list[tuple[str, Any]] = []

    def take(self, step: str, index: int, share: int, currency: str) -> None:
        """One step; it may be refused, but only by a rule."""
        names = list(self.declarations)
        name = names[index % len(names)] if names else ""
        caller, own = (BANK, OTHER)[index % 2], self.declarations.get(name, "USD")
        if step == "finance" or step == "reserve":
            self._hold(self.order, share, caller, step == "finance")
        elif step == "ship":
            units = worth(currency, share).minor_units
            shipped = self.world.declared(units, currency=currency, contract_number=self.contract)
            self.declarations[shipped] = currency
            self._call("LinkPreShipment", pre_shipment_pb2.LinkPreShipmentRequest(name=self.order, declaration=shipped))
        elif step == "roll":
            self._call("RollPreShipment", roll(self.order))
        elif step == "back" and self.held:
            encumbrance, holder = self.held.pop(index % len(self.held))
            self._call("ReleaseEncumbrance", pb.ReleaseEncumbranceRequest(name=encumbrance), holder)
        elif step == "lend" and name:
            self._hold(name, share, caller, True)
        elif step == "amend" and name:
            self.world.amend(name, worth(own, share).minor_units, own)
        elif step == "pay" and name:
            self.world.pay(name, worth(own, share).minor_units, currency=own)

    def _call(self, method: str, request: Any, caller: Caller = EXPORTER) -> Any:
        (outcome,) = self.world.submit((method, request, caller))
        assert not isinstance(outcome, Exception) or isinstance(outcome, DomainError), outcome
        return outcome

    def _hold(self, asset: str, share: int, caller: Caller, confirms: bool) -> None:
        """So many hundredths of what is free; of nothing, and beyond a hundred, it is refused."""
        free = self._value(asset).free
        amount = Money(free.currency, free.minor_units * share // 100)
        request = self.world.reservation(asset, amount.minor_units, amount.currency, pari_passu=True)
        held = self._call("ReserveEncumbrance", request, caller)
        if isinstance(held, DomainError):
            return
        self.held.append((held.name, caller))
        if confirms:
            self._call("ConfirmEncumbrance", pb.ConfirmEncumbranceRequest(name=held.name), caller)

    def claims(self) -> Fraction:
        """Returns the claims on the goods with value behind them, in minor units of the order, at the links' rates.

        What is netted is claimed on the order; what is held for it on a declaration is no other claim.
        """
        rates = self._rates()
        return self._claimed(self.order) + sum(
            (self._claimed(link.declaration) - link.held.minor_units) / rates[link.declaration]
            for link in links_of(self.world, self.order)
        )

    def worth(self) -> Fraction:
        """Returns the goods' worth: the order, or what is shipped, if that is more."""
        shipped = sum(self._value(name).declared.minor_units / rate for name, rate in self._rates().items())
        return max(Fraction(self.amount.minor_units), Fraction(shipped))

    def _rates(self) -> dict[str, Fraction]:
        """Minor units of each linked declaration for one of the order."""
        return {
            link.declaration: Fraction(link.exchange_rate or 1)
            * Fraction(10 ** exponent(link.shipped.currency), 10 ** exponent(self.amount.currency))
            for link in links_of(self.world, self.order)
        }

    def _claimed(self, name: str) -> Fraction:
        value = self._value(name)
        return Fraction((value.financed + value.reserved - value.shortfall).minor_units)

    def _value(self, name: str) -> Value:
        with self.world.store.read() as connection:
            on = day_in_china(self.world.now_us)
            assets = load_assets(KINDS, connection, [name], on)
            return value_store.of_many(connection, list(assets.values()), on)[name]


def worth(currency: str, share: int) -> Money:
    """So many hundredths of about a thousand dollars."""
    whole = {"USD": 1_000_00, "EUR": 857_13, "CNY": 7_133_07, "JPY": 149_993}[currency]
    return Money(currency, whole * share // 100)


def links_of(world: World, order: str) -> list[Link]:
    """Returns the declarations shipped under an order."""
    with world.store.read() as connection:
        return preshipment_store.links(connection, [order])


def asked_order(amount: Money, day: datetime.date | None, contract: str = "PO-BOUNDS") -> Any:
    """An order of an amount until a day."""
    request = pre_shipment_pb2.CreatePreShipmentRequest()
    order = pre_shipment_pb2.PreShipment(kind="ORDER", contract_number=contract, amount=to_proto(amount))
    request.pre_shipment.MergeFrom(order)
    if day:
        request.pre_shipment.expire_date.CopyFrom(rpc.date(day))
    return request


@pytest.mark.parametrize(
    ("units", "day", "reasons"),
    [
        (1, datetime.date(1, 1, 1), {"EXPIRE_DATE_PAST"}),
        (1, datetime.date(2020, 1, 1), {"EXPIRE_DATE_PAST"}),
        (1, datetime.date(2026, 11, 22), {"EXPIRE_DATE_PAST"}),
        (1, datetime.date(2036, 11, 24), {"EXPIRE_DATE_TOO_LATE"}),
        (1, datetime.date(9999, 12, 31), {"EXPIRE_DATE_TOO_LATE"}),
        (2**63 - 1, datetime.date(2027, 1, 1), {"AMOUNT_TOO_LARGE"}),
        (10**16 + 1, datetime.date(2027, 1, 1), {"AMOUNT_TOO_LARGE"}),
        (0, None, {"AMOUNT_NOT_POSITIVE", "DATE_INVALID"}),
    ],
)
def test_an_order_lies_within_bounds(world: World, units: int, day: datetime.date | None, reasons: set[str]) -> None:
    refusal = world.refused("CreatePreShipment", asked_order(Money("USD", units), day), EXPORTER)
    assert {problem.reason for problem in refusal.problems} == reasons


@pytest.mark.parametrize("day", [datetime.date(2026, 11, 23), datetime.date(2036, 11, 23)])
def test_an_order_runs_from_today_at_most_ten_years(world: World, day: datetime.date) -> None:
    name = world.call("CreatePreShipment", asked_order(Money("USD", 10**16), day), EXPORTER).name
    world.now_us += 5000 * DAY_US
    assert world.call("CreatePreShipment", asked_order(Money("USD", 10**16), day), EXPORTER).name == name


@pytest.mark.parametrize(("units", "reason"), [(2**63 - 1, "AMOUNT_TOO_LARGE"), (-1, "AMOUNT_NOT_POSITIVE")])
def test_a_rebate_lies_within_bounds(world: World, units: int, reason: str) -> None:
    rebate = rebate_pb2.Rebate(enterprise=ENTERPRISE, period="202610", amount=usd(units))
    refusal = world.refused("CreateRebate", rebate_pb2.CreateRebateRequest(rebate=rebate), WINDOW)
    assert [problem.reason for problem in refusal.problems] == [reason]
    revise = rebate_pb2.ReviseRebateRequest(name=world.rebate(), amount=usd(units))
    refusal = world.refused("ReviseRebate", revise, WINDOW)
    assert [problem.reason for problem in refusal.problems] == [reason.replace("NOT_POSITIVE", "NEGATIVE")]


def test_a_kept_row_in_no_currency_fails_no_page(world: World) -> None:
    """As it came before amounts were checked: it is shown in minor units, and nothing is reserved on it."""
    order, other = world.order(contract="PO-1"), world.order(contract="PO-2")
    rebate, expected = world.rebate(period="202609"), world.rebate(period="202610")
    with world.store.write() as connection:
        for table, name in (("pre_shipments", order), ("rebates", rebate)):
            statement = sa.text(f"UPDATE {table} SET amount_currency = 'BTC' WHERE id = :id")
            assert connection.execute(statement, {"id": name.partition("/")[2]}).rowcount == 1
    for caller in (EXPORTER, BANK):
        orders = world.read("ListPreShipments", pre_shipment_pb2.ListPreShipmentsRequest(), caller).pre_shipments
        assert {row.name for row in orders} == {order, other}
        entry = world.read("GetPreShipment", pre_shipment_pb2.GetPreShipmentRequest(name=order), caller)
        assert entry.available == to_proto(Money("BTC", VALUE * 8 // 10))
        rebates = world.read("ListRebates", rebate_pb2.ListRebatesRequest(), caller).rebates
        assert {row.name for row in rebates} == {rebate, expected}
        entry = world.read("GetRebate", rebate_pb2.GetRebateRequest(name=rebate), caller)
        assert entry.available == to_proto(Money("BTC", VALUE * 8 // 10))
    for name in (order, rebate):
        refusal = world.refused("ReserveEncumbrance", world.reservation(name, 1), BANK)
        assert [problem.reason for problem in refusal.problems] == ["CURRENCY_DIFFERS"]
    with world.store.read() as connection:
        named = verification.unknown_currencies(connection)
    for place in ("pre_shipments.amount_currency", "rebates.amount_currency"):
        assert any(text.startswith(f"currency: {place}: 1 row in BTC") for text in named), named
