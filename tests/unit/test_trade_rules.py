"""Rules of the trade that services share: days, rates, bases and identifiers, by the examples of their docstrings."""

from collections.abc import Callable
from datetime import date

import pytest

from trade import calendars, identifiers


def test_days_roll_to_working_days() -> None:
    assert calendars.following(date(2026, 11, 28)) == date(2026, 11, 30)
    assert calendars.following(date(2026, 11, 30)) == date(2026, 11, 30)
    assert calendars.next_working(date(2026, 11, 27)) == date(2026, 11, 30)
    assert calendars.working_day_of_next_month(date(2026, 11, 2), 5) == date(2026, 12, 7)


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
