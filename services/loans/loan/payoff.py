"""The payoff of a loan on a day: recomputed from its repayments, so that a cancelled one leaves no trace."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from chassis.money import Money, total
from services.loans.loan.model import Loan
from services.loans.repayment.model import Repayment
from trade import interest
from trade.interest import Stretch


@dataclass(frozen=True, slots=True)
class Due:
    """The amounts owed on a day, and how the interest came about."""

    day: date
    principal: Money
    interest: Money
    days: int
    derivation: str

    @property
    def total(self) -> Money:
        """Both."""
        return self.principal + self.interest


def due(loan: Loan, repayments: Iterable[Repayment], on: date | None = None) -> Due:
    """Returns what is owed after these repayments. A day before the last of them counts as its day, and so does none.

    A repayment pays interest first and the rest accrues from its day on; the interest of all stretches
    is rounded once, so that the parts of many repayments add up to that of their whole.
    """
    counted = sorted(repayments, key=lambda repayment: (repayment.day, repayment.create_us, repayment.id))
    start = _start(loan)
    until = max([start, on or start, *(repayment.day for repayment in counted)])
    stretches = _stretches(loan, counted, until)
    currency = loan.principal.currency
    paid = total([repayment.interest_part for repayment in counted], currency)
    accrued = interest.accrued(stretches, loan.annual_rate, loan.day_count_basis, currency)
    owed = max(accrued - paid, loan.principal.zero())
    principal = loan.principal - total([repayment.principal_part for repayment in counted], currency)
    line = interest.derivation(stretches, loan.annual_rate, loan.day_count_basis, paid, owed)
    return Due(until, principal, owed, sum(stretch.days for stretch in stretches), line)


def _start(loan: Loan) -> date:
    assert loan.start_date is not None, f"{loan.name} isn't disbursed"
    return loan.start_date


def _stretches(loan: Loan, counted: Sequence[Repayment], until: date) -> list[Stretch]:
    """The days between repayments, each with the principal that was outstanding."""
    day, principal, found = _start(loan), loan.principal, []
    for repayment in counted:
        found.append(Stretch(principal, (repayment.day - day).days))
        day, principal = repayment.day, principal - repayment.principal_part
    found.append(Stretch(principal, (until - day).days))
    return [stretch for stretch in found if stretch.principal and stretch.days]
