"""An undertaking: its amount is paid, claimed, reduced or available, and every day and amount is judged by rule."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.money import Money
from trade import undertaking as trade_undertaking
from trade.undertaking import Undertaking

EXPIRY = date(2026, 11, 30)
Step = Callable[[Undertaking, Money], Undertaking]


def usd(units: int) -> Money:
    return Money("USD", units)


def opened(units: int = 100_00) -> Undertaking:
    return trade_undertaking.opened(usd(units), EXPIRY)


def test_parts_of_an_undertaking_leave_the_rest_available() -> None:
    presented = trade_undertaking.claimed(trade_undertaking.reduced(opened(), usd(10_00)), usd(50_00))
    paid = trade_undertaking.paid(presented, usd(20_00))
    assert (paid.available, paid.outstanding) == (usd(40_00), usd(70_00))
    assert trade_undertaking.refused(paid, usd(30_00)).available == usd(70_00)


def test_a_reduction_leaves_claims_alone() -> None:
    presented = trade_undertaking.claimed(opened(), usd(70_00))
    assert trade_undertaking.reduced(presented, usd(50_00)).reduced == usd(30_00)


def test_after_its_last_day_a_claim_stands_and_nothing_else_is_available() -> None:
    presented = trade_undertaking.claimed(opened(), usd(70_00))
    over = trade_undertaking.expired(presented)
    assert (over.available, over.outstanding) == (usd(0), usd(70_00))


@pytest.mark.parametrize(
    ("amount", "days", "reasons"),
    [
        (usd(100_00), 0, []),
        (usd(100_01), 0, ["AMOUNT_EXCEEDS_UNDERTAKING"]),
        (usd(0), 0, ["AMOUNT_NOT_POSITIVE"]),
        (Money("EUR", 1), 0, ["CURRENCY_DIFFERS"]),
        (usd(1), 1, ["UNDERTAKING_EXPIRED"]),
        (usd(100_01), 1, ["AMOUNT_EXCEEDS_UNDERTAKING", "UNDERTAKING_EXPIRED"]),
    ],
)
def test_a_presentation_is_judged_by_amount_and_day(amount: Money, days: int, reasons: list[str]) -> None:
    """UCP 600 art. 6(e), URDG 758 art. 14(a): the expiry date itself is in time; every problem is told."""
    problems = trade_undertaking.presentation_problems(opened(), amount, EXPIRY + timedelta(days))
    assert [problem.reason for problem in problems] == reasons


def claim(undertaking: Undertaking, amount: Money) -> Undertaking:
    return trade_undertaking.claimed(undertaking, min(amount, undertaking.available))


def pay(undertaking: Undertaking, amount: Money) -> Undertaking:
    return trade_undertaking.paid(undertaking, min(amount, undertaking.claimed))


def refuse(undertaking: Undertaking, amount: Money) -> Undertaking:
    return trade_undertaking.refused(undertaking, min(amount, undertaking.claimed))


STEPS: list[Step] = [claim, pay, refuse, trade_undertaking.reduced]


@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 150_00))))
def test_whatever_happens_its_parts_come_to_its_amount_and_none_is_negative(steps: list[tuple[Step, int]]) -> None:
    undertaking = opened()
    for step, units in steps:
        undertaking = step(undertaking, usd(units))
    parts = [undertaking.available, undertaking.claimed, undertaking.paid, undertaking.reduced]
    assert sum(part.minor_units for part in parts) == 100_00
    assert all(part.minor_units >= 0 for part in parts)
