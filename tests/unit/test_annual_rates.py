"""Annual rates: simple beside effective by worked cases, internal rates by what they mean."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chassis.money import Money
from trade import annual_rates
from trade.annual_rates import CashFlow, effective_rate, internal_rates, internal_rates_of_periods
from trade.interest import interest, simple_rate

START = date(2026, 1, 15)
LENT, FEE, PREMIUM = Money("USD", 101_830_40), Money("USD", 150_00), Money("USD", 1_234_69)
NEAR = Decimal("1e-9")


def years(*amounts: str) -> list[CashFlow]:
    """Returns amounts 365 days apart."""
    return [CashFlow(START + timedelta(days=365 * number), Decimal(amount)) for number, amount in enumerate(amounts)]


def test_a_loan_s_cost_is_simple_and_effective_without_and_with_what_others_charge() -> None:
    """The worked case of the all-in cost, simple and effective."""
    owed = interest(LENT, Decimal("0.0435"), 90, 360)
    assert owed == Money("USD", 1_107_41)
    assert (owed + FEE, owed + FEE + PREMIUM) == (Money("USD", 1_257_41), Money("USD", 2_492_10))
    received, paid_back = LENT - FEE, LENT + owed
    assert [simple_rate(owed + FEE, received, 90, basis) for basis in (360, 365)] == [
        Decimal("0.049465"),
        Decimal("0.050152"),
    ]
    assert effective_rate(received, paid_back, 90) == Decimal("0.051108")
    assert effective_rate(received - PREMIUM, paid_back, 90) == Decimal("0.104499")


@pytest.mark.parametrize(
    ("days", "rate", "fee", "simple", "effective"),
    [(30, "0.0490", 200_00, "0.073146", "0.076739"), (180, "0.0740", 0, "0.074000", "0.076455")],
)
def test_the_cheaper_offer_may_be_the_dearer(days: int, rate: str, fee: int, simple: str, effective: str) -> None:
    """By the simple rate the first of its two offers is cheaper, by the effective rate the second."""
    amount, kept = Money("USD", 100_000_00), Money("USD", fee)
    owed = interest(amount, Decimal(rate), days, 360)
    assert simple_rate(owed + kept, amount - kept, days, 360) == Decimal(simple)
    assert effective_rate(amount - kept, amount + owed, days) == Decimal(effective)


def test_a_cost_beyond_any_rate_has_none() -> None:
    assert effective_rate(Money("USD", 1), Money("USD", 80_000_00), 1) is None
    assert effective_rate(Money("USD", 100), Money("USD", 100), 1) == 0


@pytest.mark.parametrize(
    ("amounts", "rates"),
    [
        (("-100", "110"), ["0.1"]),
        (("100", "-110"), ["0.1"]),
        (("-100", "100"), ["0"]),
        (("-100", "230", "-132"), ["0.1", "0.2"]),
        (("-100", "0", "144"), ["0.2"]),
        (("-100", "1"), ["-0.99"]),
        (("100", "200"), []),
        (("0", "0"), []),
        (("-100",), []),
        (("100", "-100", "100"), []),
    ],
)
def test_the_internal_rates_are_those_at_which_nothing_is_left(amounts: tuple[str, ...], rates: list[str]) -> None:
    found_rates = internal_rates(years(*amounts))
    assert len(found_rates) == len(rates)
    assert all(abs(rate - Decimal(expected)) < NEAR for rate, expected in zip(found_rates, rates, strict=True))
    assert found_rates == internal_rates_of_periods([Decimal(amount) for amount in amounts])


def test_flows_of_a_day_or_two_have_a_rate_only_within_reason() -> None:
    overnight = [CashFlow(START, Decimal("-1000")), CashFlow(START + timedelta(days=1), Decimal("1000.10"))]
    (rate,) = internal_rates(overnight)
    assert abs(rate - Decimal("0.037172411")) < NEAR
    assert internal_rates([CashFlow(START, Decimal(1)), CashFlow(START + timedelta(days=1), Decimal(-2))]) == ()
    assert internal_rates([CashFlow(START, Decimal(-1)), CashFlow(START, Decimal(2))]) == ()


def test_values_of_now_and_then() -> None:
    assert annual_rates.net_present_value(Decimal("0.25"), years("0", "100")) == 80
    assert annual_rates.net_future_value(Decimal("0.25"), years("80", "0")) == 100
    with pytest.raises(ValueError, match="takes all"):
        annual_rates.net_present_value(Decimal(-1), years("1", "1"))


FLOWS = st.lists(
    st.builds(
        lambda days, cents: CashFlow(START + timedelta(days=days), Decimal(cents).scaleb(-2)),
        st.integers(0, 3_650),
        st.integers(-(10**9), 10**9),
    ),
    min_size=2,
    max_size=8,
)


@given(FLOWS)
def test_at_each_internal_rate_the_present_value_is_zero(flows: list[CashFlow]) -> None:
    most = sum(abs(flow.amount) for flow in flows)
    for rate in internal_rates(flows):
        grown = max(Decimal(1), (1 + rate) ** -10)
        assert abs(annual_rates.net_present_value(rate, flows)) <= most * grown * NEAR


@given(FLOWS, st.integers(-99, 300))
def test_flows_that_are_worth_nothing_at_a_rate_have_it(flows: list[CashFlow], hundredths: int) -> None:
    """The rate by which a balancing flow was computed is among the internal rates."""
    rate = Decimal(hundredths).scaleb(-2)
    last = max(flow.day for flow in flows) + timedelta(days=30)
    years_of_all = (last - min(flow.day for flow in flows)).days / Decimal(365)
    assume((1 + rate) ** years_of_all > Decimal("1e-11"))
    balancing = -annual_rates.net_future_value(rate, [*flows, CashFlow(last, Decimal(0))])
    rates = internal_rates([*flows, CashFlow(last, balancing)])
    # Where two rates are one, the sign doesn't change, and none is found.
    assume(len(rates) % 2 == 1)
    assert any(abs(each - rate) < NEAR for each in rates)


@given(st.integers(1, 10**12), st.integers(0, 10**10), st.integers(1, 360))
def test_the_effective_rate_is_the_internal_rate_of_the_two_payments(lent: int, cost: int, days: int) -> None:
    effective = effective_rate(Money("USD", lent), Money("USD", lent + cost), days)
    assume(effective is not None and effective < 5_000)
    assert effective is not None
    flows = [
        CashFlow(START, Decimal(lent)),
        CashFlow(START + timedelta(days=days), Decimal(-lent - cost)),
    ]
    (internal,) = internal_rates(flows)
    assert abs(internal - effective) <= Decimal("0.000001")
