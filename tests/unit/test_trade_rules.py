"""Rules of the trade that services share: rates, bases and identifiers, by the examples of their docstrings."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest

from chassis.codetables import code_table
from trade import identifiers
from trade.day_counts import day_count_basis
from trade.exchange_rates import exchange_rate

RATES = code_table("trade", "exchange_rates")


def test_a_rate_is_that_of_the_day_and_its_reverse() -> None:
    on = date(2026, 1, 5)
    assert exchange_rate(RATES, "USD", "CNY", on) == Decimal("7.1646757679")
    assert exchange_rate(RATES, "CNY", "CNY", on) == Decimal("1.0000000000")
    assert exchange_rate(RATES, "USD", "XXX", on) is None


def test_sterling_counts_365_days_a_year_and_dollars_360() -> None:
    assert [day_count_basis(currency, date(2026, 1, 5)) for currency in ("GBP", "USD")] == [365, 360]


@pytest.mark.parametrize(
    ("rule", "right", "wrong"),
    [
        (identifiers.is_bic, "BKCHCNBJ300", "BKCHCNB"),
        (identifiers.is_iban, "DE89370400440532013000", "DE88370400440532013000"),
        (identifiers.is_lei, "213800KUD8LAJWSQ9D15", "213800KUD8LAJWSQ9D14"),
        (identifiers.is_country, "XK", "ZZ"),
        (identifiers.is_social_credit_code, "91110000600037341L", "91110000600037341X"),
    ],
)
def test_an_identifier_is_told_by_its_check(rule: Callable[[str], bool], right: str, wrong: str) -> None:
    assert rule(right)
    assert not rule(wrong)
