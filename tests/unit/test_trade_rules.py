"""Identifiers of the trade that services share, by the examples of their docstrings."""

from collections.abc import Callable

import pytest

from trade import identifiers


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
