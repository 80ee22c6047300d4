"""The pure rules of credit insurance: states, what is owed, rates, premium, what is covered and held."""

import datetime
import itertools
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import WrongState
from chassis.money import Money, to_proto
from chassis.states import moved
from ledger.model import Account, Limit
from services.credit_insurance import premium_rates
from services.credit_insurance.buyer_limit import model as buyer_limit
from services.credit_insurance.cover_hold import model as cover
from services.credit_insurance.covered_shipment import model, plan
from services.credit_insurance.covered_shipment.model import CoveredShipment, State
from services.credit_insurance.covered_shipment.reactions import REACTIONS
from services.credit_insurance.policy import model as policy

DAY = datetime.date(2026, 11, 2)
SHIPMENT = CoveredShipment(
    id="covered-shipment-1",
    buyer_limit="buyerLimits/1",
    policy="policies/1",
    declaration="declarations/460120260000000001",
    insurer="insurers/ZZZZ00HYXB2026000141",
    enterprise="enterprises/91411023MAXY00112A",
    invoice_amount=Money("USD", 12_000_000),
    shipment_date=DAY,
    due_date=DAY + datetime.timedelta(days=90),
    covered_amount=Money("USD", 10_000_000),
    premium=Money("USD", 78_000),
    premium_rate=Decimal("0.0065"),
    premium_rate_source="policies/1",
    insured_ratio=Decimal("0.90"),
    state=State.DECLARED,
    refusal_reason="",
    revision=1,
    create_us=0,
    insured_value=Money("EUR", 9_479_300),
    paid_before=Money("EUR", 0),
)
MACHINES: list[tuple[Mapping[tuple[Any, Any], Any], type[StrEnum], type[StrEnum], set[str]]] = [
    (
        policy.TRANSITIONS,
        policy.State,
        policy.Verb,
        {"PENDING_APPROVAL: approve -> IN_FORCE", "IN_FORCE: end -> ENDED"},
    ),
    (
        buyer_limit.TRANSITIONS,
        buyer_limit.State,
        buyer_limit.Verb,
        {
            "REQUESTED: decide -> PENDING_APPROVAL",
            "PENDING_APPROVAL: approve -> IN_FORCE",
            "IN_FORCE: end -> ENDED",
            "PENDING_APPROVAL: approve refusal -> REFUSED",
        },
    ),
    (cover.TRANSITIONS, cover.State, cover.Verb, {"HELD: release -> RELEASED"}),
    (
        model.TRANSITIONS,
        model.State,
        model.Verb,
        {
            "DECLARED: value reserved -> VALUE_RESERVED",
            "VALUE_RESERVED: value confirmed -> VALUE_MARKED",
            "VALUE_MARKED: premium collected -> COVERED",
            "COVERED: paid off -> PAID",
            "PAID: value released -> CLOSED",
            "DECLARED: cancel -> CANCELLING",
            "VALUE_RESERVED: cancel -> CANCELLING",
            "VALUE_MARKED: cancel -> CANCELLING",
            "CANCELLING: value released -> REFUSED",
        },
    ),
]


class Thing:
    """Anything with a state."""

    name, revision = "things/1", 1

    def __init__(self, state: Any) -> None:
        self.state = state


@pytest.mark.parametrize(("table", "states", "verbs", "legal"), MACHINES)
def test_every_state_and_verb(table: Any, states: type[StrEnum], verbs: type[StrEnum], legal: set[str]) -> None:
    """The pairs that move, and to where; every other pair is refused."""
    found = set()
    for state, verb in itertools.product(states, verbs):
        try:
            found.add(f"{state}: {verb} -> {moved(table, Thing(state), verb)}")
        except WrongState:
            continue
    assert found == legal


