"""Money: exact, of one currency, rounded once."""

import itertools
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis import money
from chassis.money import LARGEST, CurrencyMismatch, Money

amounts = st.integers(0, LARGEST)
weights = st.lists(st.integers(0, 10**12), min_size=1, max_size=20).filter(any)


@given(amounts, weights)
def test_parts_add_up_and_lie_within_a_unit_of_their_share(units: int, parts: list[int]) -> None:
    allocated = [part.minor_units for part in money.allocate(Money("CNY", units), parts)]
    assert sum(allocated) == units
    shares = [Fraction(units * weight, sum(parts)) for weight in parts]
    assert all(abs(part - share) < 1 for part, share in zip(allocated, shares, strict=True))


@given(amounts, weights)
def test_a_weight_of_zero_gets_nothing_and_a_larger_one_never_less(units: int, parts: list[int]) -> None:
    allocated = [part.minor_units for part in money.allocate(Money("CNY", units), parts)]
    pairs = sorted(zip(parts, allocated, strict=True))
    assert all(given == 0 for weight, given in pairs if weight == 0)
    assert all(a[1] <= b[1] for a, b in itertools.pairwise(pairs) if a[0] < b[0])


def test_the_largest_remainders_come_first_then_the_order() -> None:
    assert [m.minor_units for m in money.allocate(Money("CNY", 100), [1, 1, 1])] == [34, 33, 33]
    assert [m.minor_units for m in money.allocate(Money("CNY", 10), [1, 5, 3])] == [1, 6, 3]


@pytest.mark.parametrize("parts", [[], [0, 0], [2, -1]])
def test_senseless_weights_are_refused(parts: list[int]) -> None:
    with pytest.raises(ValueError, match="weights"):
        money.allocate(Money("CNY", 1), parts)


@pytest.mark.parametrize(
    ("major", "currency", "units"),
    [
        ("1.005", "CNY", 101),
        ("-1.005", "CNY", -101),
        ("1.0049", "CNY", 100),
        ("19290.09", "JPY", 19290),
        ("0.5", "JPY", 1),
        ("1.0005", "KWD", 1001),
        ("12345678901234.56", "CNY", 1234567890123456),
    ],
)
def test_the_door_from_decimal_rounds_half_up_to_the_minor_unit(major: str, currency: str, units: int) -> None:
    assert money.rounded(Decimal(major), currency) == Money(currency, units)


def test_another_rounding_is_asked_for_by_name() -> None:
    assert money.rounded(Decimal("1.009"), "CNY", ROUND_DOWN).minor_units == 100
    assert money.rounded(Decimal("1.005"), "CNY", ROUND_HALF_EVEN).minor_units == 100


@given(st.integers(-LARGEST, LARGEST), st.integers(0, 10**15 - 1), st.sampled_from(["CNY", "JPY", "KWD"]))
def test_a_product_is_rounded_once(units: int, digits: int, currency: str) -> None:
    factor = Fraction(digits, 10**15)
    exact = abs(units) * factor
    expected = int(exact + Fraction(1, 2)) * (1 if units >= 0 else -1)
    assert Money(currency, units).times(Decimal(digits).scaleb(-15)).minor_units == expected


def test_a_product_just_below_a_half_is_not_rounded_up_in_two_steps() -> None:
    assert Money("JPY", 1).times(Decimal("0." + "4" + 31 * "9")).minor_units == 0


@pytest.mark.parametrize(("currency", "digits"), [("JPY", 0), ("CNY", 2), ("KWD", 3)])
def test_exponents_are_those_of_iso_4217(currency: str, digits: int) -> None:
    assert money.exponent(currency) == digits
    assert money.is_currency(currency)


@pytest.mark.parametrize("code", ["XAU", "ZZZ", "", "cny", "XTS", "XXX", "XDR", "BTC", "CLF", "UYW", "DEM", "HRK"])
def test_what_has_no_minor_units_is_no_currency(code: str) -> None:
    assert not money.is_currency(code)


@pytest.mark.parametrize("units", [LARGEST + 1, -LARGEST - 1])
def test_no_amount_exceeds_int64(units: int) -> None:
    with pytest.raises(OverflowError):
        Money("CNY", units)


def test_overflow_of_a_sum_and_of_the_door_is_an_error_not_a_wrap() -> None:
    with pytest.raises(OverflowError):
        Money("CNY", LARGEST) + Money("CNY", 1)
    with pytest.raises(OverflowError):
        money.rounded(Decimal("1e40"), "CNY")


def test_currencies_never_mix() -> None:
    for operation in ("__add__", "__sub__", "__lt__", "__ge__"):
        with pytest.raises(CurrencyMismatch):
            getattr(Money("CNY", 1), operation)(Money("USD", 1))
    assert Money("CNY", 1) != Money("USD", 1)


@given(st.integers(-LARGEST, LARGEST), st.sampled_from(["JPY", "CNY", "KWD"]))
def test_major_units_are_exact_and_wire_forms_keep_all_digits(units: int, currency: str) -> None:
    amount = Money(currency, units)
    assert money.rounded(amount.major(), currency) == amount
    assert money.from_proto(type(money.to_proto(amount)).FromString(money.to_proto(amount).SerializeToString())) == (
        amount
    )


def test_a_total_of_nothing_is_zero_of_its_currency() -> None:
    assert money.total([], "USD") == Money("USD", 0)
    assert money.total([Money("USD", 2), Money("USD", 3)], "USD") == Money("USD", 5)


def test_a_kept_amount_of_no_currency_is_shown_in_minor_units() -> None:
    kept = Money("BTC", 1_234_567)
    assert str(kept) == "BTC 1,234,567 minor units"
    assert kept.times(Decimal("0.9"), ROUND_DOWN) == Money("BTC", 1_111_110)
    assert str(Money("DEM", 150)) == "DEM 1.50"
    assert [amount.plain() for amount in (kept, Money("DEM", 150), Money("JPY", 1_500))] == ["1234567", "1.50", "1500"]
