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
        return money.rounded(exact * annual_rate / basis, currency)


def simple_rate(all_in_cost: Money, paid_out: Money, days: int, basis: int) -> Decimal:
    """Returns interest and fee over the amount paid out, in proportion to a year of the basis, to six decimals.

    USD 1,500.00 over USD 98,500.00 for 90 days of 360 is 0.060914. trade/annual_rates.py has the effective one.
    """
    with localcontext(prec=DIGITS):
        rate = all_in_cost.major() * basis / (paid_out.major() * days)
        return rate.quantize(RATE_STEP, rounding=ROUND_HALF_UP)


def derivation(stretches: Sequence[Stretch], annual_rate: Decimal, basis: int, paid: Money, due: Money) -> str:
    """Returns the computation as a line that a person can check: USD 100,000.00 x 6 % x 90 / 360 = USD 1,500.00."""
    rate = format((annual_rate * 100).normalize(), "f")
    terms = [f"{stretch.principal} x {rate} % x {stretch.days} / {basis}" for stretch in stretches]
    line = " + ".join(terms) or str(due.zero())
    return f"{line}{f' - {paid} paid' if paid else ''} = {due}"
