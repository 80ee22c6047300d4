"""Minor units by ISO 4217."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.currencies import INT64_MAX, minor_digits, to_major_units, to_minor_units


@pytest.mark.parametrize(
    ("code", "digits"),
    [("CNY", 2), ("JPY", 0), ("KWD", 3), ("XAU", None), ("USX", None), ("", None), ("usd", None)],
)
def test_minor_digits(code: str, digits: int | None) -> None:
    assert minor_digits(code) == digits


@given(st.integers(-INT64_MAX, INT64_MAX), st.sampled_from(["CNY", "JPY", "KWD"]))
def test_major_and_minor_units_are_inverse(minor_units: int, code: str) -> None:
    assert to_minor_units(to_major_units(minor_units, code), code) == minor_units


@pytest.mark.parametrize(("text", "code"), [("1.001", "USD"), ("1.5", "JPY"), ("92233720368547758.08", "USD")])
def test_what_does_not_fit_has_no_minor_units(text: str, code: str) -> None:
    assert to_minor_units(Decimal(text), code) is None
