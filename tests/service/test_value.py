"""Value is encumbered once, and stays so: amendments, deletions, returns, breaches and their ends."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2 as pb
from aval.declarations.v1 import value_pb2
from aval.type.v1 import derivation_pb2

from chassis import records
from chassis.command import Transaction
from chassis.identity import Caller, service_caller
from chassis.money import Money
from services.declarations.explaining import EXPLAINING
from services.declarations.register.encumbrance import store as encumbrance_store
from services.declarations.register.encumbrance.store import encumbrances as encumbrance_rows
from services.declarations.register.protocol.carrying import uncounted_payments
from services.declarations.register.value import store as value_store
from services.declarations.register.value.books import Books
from services.declarations.register.value.model import Move, Part
from tests import derivation_walk
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
    VALUE,
    World,
    usd,
)


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """A register with two banks and an insurer that may see everything; proved at the end."""
    made = World(database_url)
    made.consent(*BANKS[:2], INSURER)
    yield made
    assert made.violations() == []
    made.store.close()


def test_a_smaller_value_takes_free_value_first(world: World) -> None:
    """cap: nothing that stands is touched, and what is left is free up to the cap."""
    name = world.declared()
    world.finance(name, 50_000_00)
    world.amend(name, 80_000_00)
    assert world.value(name) == {"margin": 8_000_00, "free": 22_000_00, "financed": 50_000_00}
    assert world.breaches() == []


def explained(world: World, name: str, caller: Caller) -> dict[str, Any]:
    """How the fields of a declaration came about, by field."""
    answer = world.read("Explain", derivation_pb2.ExplainRequest(name=name), caller)
    return {explanation.field: explanation for explanation in answer.explanations}


def test_a_margin_is_explained_to_its_owner_alone(world: World) -> None:
    """DV2: an institution sees what is available and no margin, so it isn't told whether one was booked either."""
    name = world.declared()
    assert explained(world, name, EXPORTER)["value.margin"].derivation.result.money == usd(VALUE // 10)
    world.finance(name, VALUE // 2)
    assert explained(world, name, EXPORTER)["value.margin"].derivation.result.money == usd(VALUE // 10)
    (cap,) = [leaf for leaf in explained(world, name, EXPORTER)["value.margin"].derivation.inputs if leaf.name == "cap"]
    assert (cap.row.table, cap.row.code) == ("declarations/terms", "advance_cap_declarations")
    assert explained(world, name, BANK) == explained(world, name, OTHER) == {}
    with world.store.read() as connection:
        assert derivation_walk.walk(connection, EXPLAINING) == [f"{name} value.margin"]
    with world.store.write() as connection:
        savepoint = connection.begin_nested()
        place = derivation_walk.plant(connection, name, "value.margin")
        assert any(text.startswith(place) for text in EXPLAINING.violations(connection))
        savepoint.rollback()


def test_reservations_give_way_the_newest_first(world: World) -> None:
    """Those who wait to confirm lose before those who lent; they are told."""
    name = world.declared()
    world.finance(name, 30_000_00)
    older, newer = world.reserve(name, 30_000_00), world.reserve(name, 30_000_00)
    world.amend(name, 70_000_00)
    assert (world.state(older), world.state(newer)) == ("RESERVED", "RELEASED")
    assert world.value(name) == {"margin": 7_000_00, "free": 3_000_00, "reserved": 30_000_00, "financed": 30_000_00}
    world.amend(name, 40_000_00)
    assert world.state(older) == "RELEASED"
    assert world.value(name) == {"margin": 4_000_00, "free": 6_000_00, "financed": 30_000_00}
    assert world.breaches() == []


def test_what_is_financed_beyond_the_value_is_a_breach(world: World) -> None:
    """I7: exactly that amount; the asset is frozen, the holder is told its share, the enterprise all."""
    name = world.declared()
    held = world.finance(name, 90_000_00)
    world.amend(name, 70_000_00)
    assert world.value(name) == {"financed": 90_000_00, "shortfall": 20_000_00}
    (breach,) = world.breaches()
    assert (breach.asset, breach.cause, breach.amount, breach.open_amount) == (
        name, "AMENDED", usd(20_000_00), usd(20_000_00)
    )  # fmt: skip
    told = [(resource, tenants) for resource, tenants, _ in world.events("encumbrance.breached")]
    assert told == [(breach.name, {ENTERPRISE}), (breach.name, {BANKS[0]})]
    refusal = world.refused("ReserveEncumbrance", world.reservation(name, 1), BANK)
    assert (refusal.reason, refusal.problems[-1].reason) == ("VALUE_NOT_ELIGIBLE", "ASSET_FROZEN")
    assert world.declaration(name).eligibility.reasons[-1].reason == "ASSET_FROZEN"
    assert world.state(held) == "CONFIRMED"


def test_a_larger_value_cures_a_breach_first(world: World) -> None:
    """Then the margin and free value grow by the cap; nothing is frozen any more."""
    name = world.declared()
    world.finance(name, 90_000_00)
    world.amend(name, 70_000_00)
    world.amend(name, 80_000_00)
    assert world.value(name) == {"financed": 90_000_00, "shortfall": 10_000_00}
    world.amend(name, 120_000_00)
    assert world.value(name) == {"margin": 12_000_00, "free": 18_000_00, "financed": 90_000_00}
    (breach,) = world.breaches()
    assert (value_pb2.Breach.State.Name(breach.state), breach.open_amount) == ("CURED", usd(0))
    world.reserve(name, 18_000_00)


def test_a_deleted_declaration_is_worth_nothing(world: World) -> None:
    """All that is financed is in breach."""
    name = world.declared()
    world.finance(name, 60_000_00)
    waiting = world.reserve(name, 10_000_00)
    world.receive(name, "D")
    assert world.value(name) == {"financed": 60_000_00, "shortfall": 60_000_00}
    assert world.state(waiting) == "RELEASED"
    assert world.breaches()[0].cause == "DELETED"


def test_an_inspection_freezes_until_the_goods_are_released(world: World) -> None:
    """No breach: the value is still there."""
    name = world.declared(codes="7LP")
    waiting = world.reserve(name, 10_000_00)
    world.receive(name, "H")
    confirm = pb.ConfirmEncumbranceRequest(name=waiting)
    assert world.refused("ConfirmEncumbrance", confirm, BANK).reason == "VALUE_NOT_ELIGIBLE"
    assert [tenants for _, tenants, _ in world.events("asset.frozen")] == [{ENTERPRISE}, {BANKS[0]}]
    world.receive(name, "P", "R")
    assert len(world.events("asset.unfrozen")) == 2
    world.call("ConfirmEncumbrance", confirm, BANK)
    assert world.breaches() == []


def test_returned_goods_reduce_what_can_be_financed(world: World) -> None:
    """From free value, then from the margin; what is financed beyond that is a breach."""
    name = world.declared()
    world.finance(name, 50_000_00)
    assert world.take_back(name, 20_000_00).minor_units == 20_000_00
    assert world.value(name) == {
        "margin": 10_000_00, "free": 20_000_00, "financed": 50_000_00, "returned": 20_000_00
    }  # fmt: skip
    world.take_back(name, 40_000_00)
    assert world.value(name) == {"financed": 50_000_00, "returned": 60_000_00, "shortfall": 10_000_00}
    assert world.breaches()[0].cause == "RETURNED"
    assert world.take_back(name, 90_000_00).minor_units == 40_000_00


def test_what_was_paid_of_a_value_taken_away_is_not_lent_on(world: World) -> None:
    """I5: it is excess, and counts as paid again when the value comes back."""
    name = world.declared()
    world.pay(name, 80_000_00)
    world.amend(name, 30_000_00)
    assert world.value(name) == {"settled": 30_000_00, "excess": 50_000_00}
    world.amend(name, 100_000_00)
    assert world.value(name) == {"settled": 80_000_00, "margin": 10_000_00, "free": 10_000_00}


def test_insurance_shrinks_with_the_value(world: World) -> None:
    """I2: what is insured beyond the value is a breach of the insurer's own."""
    name = world.declared()
    world.finance(name, 90_000_00, COVER, asset_class="INSURANCE")
    world.amend(name, 95_000_00)
    assert world.breaches() == []
    world.amend(name, 60_000_00)
    assert world.value(name) == {
        "margin": 6_000_00, "free": 54_000_00, "insured": 90_000_00, "insured_shortfall": 30_000_00
    }  # fmt: skip
    (breach,) = world.breaches(COVER)
    assert (breach.asset_class, breach.amount) == ("INSURANCE", usd(30_000_00))
    assert world.breaches(BANK) == []


def test_finance_given_back_cures_first(world: World) -> None:
    """Repaid from other money: what falls short, and only then free value."""
    name = world.declared()
    held = world.finance(name, 90_000_00)
    world.amend(name, 70_000_00)
    item = pb.EncumberedValue(asset=name, amount=usd(15_000_00))
    world.call("ReleaseEncumbrance", pb.ReleaseEncumbranceRequest(name=held, items=[item]), BANK)
    assert world.value(name) == {"financed": 75_000_00, "shortfall": 5_000_00}
    assert world.breaches()[0].open_amount == usd(5_000_00)
    world.release(held)
    assert world.value(name) == {"margin": 7_000_00, "free": 63_000_00}
    assert world.breaches()[0].state == value_pb2.Breach.CURED


def test_the_buyers_money_repays_even_what_has_no_value(world: World) -> None:
    """The payment settles the value, then the shortfall; only the rest is excess."""
    name = world.declared()
    held = world.finance(name, 90_000_00)
    world.amend(name, 60_000_00)
    applied = world.pay(name, 100_000_00)
    assert [settled_encumbrance.amount for settled_encumbrance in applied.settled_encumbrances] == [usd(90_000_00)]
    assert applied.excess == usd(10_000_00)
    assert world.value(name) == {"settled": 60_000_00, "excess": 40_000_00}
    assert world.breaches()[0].state == value_pb2.Breach.CURED
    assert world.encumbrance(held).items[0].settled == usd(90_000_00)


def test_what_is_paid_in_full_is_neither_financed_nor_reserved(world: World) -> None:
    """R3: the payment repays the finance, the reservation gives way, and nothing is reserved afterwards."""
    name = world.declared()
    held, reserved = world.finance(name, 40_000_00), world.reserve(name, 30_000_00)
    assert world.pay(name, 100_000_00).excess == usd(0)
    assert world.value(name) == {"settled": 100_000_00}
    assert world.encumbrance(held).items[0].settled == usd(40_000_00)
    assert world.state(reserved) == "RELEASED"
    refusal = world.refused("ReserveEncumbrance", world.reservation(name, 1), BANK)
    assert (refusal.reason, refusal.metadata["available"]) == ("VALUE_ENCUMBERED", "0.00")


def test_a_breach_is_resolved_by_two_people(world: World) -> None:
    """The maker proposes, another approves what was checked; the holder's encumbrance shrinks by its share."""
    name = world.declared()
    held = world.finance(name, 90_000_00)
    world.amend(name, 70_000_00)
    (breach,) = world.breaches(BANK)
    resolve = value_pb2.ResolveBreachRequest(name=breach.name, etag=breach.etag)
    assert world.refused("ResolveBreach", resolve, CHECKER).reason == "NOTHING_PREPARED"
    resolution = value_pb2.BreachResolution(kind="WRITTEN_OFF", note="buyer insolvent")
    propose = value_pb2.ProposeBreachResolutionRequest(name=breach.name, resolution=resolution)
    etag = world.call("ProposeBreachResolution", propose, MAKER).etag
    again = value_pb2.ResolveBreachRequest(name=breach.name, etag=etag)
    assert world.refused("ResolveBreach", again, MAKER).reason == "SAME_PERSON"
    stale = value_pb2.ResolveBreachRequest(name=breach.name, etag=breach.etag)
    assert world.refused("ResolveBreach", stale, CHECKER).reason == "ETAG_MISMATCH"
    again = value_pb2.ResolveBreachRequest(name=breach.name, etag=etag)
    ended = world.call("ResolveBreach", again, CHECKER)
    assert (ended.state, ended.open_amount) == (value_pb2.Breach.RESOLVED, usd(0))
    assert world.value(name) == {"financed": 70_000_00}
    assert world.encumbrance(held).items[0].amount == usd(70_000_00)
    assert world.declaration(name).eligibility.verdict == pb.Eligibility.FINAL


def test_holders_share_a_breach_and_see_nothing_of_each_other(world: World) -> None:
    """Each its own share, by what it holds; a payment then goes to what has value behind it."""
    name = world.declared()
    first = world.finance(name, 60_000_00, pari_passu=True)
    second = world.finance(name, 30_000_00, OTHER, pari_passu=True)
    world.amend(name, 60_000_00)
    assert [breach.amount for breach in world.breaches()] == [usd(30_000_00)]
    own, others = world.breaches(BANK)[0], world.breaches(OTHER)[0]
    assert (own.amount, others.amount) == (usd(20_000_00), usd(10_000_00))
    assert BANKS[1] not in str(own)
    assert BANKS[0] not in str(others)
    world.release(second, OTHER)
    assert world.value(name) == {"financed": 60_000_00}
    assert world.breaches(BANK)[0].open_amount == usd(0)
    world.pay(name, 60_000_00)
    assert world.encumbrance(first).items[0].settled == usd(60_000_00)


def test_what_a_holder_only_prepares_is_told_to_nobody_else(world: World) -> None:
    """Neither that, why nor by whom, until it is approved; what happens meanwhile is told without it."""
    name = world.declared()
    held = world.finance(name, 50_000_00)
    request = pb.ReduceEncumbranceRequest(name=held, reason="doubts about the buyer")
    request.items.add(asset=name, amount=usd(20_000_00))
    prepared = world.call("ReduceEncumbrance", request, MAKER)
    world.pay(name, 10_000_00)
    get = pb.GetEncumbranceRequest(name=held)
    assert world.read("GetEncumbrance", get, BANK).reduction == prepared.reduction
    (listed,) = world.read("ListEncumbrances", pb.ListEncumbrancesRequest(), EXPORTER).encumbrances
    assert not listed.HasField("reduction")
    assert not world.read("GetEncumbrance", get, EXPORTER).HasField("reduction")
    assert [tenants for _, tenants, _ in world.events("encumbrance.reduction_prepared")] == [{BANK.tenant}]
    told = [(tenants, str(content)) for _, tenants, content in world.events("encumbrance.settled")]
    settled = [(tenants, "doubts about the buyer" in content) for tenants, content in told]
    assert settled == [({BANK.tenant}, True), ({EXPORTER.tenant}, False)]


def test_less_is_encumbered_once_a_checker_agrees(world: World) -> None:
    """A maker prepares, a checker approves or rejects; more than is outstanding is refused."""
    name = world.declared()
    held = world.finance(name, 50_000_00)
    item = pb.EncumberedValue(asset=name, amount=usd(60_000_00))
    request = pb.ReduceEncumbranceRequest(name=held, items=[item], reason="repaid in part")
    assert world.refused("ReduceEncumbrance", request, MAKER).reason == "REDUCTION_EXCEEDS_ENCUMBRANCE"
    request = pb.ReduceEncumbranceRequest(name=held, reason="repaid in part")
    request.items.add(asset=name, amount=usd(20_000_00))
    prepared = world.call("ReduceEncumbrance", request, MAKER)
    assert (prepared.items[0].amount, prepared.reduction.maker) == (usd(50_000_00), MAKER.principal)
    approve = pb.ApproveReductionRequest(name=held, etag=prepared.etag)
    assert world.refused("ApproveReduction", approve, MAKER).reason == "SAME_PERSON"
    approve = pb.ApproveReductionRequest(name=held, etag=prepared.etag)
    assert world.call("ApproveReduction", approve, CHECKER).items[0].amount == usd(30_000_00)
    assert world.value(name) == {"margin": 10_000_00, "free": 60_000_00, "financed": 30_000_00}
    release = pb.ReleaseEncumbranceRequest(name=held)
    assert world.refused("ReleaseEncumbrance", release, CHECKER).reason == "SECOND_PERSON_REQUIRED"
    rejected = pb.RejectReductionRequest(name=held)
    assert world.refused("RejectReduction", rejected, CHECKER).reason == "NOTHING_PREPARED"


@pytest.mark.parametrize(
    ("statement", "invariant"),
    [
        ("UPDATE declarations SET value_minor_units = value_minor_units + 1", "I1"),
        ("UPDATE breaches SET open_amount_minor_units = 1", "I7"),
        ("DELETE FROM freezes", "I7"),
        ("UPDATE encumbrances SET items = replace(items, '9000000', '9000001')", "R1"),
        ("UPDATE encumbrances SET holder = 'banks/XXXXCNB0'", "R1"),
        ("UPDATE holdings SET standing = 0", "R1"),
        ("UPDATE encumbered SET stands = false", "R1"),
    ],
)
def test_verification_finds_what_was_changed_behind_it(database_url: str, statement: str, invariant: str) -> None:
    """I1, I7, R1: a change in any of the rows is named, from the rows alone."""
    world = World(database_url)
    world.consent(BANKS[0])
    name = world.declared()
    world.finance(name, 90_000_00)
    world.amend(name, 70_000_00)
    assert world.violations() == []
    with world.store.write() as connection:
        connection.execute(sa.text(statement))
    assert invariant in {violation.partition(":")[0] for violation in world.violations()}
    world.store.close()


def test_a_value_moves_the_same_whatever_the_way(world: World) -> None:
    """Up and down and back: the cap's margin is where it was."""
    name = world.declared()
    world.reserve(name, 1_00)
    for units in (50_000_01, 130_000_00, 1_00, VALUE):
        world.amend(name, units)
    assert sum(world.value(name).values()) == VALUE
    assert world.value(name)["margin"] == 10_000_00
    assert EXPORTER.tenant == ENTERPRISE


def insured(world: World, name: str) -> tuple[int, int]:
    """Returns what is insured of an asset, and what may still be, cents."""
    with world.store.read() as connection:
        value = value_store.booked(connection, [name])[name]
    return value.insured.minor_units, value.insurable.minor_units


def test_what_the_buyer_has_paid_cant_be_insured(world: World) -> None:
    """I2: paid whole or in part, no more is insured than is owed, whoever asks."""
    whole, part = world.declared(), world.declared()
    world.pay(whole, 100_000_00)
    world.pay(part, 80_000_00)
    for name, asked, left in ((whole, 1, "0.00"), (part, 20_000_01, "20000.00")):
        refusal = world.refused("ReserveEncumbrance", world.reservation(name, asked, asset_class="INSURANCE"), COVER)
        assert (refusal.reason, refusal.metadata["available"]) == ("VALUE_PAID", left)
    world.finance(part, 20_000_00, COVER, asset_class="INSURANCE")
    assert insured(world, part) == (20_000_00, 0)


def test_a_payment_settles_cover_and_leaves_what_is_owed_insurable(world: World) -> None:
    """60 insured of 100: 50 paid leaves 10 insured and 40 insurable; all paid leaves neither, and bars nobody."""
    name = world.declared()
    held = world.finance(name, 60_000_00, COVER, asset_class="INSURANCE")
    world.pay(name, 50_000_00)
    (item,) = world.encumbrance(held, COVER).items
    assert (item.amount, item.settled) == (usd(60_000_00), usd(50_000_00))
    assert insured(world, name) == (10_000_00, 40_000_00)
    assert (held, {INSURER, ENTERPRISE}) in [
        (text, tenants) for text, tenants, _ in world.events("encumbrance.settled")
    ]
    world.pay(name, 70_000_00)
    assert insured(world, name) == (0, 0)
    insurer = service_caller("credit_insurance", tenant=INSURER)
    assert world.release(held, insurer).state == pb.Encumbrance.RELEASED


def test_reserved_cover_gives_way_to_a_payment_the_newest_first(world: World) -> None:
    """Reserved cover isn't insurance yet: its insurer can't confirm what is paid."""
    name = world.declared()
    older, newer = (world.reserve(name, 40_000_00, COVER, asset_class="INSURANCE") for _ in range(2))
    world.pay(name, 20_000_00)
    assert [world.state(text, COVER) for text in (older, newer)] == ["RESERVED", "RESERVED"]
    world.pay(name, 1)
    assert [world.state(text, COVER) for text in (older, newer)] == ["RESERVED", "RELEASED"]
    confirm = pb.ConfirmEncumbranceRequest(name=newer)
    assert world.refused("ConfirmEncumbrance", confirm, COVER).reason == "WRONG_STATE"
    assert insured(world, name) == (40_000_00, 39_999_99)


def test_an_insurer_is_told_what_was_paid_before_its_cover(world: World) -> None:
    """Each payment whole, also what of it was excess; a bank isn't told."""
    name = world.declared()
    world.pay(name, 30_000_00)
    held = world.reserve(name, 50_000_00, COVER, asset_class="INSURANCE")
    (item,) = world.call("ConfirmEncumbrance", pb.ConfirmEncumbranceRequest(name=held), COVER).items
    assert item.paid == usd(30_000_00)
    lent = world.reserve(name, 10_000_00)
    (item,) = world.call("ConfirmEncumbrance", pb.ConfirmEncumbranceRequest(name=lent), BANK).items
    assert not item.HasField("paid")


@pytest.mark.parametrize(("to", "left"), [(80_000_00, (10_000_00, 20_000_00)), (40_000_00, (10_000_00, 0))])
def test_value_that_customs_takes_after_a_payment(world: World, to: int, left: tuple[int, int]) -> None:
    """60 of 100 are insured, 50 are paid: the rest of the debt stays insurable, and comes back with the value."""
    name = world.declared()
    world.finance(name, 60_000_00, COVER, asset_class="INSURANCE")
    world.pay(name, 50_000_00)
    world.amend(name, to)
    assert insured(world, name) == left
    assert world.violations() == []
    world.amend(name, 100_000_00)
    assert insured(world, name) == (10_000_00, 40_000_00)


def test_goods_that_come_back_after_a_payment_leave_what_is_owed_insurable(world: World) -> None:
    """Returned value is no longer owed; what was paid and comes back wasn't insurable any more."""
    name = world.declared()
    world.pay(name, 50_000_00)
    world.take_back(name, 30_000_00)
    assert insured(world, name) == (0, 20_000_00)
    world.take_back(name, 40_000_00)
    assert insured(world, name) == (0, 0)


def test_payments_of_before_are_carried_over(world: World) -> None:
    """A store that didn't count them: verification names it, the sweep brings cover to what is owed."""
    name = world.declared()
    held = world.finance(name, 60_000_00, COVER, asset_class="INSURANCE")
    world.pay(name, 70_000_00)
    with world.store.write() as connection:
        connection.execute(sa.insert(uncounted_payments).values(asset=name))
    world.act(uncount, name, held)
    assert any(text.startswith(f"I2: {name}: insured") for text in world.violations())
    world.sweep()
    assert insured(world, name) == (0, 30_000_00)
    (item,) = world.encumbrance(held, COVER).items
    assert item.settled == usd(60_000_00)
    assert world.violations() == []


def uncount(transaction: Transaction, name: str, held: str) -> None:
    """Takes back what a payment of 70,000 did to cover of 60,000, as if it had been made before that counted."""
    books = Books(transaction, [name])
    moves = ((Part.INSURED, 60_000_00), (Part.INSURABLE, 10_000_00))
    books.move(name, [Move(Part.INSURABLE_SOURCE, part, Money("USD", units)) for part, units in moves], "uncount")
    books.write()
    identifier = held.removeprefix("encumbrances/")
    encumbrance = encumbrance_store.load(transaction.connection, [identifier])[identifier]
    items = tuple(replace(item, settled=item.settled.zero()) for item in encumbrance.items)
    records.update(transaction.connection, encumbrance_rows, replace(encumbrance, items=items))
    encumbrance_store.add_item(transaction, encumbrance, name)
