"""The same goods by two names are one value: what was once found to be lent on twice stays found."""

from collections.abc import Iterator

import pytest
from aval.declarations.v1 import pre_shipment_pb2

from tests.service.register_world import BANK, BANKS, EXPORTER, INSURER, World


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """A register with three banks and an insurer that may see everything; proved at the end."""
    made = World(database_url)
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


def test_an_amended_contract_number_counts(world: World) -> None:
    """A declaration that was booked under a mistyped contract is found by its order once that is corrected."""
    order = world.order()
    name = world.declared(contract_number="PO-2026/10")
    world.reserve(name, 1_00)
    world.amend(name, contract_number="PO-2026/01")
    assert world.refused("ReserveEncumbrance", world.reservation(order, 1), BANK).reason == "VALUE_ENCUMBERED"


def test_what_is_netted_stays_whatever_contract_is_named_later(world: World) -> None:
    """Or an amendment would free what is financed before shipment."""
    order = world.order()
    world.finance(order, 80_000_00)
    name = world.declared(contract_number="PO-2026/01")
    world.reserve(name, 1_00)
    for contract in ("PO-2026/10", ""):
        world.amend(name, contract_number=contract)
        assert world.value(name)["reserved"] == 80_001_00
