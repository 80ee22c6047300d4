"""The rules of value: what customs takes, what comes back, what a payment goes to; breaches and their shares."""

from dataclasses import fields, replace
from datetime import date
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.money import Money
from services.declarations.register.asset import AssetClass
from services.declarations.register.breach import model as breach_model
from services.declarations.register.breach.model import Breach, Share, cured, shared
from services.declarations.register.encumbrance import model as encumbrance_model
from services.declarations.register.encumbrance.model import Encumbrance, Item, apply_proceeds, converted, item_of
from services.declarations.register.value import model as value_model
from services.declarations.register.value.model import Move, Part, Value
from trade.reference_rates import RateOrigin, ReferenceRate

ASSET = "declarations/460120260000000001"
CAP = Decimal("0.90")
OF_PART = {
    Part.MARGIN: "margin", Part.FREE: "free", Part.FINANCED: "financed", Part.SETTLED: "settled",
    Part.RETURNED: "returned", Part.EXCESS: "excess",
    Part.RETURNED_EXCESS: "returned_excess", Part.INSURABLE: "insurable", Part.INSURED: "insured",
}  # fmt: skip
SHORT = {Part.SHORTFALL: "shortfall", Part.INSURED_SHORTFALL: "insured_shortfall"}


def usd(units: int) -> Money:
    """Cents."""
    return Money("USD", units)


def moved(value: Value, *moves: Move) -> Value:
    """The value after moves, as a ledger would keep it."""
    for move in moves:
        for part, sign in ((move.source, -1), (move.to, 1)):
            if part in OF_PART:
                name = OF_PART[part]
                value = replace(value, **{name: usd(getattr(value, name).minor_units + sign * move.amount.minor_units)})
            elif part in SHORT:
                name = SHORT[part]
                value = replace(value, **{name: usd(getattr(value, name).minor_units - sign * move.amount.minor_units)})
    return value


def holds(value: Value) -> None:
    """Asserts that no part is negative, and that a shortfall is financed, with nothing free beside it."""
    assert all(getattr(value, field.name).minor_units >= 0 for field in fields(Value)), value
    assert value.shortfall <= value.financed
    assert not value.shortfall or not (value.free or value.margin)
    assert value.insurable + value.insured == value.unpaid + value.insured_shortfall


@st.composite
def values(draw: st.DrawFn) -> Value:
    """A value that payments, loans, insurers and customs have been at."""
    value = value_model.unencumbered(usd(draw(st.integers(1, 10**9))), CAP)
    financed = usd(draw(st.integers(0, value.free.minor_units)))
    insured = usd(draw(st.integers(0, value.insurable.minor_units)))
    value = moved(value, Move(Part.FREE, Part.FINANCED, financed), Move(Part.INSURABLE, Part.INSURED, insured))
    paid = usd(draw(st.integers(0, 10**9)))
    value = moved(value, *_payment(value, paid))
    value = moved(value, *value_model.taken_back(value, min(usd(draw(st.integers(0, 10**9))), value.declared)))
    value = moved(value, *value_model.lowered(value, usd(draw(st.integers(0, value.declared.minor_units)))))
    return moved(value, *value_model.margin_restored(value, CAP))


@given(values(), st.integers(0, 10**9))
def test_what_customs_says_is_the_value(value: Value, units: int) -> None:
    """I1: up or down, whatever stands on it, the parts come to the new value."""
    holds(value)
    to = usd(units)
    moves = value_model.lowered(value, to) if to < value.declared else value_model.raised(value, to, CAP)
    after = moved(value, *moves)
    holds(after)
    assert after.declared == to
    assert (after.financed, after.insured) == (value.financed, value.insured)
    short = after.shortfall - value.shortfall
    if to < value.declared:
        lost = value.declared - to - (value.free + value.margin)
        assert short == min(max(lost, usd(0)), value.backed)


@given(values())
def test_up_and_down_again_is_as_before(value: Value) -> None:
    """The margin follows from the value, not from its way; nothing that was paid for becomes free."""
    up = moved(value, *value_model.raised(value, value.declared + usd(12_345), CAP))
    up = moved(up, *value_model.margin_restored(up, CAP))
    down = moved(up, *value_model.lowered(up, value.declared))
    down = moved(down, *value_model.margin_restored(down, CAP))
    assert down == value


@given(values(), st.integers(0, 10**9))
def test_down_and_up_again_is_as_before(value: Value, units: int) -> None:
    """A payment or a return isn't there to be lent on because customs took the value away and gave it again."""
    down = moved(value, *value_model.lowered(value, min(usd(units), value.declared)))
    up = moved(down, *value_model.raised(down, value.declared, CAP))
    assert moved(up, *value_model.margin_restored(up, CAP)) == value