@pytest.mark.parametrize("state", State)
def test_plan_of_every_state(state: State) -> None:
    """What each state owes, to whom, for whom; the ids are known without an answer."""
    owed = {
        State.DECLARED: ("reserve value", "declarations", "ReserveEncumbrance"),
        State.VALUE_RESERVED: ("confirm value", "declarations", "ConfirmEncumbrance"),
        State.VALUE_MARKED: ("collect premium", "settlement", "CollectPremium"),
        State.CANCELLING: ("release value", "declarations", "ReleaseEncumbrance"),
        State.PAID: ("release value", "declarations", "ReleaseEncumbrance"),
    }
    call = plan.owed(replace(SHIPMENT, state=state))
    assert (call and (call.step, call.service, call.method)) == owed.get(state)
    if call:
        assert call.tenant == SHIPMENT.insurer
        assert call.step in REACTIONS


def test_calls_say_the_same_encumbrance_and_the_right_amounts() -> None:
    """The invoice is reserved at the register, its covered part confirmed, the premium of the whole collected."""
    reserve, confirm, collect, release = (
        call.request
        for state in (State.DECLARED, State.VALUE_RESERVED, State.VALUE_MARKED, State.CANCELLING)
        if (call := plan.owed(replace(SHIPMENT, state=state)))
    )
    assert confirm.name == release.name == f"encumbrances/{reserve.encumbrance_id}"
    (item,) = reserve.encumbrance.items
    assert (item.asset, item.amount) == (SHIPMENT.declaration, to_proto(SHIPMENT.invoice_amount))
    (item,) = confirm.items
    assert (item.asset, item.amount) == (SHIPMENT.declaration, to_proto(Money("EUR", 9_479_300)))
    assert reserve.encumbrance.asset_class == reserve.encumbrance.INSURANCE
    assert reserve.encumbrance.reference == collect.covered_shipment == SHIPMENT.name
    assert (collect.amount.minor_units, collect.enterprise) == (78_000, SHIPMENT.enterprise)
    assert plan.owed(replace(SHIPMENT, id="another")).request.encumbrance_id != reserve.encumbrance_id  # type: ignore[union-attr]


def test_golden_premiums() -> None:
    """USD 120,000, 150,000 and 80,000 at 0.65 %: 780.00, 975.00 and 520.00."""
    premiums = [
        model.premium(Money("USD", invoice), Decimal("0.0065")) for invoice in (12_000_000, 15_000_000, 8_000_000)
    ]
    assert premiums == [Money("USD", 78_000), Money("USD", 97_500), Money("USD", 52_000)]


@pytest.mark.parametrize(
    ("currency", "units", "rate", "expected"),
    [
        ("USD", 100, "0.005", 1),
        ("USD", 100, "0.00499999", 0),
        ("JPY", 12_345_678, "0.0125", 154_321),
        ("KWD", 1, "0.5", 1),
    ],
)
def test_premium_rounds_half_up_to_the_minor_unit(currency: str, units: int, rate: str, expected: int) -> None:
    assert model.premium(Money(currency, units), Decimal(rate)) == Money(currency, expected)


amounts = st.integers(0, 10**15)
rates = st.decimals(Decimal("0.00000001"), 1, places=8)


@given(amounts, amounts, rates, rates)
def test_premium_is_monotone_in_amount_and_rate(one: int, other: int, low: Decimal, high: Decimal) -> None:
    small, large = sorted([one, other])
    low, high = sorted([low, high])
    assert model.premium(Money("USD", small), low) <= model.premium(Money("USD", large), low)
    assert model.premium(Money("USD", large), low) <= model.premium(Money("USD", large), high)


countries = st.sampled_from(["USA", "DEU", "MYS", "NGA", "XKX"])
ratios = st.decimals(Decimal("0.01"), Decimal("0.95"), places=2)


@given(countries, st.integers(0, 360), st.integers(0, 360), ratios, ratios)
def test_table_rate_is_monotone_in_term_and_ratio(
    country: str, one: int, other: int, low: Decimal, high: Decimal
) -> None:
    shorter, longer = sorted([one, other])
    low, high = sorted([low, high])
    cheap = premium_rates.table_rate(country, shorter, low, DAY)
    dear = premium_rates.table_rate(country, longer, high, DAY)
    assert cheap is not None
    assert dear is not None
    assert cheap.rate <= dear.rate


