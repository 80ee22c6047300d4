"""Interest: principal x rate x days / basis, the start day in and the end day out, rounded half up once."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext

from chassis import money
from chassis.money import Money

# More digits than any product of an int64 amount, a rate and days has, so that nothing is rounded twice.
DIGITS = 60
RATE_STEP = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Stretch:
    """Days during which the same principal was outstanding."""

    principal: Money
    days: int


def interest(principal: Money, annual_rate: Decimal, days: int, basis: int) -> Money:
    """Returns the interest of one stretch: USD 100,000.00 at 6 % for 90 days of 360 is USD 1,500.00."""
    return accrued([Stretch(principal, days)], annual_rate, basis, principal.currency)


def accrued(stretches: Sequence[Stretch], annual_rate: Decimal, basis: int, currency: str) -> Money:
    """Returns the interest of several stretches: the exact sum, rounded once, so that parts carry no residue."""
    with localcontext(prec=DIGITS):
        exact = sum((stretch.principal.major() * stretch.days for stretch in stretches), start=Decimal(0))
    return on_day_amount(exact, annual_rate, basis, currency)


def on_day_amount(day_amount: Decimal, annual_rate: Decimal, basis: int, currency: str) -> Money:
    """Returns the interest of principal times days: USD 9,000,000.00 at 6 % of 360 is USD 1,500.00."""
    with localcontext(prec=DIGITS):
        return money.rounded(day_amount * annual_rate / basis, currency)


def simple_rate(all_in_cost: Money, paid_out: Money, days: int, basis: int) -> Decimal:
    """Returns interest and fee over the amount paid out, in proportion to a year of the basis, to six decimals.

    USD 1,500.00 over USD 98,500.00 for 90 days of 360 is 0.060914. trade/annual_rates.py has the effective one.
    """
    with localcontext(prec=DIGITS):
        rate = all_in_cost.major() * basis / (paid_out.major() * days)
        return rate.quantize(RATE_STEP, rounding=ROUND_HALF_UP)
