"""Reference rates: the published day, the day before a gap, and no guess beyond it."""

from datetime import date
from decimal import Decimal

import pytest

from services.settlement.exchange_rates import ReferenceRateMissingError, reference_rate

FRIDAY, SUNDAY = date(2024, 3, 15), date(2024, 3, 17)


def test_a_published_day() -> None:
    found = reference_rate("EUR", "USD", FRIDAY)
    assert (found.rate, found.rate_date) == (Decimal("1.0892"), FRIDAY)


def test_a_day_without_rates_takes_the_one_before() -> None:
    assert reference_rate("EUR", "USD", SUNDAY) == reference_rate("EUR", "USD", FRIDAY)


def test_a_cross_rate_goes_through_the_euro() -> None:
    dollar, yuan = (reference_rate("EUR", code, FRIDAY).rate for code in ("USD", "CNY"))
    assert abs(reference_rate("USD", "CNY", FRIDAY).rate - yuan / dollar) < Decimal("1e-9")


def test_a_currency_is_worth_itself() -> None:
    assert reference_rate("USD", "USD", FRIDAY).rate == 1


@pytest.mark.parametrize(
    ("base", "quote", "on"),
    [
        ("EUR", "USD", date(1998, 1, 1)),
        ("EUR", "USD", date(2124, 1, 1)),
        ("EUR", "USX", FRIDAY),
        ("CNY", "USD", date(2000, 1, 3)),
    ],
)
def test_a_missing_rate_is_an_error(base: str, quote: str, on: date) -> None:
    with pytest.raises(ReferenceRateMissingError) as caught:
        reference_rate(base, quote, on)
    assert caught.value.reason == "REFERENCE_RATE_MISSING"
    assert str(on) in caught.value.text("en")
    assert base in caught.value.text("zh-CN")