@given(st.integers(0, 360), ratios)
def test_table_rate_is_monotone_in_the_countrys_grade(term_days: int, ratio: Decimal) -> None:
    standard, high, very_high = (
        premium_rates.table_rate(country, term_days, ratio, DAY) for country in ("USA", "XKX", "NGA")
    )
    assert standard
    assert high
    assert very_high
    assert standard.rate < high.rate < very_high.rate


@pytest.mark.parametrize(
    ("country", "term_days", "ratio", "on", "expected"),
    [
        ("USA", 0, "0.90", DAY, ("0.0097", "premium_rates STANDARD/3/0.90 2020-01-01")),
        ("USA", 90, "0.90", DAY, ("0.0097", "premium_rates STANDARD/3/0.90 2020-01-01")),
        ("USA", 91, "0.90", DAY, ("0.0139", "premium_rates STANDARD/6/0.90 2020-01-01")),
        ("USA", 90, "0.91", DAY, ("0.0103", "premium_rates STANDARD/3/0.95 2020-01-01")),
        ("NGA", 360, "0.50", DAY, ("0.0371", "premium_rates VERY_HIGH/12/0.90 2020-01-01")),
        ("XKX", 180, "0.95", DAY, ("0.0186", "premium_rates HIGH/6/0.95 2020-01-01")),
        ("USA", 361, "0.90", DAY, None),
        ("USA", 90, "0.96", DAY, None),
        ("USA", 90, "0.90", datetime.date(2019, 12, 31), None),
    ],
)
def test_table_rate(
    country: str, term_days: int, ratio: str, on: datetime.date, expected: tuple[str, str] | None
) -> None:
    rate = premium_rates.table_rate(country, term_days, Decimal(ratio), on)
    assert (rate and (str(rate.rate), rate.source)) == expected


def _line(credits: int, debits: int, held: int) -> Account:
    bound = Limit.DEBITS_MUST_NOT_EXCEED_CREDITS
    return Account("", "exposure", "USD", bound, held, debits, 0, credits)


@pytest.mark.parametrize(
    ("invoice", "limit", "maximum", "expected"),
    [
        (100, (100, 0, 0), (100, 0, 0), 100),
        (100, (100, 1, 0), (100, 0, 0), 99),
        (100, (100, 0, 1), (100, 0, 0), 99),
        (100, (200, 0, 0), (100, 60, 10), 30),
        (100, (100, 50, 50), (100, 0, 0), 0),
        (100, (300, 100, 50), (300, 0, 0), 100),
    ],
)
def test_covered_is_the_invoice_as_far_as_both_lines_have_something_left(
    invoice: int, limit: tuple[int, int, int], maximum: tuple[int, int, int], expected: int
) -> None:
    assert model.covered_amount(Money("USD", invoice), _line(*limit), _line(*maximum)).minor_units == expected


@given(amounts, amounts, amounts)
def test_after_retiring_nothing_available_is_uninsured(booked: int, held: int, insured: int) -> None:
    """What lenders hold stays; what they don't never exceeds what is insured beyond it; nothing insured is taken."""
    booked, held = max(booked, held), min(booked, held)
    retired = cover.no_longer_insured(_line(booked, 0, held), Money("USD", insured)).minor_units
    assert 0 <= retired <= booked - held
    left = booked - retired
    assert left <= max(insured, held)
    assert left >= min(insured, booked)


@pytest.mark.parametrize(
    ("exposure", "ratio", "expected"), [(5, "0.90", 5), (4, "0.90", 4), (1, "0.5", 1), (1, "0.4", 0)]
)
def test_insured_amount_rounds_half_up(exposure: int, ratio: str, expected: int) -> None:
    shipment = replace(SHIPMENT, insured_ratio=Decimal(ratio))
    assert shipment.insured(Money("USD", exposure)) == Money("USD", expected)


