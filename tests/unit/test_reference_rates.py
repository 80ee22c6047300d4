"""Reference rates with source, day and age; prices by quotation units, and conversions with one leg fixed."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.codetables import CodeTable, code_table
from chassis.money import Money
from trade import quotations, reference_rates
from trade.quotations import Quotation, bought, quotation_units, sold
from trade.reference_rates import RateMissing, RateStale, Use, deal_rate, reference_rate

PUBLISHED = date(2025, 6, 30)
TODAY = date(2026, 11, 30)
CURRENCIES = ("EUR", "USD", "CNY", "JPY", "GBP", "HKD", "IDR", "KRW")
YEN = Quotation("JPY", "CNY", 100, Decimal("4.5872"), Decimal("4.6194"))


def test_a_rate_has_source_day_and_age() -> None:
    rate = reference_rate("USD", "CNY", PUBLISHED + timedelta(days=2))
    assert rate is not None
    assert (rate.rate, rate.origin.publish_date, rate.origin.age_days) == (Decimal("7.1646757679"), PUBLISHED, 2)
    assert rate.origin.source == "ECB euro foreign exchange reference rate of 2025-06-30"
    assert not rate.origin.is_stale


def test_no_rate_is_of_a_day_before_it_was_published() -> None:
    assert reference_rate("USD", "CNY", PUBLISHED - timedelta(days=1)) is None
    assert reference_rate("USD", "XXX", TODAY) is None
    assert reference_rate("XXX", "USD", TODAY) is None


def test_the_name_of_each_source_has_the_day_from_which_its_rate_counts() -> None:
    rows = code_table("trade", "exchange_rates").rows()
    assert all(row["effective_from"] in row["source"] for row in rows if row["code"] != "EUR")
    assert {row["value"] for row in rows if row["code"] == "EUR"} == {"1"}


def test_a_stale_rate_is_marked_for_a_valuation_and_refused_for_a_deal() -> None:
    """The last rates are of 2026-10-30: a month later they still value, and no deal is made at them."""
    valued = reference_rate("EUR", "CNY", TODAY)
    assert valued is not None
    assert (valued.rate, valued.origin.age_days, valued.origin.is_stale) == (Decimal("7.4326"), 31, True)
    with pytest.raises(RateStale) as stale:
        deal_rate("EUR", "CNY", TODAY)
    assert stale.value.metadata == {"base": "EUR", "quote": "CNY", "age_days": "31", "age_days_max": "5"}
    with pytest.raises(RateMissing):
        deal_rate("XOF", "CNY", TODAY)


@pytest.mark.parametrize(("days", "is_taken"), [(0, True), (5, True), (6, False)])
def test_a_deal_takes_a_rate_up_to_its_limit_of_age(days: int, is_taken: bool) -> None:
    on = date(2026, 10, 30) + timedelta(days=days)
    limit = reference_rates.age_days_max(Use.DEAL, on)
    assert is_taken == (days <= limit)
    if is_taken:
        assert deal_rate("USD", "CNY", on).origin.age_days == days
    else:
        with pytest.raises(RateStale):
            deal_rate("USD", "CNY", on)


def test_a_table_of_the_institution_s_is_used_as_the_packaged_one() -> None:
    rates = code_table("trade", "exchange_rates")
    empty = CodeTable({})
    assert reference_rate("USD", "CNY", TODAY, rates=rates) == reference_rate("USD", "CNY", TODAY)
    assert reference_rate("USD", "CNY", TODAY, rates=empty) is None


@given(st.sampled_from(CURRENCIES), st.sampled_from(CURRENCIES), st.sampled_from(CURRENCIES))
def test_inverse_and_cross_rates_agree(base: str, quote: str, third: str) -> None:
    """As far as the ten decimals of each rate tell."""
    rates = {}
    for pair in ((base, quote), (quote, base), (base, third), (third, quote)):
        rate = reference_rate(*pair, TODAY)
        assert rate is not None
        rates[pair] = rate.rate
    step = reference_rates.RATE_DECIMALS
    assert abs(rates[base, quote] * rates[quote, base] - 1) <= step * (rates[base, quote] + rates[quote, base] + 1)
    crossed = rates[base, third] * rates[third, quote]
    assert abs(crossed - rates[base, quote]) <= step * (rates[base, third] + rates[third, quote] + 2)
    assert (rates[base, quote] == 1) == (base == quote)


def test_yen_are_quoted_by_the_hundred_and_the_derived_leg_is_rounded_once() -> None:
    """The worked case of yen quoted per 100."""
    assert (quotation_units("JPY", "CNY", TODAY), quotation_units("USD", "CNY", TODAY)) == (100, 1)
    assert sold(YEN, Money("JPY", 12_345_678)).quote == Money("CNY", 566_320_94)
    asked = sold(YEN, Money("CNY", 500_000_00))
    assert (asked.base, asked.quote) == (Money("JPY", 10_899_895), Money("CNY", 500_000_00))
    assert asked.rounding_difference == Money("CNY", 2)
    assert bought(YEN, Money("JPY", 3_000_000)).quote == Money("CNY", 138_582_00)
    with pytest.raises(ValueError, match="JPY or CNY"):
        sold(YEN, Money("USD", 1))


@given(st.integers(1, 10**13), st.integers(1, 10**8), st.sampled_from([1, 100]))
def test_the_fixed_leg_is_paid_as_asked_and_the_difference_is_a_rounding(units: int, price: int, quoted: int) -> None:
    quotation = Quotation("JPY", "CNY", quoted, Decimal(price).scaleb(-4), Decimal(price).scaleb(-4))
    by_base = quotations.sold(quotation, Money("JPY", units))
    assert (by_base.base, by_base.rounding_difference) == (Money("JPY", units), Money("CNY", 0))
    fixed = Money("CNY", units)
    by_quote = quotations.bought(quotation, fixed)
    assert by_quote.quote == fixed
    # Half a yen's worth, and half a fen of the second rounding.
    most = Decimal(price).scaleb(-4) / quoted * 100 / 2 + Decimal("0.5")
    assert abs(by_quote.rounding_difference.minor_units) <= most
