"""Annual rates of money paid at different times: the effective rate of a loan, and the internal rates of cash flows.

A simple rate (trade/interest.py) is proportional to the days; these are compounded, over years of 365 days. The net
present value of flows is the sum of amount / (1 + rate) ** (days / 365) from the first day on; an internal rate is a
rate at which it is zero. Flows whose sign changes more than once may have several internal rates, or none: all are
returned, for which of them was meant isn't in the flows.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, localcontext
from itertools import pairwise

from chassis.money import Money

DAYS_OF_YEAR = 365
# A rate that is shown, and one that is computed with.
RATE_STEP, FINE_STEP = Decimal("0.000001"), Decimal("1e-15")
# Digits on the way: what cancels out leaves enough.
DIGITS = 60
# What is dearer than this a year is a fee, and no rate tells more about it.
RATE_MAX = Decimal(1_000_000)
# The natural logarithm of the weight that a unit of the last day, or of a year later, may have against the first. At
# lower rates it would weigh more than a million million, so that the last digits of a sum decide.
WEIGHT_MAX = Decimal("27.7")
# The steps between which signs are compared are a tenth of the flows' whole time near zero, and wider beyond.
FIRST_STEP, STEP_GROWTH = Decimal("0.1"), Decimal("1.04")
HALVINGS = 80


@dataclass(frozen=True, slots=True)
class CashFlow:
    """An amount that comes in, or goes out if it is negative, on a day."""

    day: date
    amount: Decimal


@dataclass(frozen=True, slots=True)
class _Flow:
    """An amount some days or periods after the first."""

    after: int
    amount: Decimal


def effective_rate(received: Money, paid_back: Money, days: int) -> Decimal | None:
    """Returns (paid back / received) ** (365 / days) - 1, to six decimals: what a loan costs that is paid back at once.

    USD 101,680.40 received and 102,937.81 paid back after 90 days is 0.051108. None above a million a year.
    """
    with localcontext(prec=DIGITS):
        rate = (paid_back.major() / received.major()) ** (Decimal(DAYS_OF_YEAR) / days) - 1
        return rate.quantize(RATE_STEP, ROUND_HALF_UP) if rate <= RATE_MAX else None


def net_present_value(rate: Decimal, flows: Sequence[CashFlow]) -> Decimal:
    """Returns flows discounted to the first day (XNPV), to 15 decimals: 100 after a year at 0.25 is 80.

    Raises ValueError where a year takes all and more.
    """
    with localcontext(prec=DIGITS):
        return _value(_of_days(flows), _exponent(rate) / DAYS_OF_YEAR).quantize(FINE_STEP)


def net_future_value(rate: Decimal, flows: Sequence[CashFlow]) -> Decimal:
    """Returns flows compounded to the last day (XNFV), to 15 decimals: 80 a year before at 0.25 is 100."""
    with localcontext(prec=DIGITS):
        each, per_day = _of_days(flows), _exponent(rate) / DAYS_OF_YEAR
        return (_value(each, per_day) * (per_day * each[-1].after).exp()).quantize(FINE_STEP)


def internal_rates(flows: Sequence[CashFlow]) -> tuple[Decimal, ...]:
    """Returns the annual rates at which the net present value is zero (XIRR), the lowest first, to 15 decimals,
    none above a million.

    -100 and 110 a year later have 0.10. Nothing but payments has none; -100, 230 and -132 a year apart have 0.10
    and 0.20.
    """
    return _rates(_of_days(flows), DAYS_OF_YEAR)


def internal_rates_of_periods(amounts: Sequence[Decimal]) -> tuple[Decimal, ...]:
    """Returns the rates for a period at which amounts at the ends of equal periods are worth nothing (IRR).

    -100, 60 and 60 have 0.130662386291807.
    """
    return _rates([_Flow(number, amount) for number, amount in enumerate(amounts)], 1)


def _of_days(flows: Sequence[CashFlow]) -> list[_Flow]:
    ordered = sorted(flows, key=lambda flow: flow.day)
    return [_Flow((flow.day - ordered[0].day).days, flow.amount) for flow in ordered]


def _exponent(rate: Decimal) -> Decimal:
    """Returns the natural logarithm of a year's growth. Raises ValueError where nothing is left to grow."""
    if rate <= -1:
        raise ValueError(f"{rate} takes all and more")
    return (1 + rate).ln()


def _value(flows: Sequence[_Flow], exponent: Decimal) -> Decimal:
    """Returns the value at the first day of flows in order, at a growth of exp(exponent) a day or period."""
    discount, worth = (-exponent).exp(), Decimal(0)
    for flow, after in reversed([*pairwise([*flows, flows[-1]])]):
        worth = worth * discount ** (after.after - flow.after) + flow.amount
    return worth


def _rates(flows: Sequence[_Flow], in_year: int) -> tuple[Decimal, ...]:
    """Returns the internal rates of flows in order; none where all have one sign, or nothing lies between them."""
    signs = {flow.amount > 0 for flow in flows if flow.amount}
    if len(signs) < 2 or flows[0].after == flows[-1].after:
        return ()
    with localcontext(prec=DIGITS):
        exponents = _zeros(lambda exponent: _value(flows, exponent), _grid(flows[-1].after, in_year))
        return tuple(((exponent * in_year).exp() - 1).quantize(FINE_STEP) for exponent in exponents)


def _grid(length: int, in_year: int) -> list[Decimal]:
    """Returns exponents in order, zero among them: dense near zero, where rates of flows lie, and wider beyond."""
    unit = FIRST_STEP / length
    lowest, highest = WEIGHT_MAX / max(length, in_year), (1 + RATE_MAX).ln() / in_year
    return [*reversed([-step for step in _steps(unit, lowest)]), Decimal(0), *_steps(unit, highest)]


def _steps(unit: Decimal, limit: Decimal) -> Iterator[Decimal]:
    """Yields ever wider steps away from zero up to a limit, and the limit."""
    step, at = unit, unit
    while at < limit:
        yield at
        step *= STEP_GROWTH
        at += step
    yield limit


def _zeros(value: Callable[[Decimal], Decimal], grid: Sequence[Decimal]) -> Iterator[Decimal]:
    """Yields where a function is zero at a point of the grid or changes its sign between two, by halving."""
    for (low, at_low), (high, at_high) in pairwise((point, value(point)) for point in grid):
        if not at_low:
            yield low
        elif at_low * at_high < 0:
            yield _halved(value, low, high, is_positive=at_low > 0)


def _halved(value: Callable[[Decimal], Decimal], low: Decimal, high: Decimal, *, is_positive: bool) -> Decimal:
    """Returns where a function that is positive (or negative) at `low` changes its sign before `high`."""
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if (value(middle) > 0) is is_positive:
            low = middle
        else:
            high = middle
    return (low + high) / 2