@pytest.mark.parametrize("days", [-1, 0, 1])
def test_policies_and_limits_count_from_their_first_to_their_last_day(days: int) -> None:
    """Both days included, and only in force."""
    first, last = DAY, DAY + datetime.timedelta(days=30)
    terms = policy.Policy(
        id="1",
        insurer="",
        enterprise="",
        insured_ratio=Decimal(1),
        maximum_liability=Money("USD", 1),
        start_date=first,
        end_date=last,
        state=policy.State.IN_FORCE,
        maker="",
        create_us=0,
    )
    limit = buyer_limit.BuyerLimit(
        id="1",
        policy="",
        insurer="",
        enterprise="",
        buyer_name="",
        buyer_country="USA",
        requested_amount=Money("USD", 1),
        amount=Money("USD", 1),
        payment_term_days=90,
        start_date=first,
        end_date=last,
        state=buyer_limit.State.IN_FORCE,
        create_us=0,
    )
    for undertaking in (terms, limit):
        assert undertaking.in_force(first + datetime.timedelta(days)) == (days >= 0)
        assert undertaking.in_force(last + datetime.timedelta(days)) == (days <= 0)
    assert not replace(terms, state=policy.State.PENDING_APPROVAL).in_force(first)
    assert not replace(limit, state=buyer_limit.State.PENDING_APPROVAL).in_force(first)
    assert not replace(limit, state=buyer_limit.State.REFUSED, start_date=None).in_force(first)


@pytest.mark.parametrize(
    ("covered", "insured", "paid", "owed"),
    [
        (Money("USD", 10_000), Money("EUR", 9_000), [3_000, 3_000, 3_000], [6_667, 3_334, 0]),
        (Money("JPY", 1_000), Money("KWD", 2_001), [1, 1_000, 999, 1], [1_000, 500, 1, 0]),
        (Money("KWD", 2_001), Money("JPY", 1_000), [1, 998, 1], [1_999, 3, 0]),
        (Money("USD", 5_000), Money("USD", 5_000), [4_999, 1], [1, 0]),
        (Money("USD", 3), Money("EUR", 7), [1, 1, 1, 10**9], [3, 3, 2, 0]),
    ],
)
def test_a_payment_frees_in_proportion_and_the_last_one_the_rest(
    covered: Money, insured: Money, paid: list[int], owed: list[int]
) -> None:
    """In currencies of no, two and three decimals; what was paid before the cover counts for nothing."""
    before = Money(insured.currency, 777)
    shipment = replace(SHIPMENT, covered_amount=covered, insured_value=insured, paid_before=before)
    told = [before.minor_units + sum(paid[: index + 1]) for index in range(len(paid))]
    assert [model.owed_after(shipment, Money(insured.currency, units)).minor_units for units in told] == owed
    assert model.owed_after(shipment, before.zero()) == covered


@given(st.integers(1, 10**15), st.integers(1, 10**15), st.lists(st.integers(1, 10**12), max_size=8))
def test_exposure_only_falls_and_is_nothing_exactly_when_all_is_paid(units: int, held: int, paid: list[int]) -> None:
    covered, insured = Money("USD", units), Money("EUR", held)
    shipment = replace(SHIPMENT, covered_amount=covered, insured_value=insured)
    told = [Money("EUR", total) for total in itertools.accumulate(paid, initial=0)]
    owed = [model.owed_after(shipment, one) for one in told]
    assert all(after <= before for before, after in itertools.pairwise(owed))
    assert [not one for one in owed] == [one >= insured for one in told]


@given(st.integers(1, 10**12), st.integers(1, 10**12), st.integers(1, 10**12))
def test_the_insured_part_is_no_less_than_its_share(reserved: int, asked: int, covered: int) -> None:
    covered = min(covered, asked)
    part = model.insured_part(Money("EUR", reserved), Money("USD", asked), Money("USD", covered)).minor_units
    assert (part - 1) * asked < reserved * covered <= part * asked
    assert part <= reserved
