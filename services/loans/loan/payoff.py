"""The payoff of a loan on a day: recomputed from its repayments, so that a cancelled one leaves no trace."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from chassis.money import Money, total
from services.loans.loan.model import Loan
from services.loans.loan.rules import OUTSTANDING, RULES
from services.loans.repayment.model import Repayment
from trade.derivations import interest, rules, text
from trade.derivations.interest import DAYS_BETWEEN, OWED
from trade.derivations.model import Derivation
from trade.derivations.rules import Argument, Leaf, derived


@dataclass(frozen=True, slots=True)
class Due:
    """The amounts owed on a day, and how principal and interest came about."""

    day: date
    days: int
    outstanding: Derivation
    owed: Derivation

    @property
    def principal(self) -> Money:
        """The principal outstanding."""
        return self.outstanding.money

    @property
    def interest(self) -> Money:
        """The interest that isn't paid yet."""
        return self.owed.money

    @property
    def total(self) -> Money:
        """Both."""
        return self.principal + self.interest

    @property
    def derivation(self) -> str:
        """How the interest came about, as a line that a person can check."""
        return text.line(self.owed, RULES)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Days during which the same principal was outstanding, after these repayments."""

    repaid: Sequence[Repayment]
    first: Leaf
    last: Leaf


def due(loan: Loan, repayments: Iterable[Repayment], on: date | None = None, told_by: str = "") -> Due:
    """Returns what is owed after these repayments. A day before the last of them counts as its day, and so does none.

    A repayment pays interest first and the rest accrues from its day on; the interest of all stretches
    is rounded once, so that the parts of many repayments add up to that of their whole. `told_by` is the repayment
    whose day it is; empty: that of the payoff.
    """
    counted = sorted(repayments, key=lambda repayment: (repayment.day, repayment.create_us, repayment.id))
    start = _start(loan)
    until = max([start, on or start, *(repayment.day for repayment in counted)])
    last = rules.field(until, told_by, "value_date") if told_by else rules.field(until, loan.name, "payoff.date")
    stretches = [_day_amount(loan, stretch) for stretch in _stretches(loan, counted, last)]
    outstanding = _outstanding(loan, counted)
    return Due(until, (until - start).days, outstanding, _owed(loan, counted, stretches))


def _start(loan: Loan) -> date:
    assert loan.start_date is not None, f"{loan.name} isn't disbursed"
    return loan.start_date


def _stretches(loan: Loan, counted: Sequence[Repayment], until: Leaf) -> Iterator[_Stretch]:
    """Yields the days between repayments, each with the repayments before; days on which nothing was outstanding don't
    count.
    """
    first = rules.field(_start(loan), loan.name, "start_date")
    days = [first, *(rules.field(repayment.day, repayment.name, "value_date") for repayment in counted), until]
    for number, (day, following) in enumerate(itertools.pairwise(days)):
        left = loan.principal - total([repayment.principal_part for repayment in counted[:number]], _currency(loan))
        if left and day.value != following.value:
            yield _Stretch(counted[:number], day, following)


def _currency(loan: Loan) -> str:
    return loan.principal.currency


def _day_amount(loan: Loan, stretch: _Stretch) -> Derivation:
    days = derived(DAYS_BETWEEN, first=stretch.first, last=stretch.last)
    principal = rules.field(loan.principal, loan.name, "principal")
    return interest.stretch(_outstanding(loan, stretch.repaid) if stretch.repaid else principal, days)


def _outstanding(loan: Loan, repaid: Sequence[Repayment]) -> Derivation:
    """Returns the principal that is outstanding after these repayments."""
    parts = [rules.field(repayment.principal_part, repayment.name, "principal") for repayment in repaid]
    return derived(OUTSTANDING, principal=rules.field(loan.principal, loan.name, "principal"), repaid=parts)


def _owed(loan: Loan, counted: Sequence[Repayment], stretches: Sequence[Argument]) -> Derivation:
    """Returns the interest of all stretches, less what was paid of it."""
    rate = rules.field(loan.annual_rate, loan.name, "annual_rate")
    basis = rules.field(loan.day_count_basis, loan.name, "day_count_basis")
    accrued = interest.accrued(stretches, rate, basis, _currency(loan))
    paid = [rules.field(repayment.interest_part, repayment.name, "interest") for repayment in counted]
    return derived(OWED, accrued=accrued, paid=rules.summed(paid, _currency(loan))) if any(paid) else accrued