@given(values(), st.integers(0, 10**9))
def test_goods_that_came_back(value: Value, units: int) -> None:
    """VALUE stays, what is returned grows by what counted."""
    back = min(usd(units), value.declared - value.returned)
    after = moved(value, *value_model.taken_back(value, back))
    holds(after)
    assert (after.declared, after.returned) == (value.declared, value.returned + back)


@given(values(), st.integers(0, 10**9))
def test_the_cap_holds_of_what_is_free(value: Value, units: int) -> None:
    """cap: free value and finance together are within it, unless finance alone exceeds it."""
    after = moved(value, *value_model.raised(value, value.declared + usd(units), CAP))
    after = moved(after, *value_model.margin_restored(after, CAP))
    most = after.declared - value_model.margin_of(after.declared, CAP)
    assert not after.free or after.financed + after.free <= most


@given(values(), st.integers(1, 10**9))
def test_a_payment_is_applied_whole(value: Value, units: int) -> None:
    """To what has value behind it, what is free, the margin, what has none; the rest is excess."""
    holder = _encumbrance("a", value.financed)
    unbacked = {holder.holder: value.shortfall} if value.shortfall else {}
    found = apply_proceeds(ASSET, value, [holder] if value.financed else [], usd(units), unbacked)
    assert found.financed + found.free + found.margin + found.cured + found.excess == usd(units)
    assert sum((settled_part.amount for settled_part in found.settled), usd(0)) == found.financed + found.cured


@given(values(), st.integers(1, 10**9))
def test_what_is_paid_is_neither_insured_nor_insurable(value: Value, units: int) -> None:
    """A payment takes of both what the buyer owed, of cover first and never of what has no value behind it."""
    after = moved(value, *_payment(value, usd(units)))
    holds(after)
    paid = min(usd(units), value.unpaid)
    assert after.settled == value.settled + paid
    assert value.insured - after.insured == min(paid, value.insured_backed)
    assert after.insured_shortfall == value.insured_shortfall


@pytest.mark.parametrize(
    ("insured", "paid", "left", "settled"),
    [
        ((60,), 80, (0, 20), (60,)),
        ((60,), 20, (40, 40), (20,)),
        ((100,), 100, (0, 0), (100,)),
        ((30, 50), 40, (40, 20), (30, 10)),
        ((), 70, (0, 30), ()),
    ],
)
def test_a_payment_of_a_value_of_100_settles_the_oldest_cover_first(
    insured: tuple[int, ...], paid: int, left: tuple[int, int], settled: tuple[int, ...]
) -> None:
    standing = [_cover(letter, usd(units)) for letter, units in zip("ab", insured, strict=False)]
    found = encumbrance_model.settle_cover(ASSET, standing, usd(paid), {})
    assert tuple(settled_part.amount.minor_units for settled_part in found.settled) == settled
    assert (sum(insured) - found.insured.minor_units, 100 - sum(insured) - found.insurable.minor_units) == left


def _payment(value: Value, amount: Money) -> list[Move]:
    """Returns the moves of a payment where one bank finances and one insurer covers."""
    financing = [_encumbrance("a", value.financed)] if value.financed else []
    covering = [_cover("b", value.insured)] if value.insured else []
    application = apply_proceeds(ASSET, value, financing, amount, {"banks/A": value.shortfall})
    unbacked = {"insurers/I": value.insured_shortfall}
    cover = encumbrance_model.settle_cover(ASSET, covering, application.within_value, unbacked)
    return [*application.moves(), *cover.moves()]


def _cover(identifier: str, amount: Money) -> Encumbrance:
    return replace(_encumbrance(identifier, amount, "insurers/I"), asset_class=AssetClass.INSURANCE)


def _encumbrance(identifier: str, amount: Money, holder: str = "banks/A", is_equal: bool = False) -> Encumbrance:
    items = (Item(ASSET, amount, amount.zero()),)
    state = encumbrance_model.State.CONFIRMED
    return Encumbrance(
        id=identifier,
        holder=holder,
        enterprise="enterprises/E",
        asset_class=AssetClass.RECEIVABLE,
        items=items,
        pari_passu=is_equal,
        state=state,
        expire_us=0,
        reference="",
        fencing_number=ord(identifier),
        create_us=1,
        revision=1,
    )


def test_a_payment_goes_to_finance_with_value_behind_it_first() -> None:
    """Two rank equally, of whom one has resolved its share."""
    short = {Part.FINANCED: 80, Part.SHORTFALL: 20}
    value = replace(value_model.unencumbered(usd(0), CAP), financed=usd(short[Part.FINANCED]), shortfall=usd(20))
    both = [_encumbrance("a", usd(30), "banks/A", True), _encumbrance("b", usd(50), "banks/B", True)]
    found = apply_proceeds(ASSET, value, both, usd(60), {"banks/B": usd(20)})
    assert [(settled_part.encumbrance.id, settled_part.amount) for settled_part in found.settled] == [
        ("a", usd(30)),
        ("b", usd(30)),
    ]
    rest = apply_proceeds(ASSET, value, both, usd(70), {"banks/B": usd(20)})
    assert (rest.cured, dict(rest.cured_by_holder)["banks/B"]) == (usd(10), usd(10))
    assert item_of(both[0], ASSET).outstanding == usd(30)


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=6), st.data())
def test_shares_add_up_however_a_breach_ends(held: list[int], data: st.DataObject) -> None:
    """To the last cent, whoever gives back how much."""
    outstanding = {f"banks/{index}": usd(units) for index, units in enumerate(held)}
    amount = usd(data.draw(st.integers(1, sum(held))))
    shares = shared(amount, outstanding)
    assert sum((share.amount for share in shares), usd(0)) == amount
    assert all(share.amount <= outstanding[share.holder] for share in shares)
    breach = Breach(
        id="b",
        asset=ASSET,
        enterprise="enterprises/E",
        asset_class=AssetClass.RECEIVABLE,
        amount=amount,
        open_amount=amount,
        cause="AMENDED",
        state=breach_model.State.OPEN,
        shares=shares,
        create_us=1,
        revision=1,
    )
    while breach.open_amount:
        part = usd(data.draw(st.integers(1, breach.open_amount.minor_units)))
        holder = data.draw(st.sampled_from(["", *outstanding]))
        before = breach
        (breach,) = cured([breach], part, holder)
        assert before.open_amount - breach.open_amount == part
        assert sum((share.open for share in breach.shares), usd(0)) == breach.open_amount
    assert breach.state is breach_model.State.CURED


def test_the_oldest_breach_is_cured_first() -> None:
    """The next one gets what is left."""
    share = (Share("banks/A", usd(10), usd(10)),)
    old, new = (
        Breach(
            id=name,
            asset=ASSET,
            enterprise="enterprises/E",
            asset_class=AssetClass.RECEIVABLE,
            amount=usd(10),
            open_amount=usd(10),
            cause="AMENDED",
            state=breach_model.State.OPEN,
            shares=share,
            create_us=when,
            revision=1,
        )
        for name, when in (("z", 1), ("a", 2))
    )
    assert [(breach.id, breach.open_amount) for breach in cured([new, old], usd(13))] == [("z", usd(0)), ("a", usd(7))]


@pytest.mark.parametrize("machine", [breach_model, encumbrance_model])
def test_every_pair_of_state_and_verb_is_decided(machine: Any) -> None:
    """A pair that isn't in the table is refused; an end is an end."""
    transitions, states, verbs = machine.TRANSITIONS, machine.State, machine.Verb
    allowed = {
        breach_model: {("OPEN", "cure"): "CURED", ("OPEN", "resolve"): "RESOLVED"},
        encumbrance_model: {
            ("RESERVED", "confirm"): "CONFIRMED", ("RESERVED", "release"): "RELEASED",
            ("RESERVED", "expire"): "EXPIRED", ("CONFIRMED", "release"): "RELEASED",
            ("CONFIRMED", "reduce"): "CONFIRMED",
        },
    }[machine]  # fmt: skip
    for state, verb in product(states, verbs):
        assert transitions.get((state, verb)) == allowed.get((state.value, verb.value)), (state, verb)


@given(st.integers(1, 10**9), st.decimals("0.0001", "2000", places=10), st.decimals("0", "0.2", places=2))
def test_a_claim_is_converted_against_its_holder_once(units: int, rate: Decimal, haircut: Decimal) -> None:
    """Up, by less than a unit; yen have no cents."""
    for currency, digits in (("USD", 2), ("JPY", 0)):
        reference = ReferenceRate("CNY", currency, rate, RateOrigin("ECB", date(2026, 10, 30), 31, is_stale=True))
        item = converted(Item(ASSET, Money("CNY", units), Money("CNY", 0)), reference, haircut)
        exact = (Decimal(units) / 100 * rate * (1 + haircut)).scaleb(digits)
        assert 0 <= item.amount.minor_units - exact < 1
        assert item.requested == Money("CNY", units)
