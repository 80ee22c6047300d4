"""Interest, costs and repayments: published figures, and laws that hold for all amounts."""

import itertools
import math
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.money import Money
from services.loans import products
from services.loans.loan.model import Loan
from services.loans.loan.model import State as LoanState
from services.loans.loan.payoff import due
from services.loans.products import Component
from services.loans.repayment.model import Repayment, State, waterfall
from trade.interest import Stretch, accrued, interest, simple_rate

START = date(2026, 1, 15)
ORDER = (Component.INTEREST, Component.PRINCIPAL)


def loan(principal: Money, rate: str = "0.0435", basis: int = 360) -> Loan:
    """A loan that is paid out."""
    zero = principal.zero()
    return Loan(
        id="loan-1",
        offer="offers/1",
        bank="banks/ABCDCNBA",
        enterprise="enterprises/1",
        product=products.INSURED_RECEIVABLE,
        items=(),
        principal=principal,
        fee=zero,
        annual_rate=Decimal(rate),
        day_count_basis=basis,
        tenor_days=90,
        start_date=START,
        maturity_date=START + timedelta(days=90),
        outstanding=principal,
        interest_paid=zero,
        state=LoanState.ACTIVE,
        cancellation_reason="",
        is_encumbered=True,
        contract=b"",
        seal="",
        signature="",
        public_key="",
        revision=1,
        create_us=0,
    )


def repaid(number: int, each_loan: Loan, before: list[Repayment], amount: int, on: date) -> Repayment:
    """Returns what an amount repays after other repayments, as the commands fix it."""
    owed = due(each_loan, before, on)
    asked = Money(each_loan.principal.currency, amount)
    parts = waterfall(asked, {Component.INTEREST: owed.interest, Component.PRINCIPAL: owed.principal}, ORDER)
    interest_part, principal_part = parts[Component.INTEREST], parts[Component.PRINCIPAL]
    return Repayment(
        id=str(number),
        loan=each_loan.name,
        bank=each_loan.bank,
        asked=asked,
        interest=interest_part,
        principal=principal_part,
        value_date=owed.day,
        state=State.POSTED,
        create_us=number,
    )


@pytest.mark.parametrize(
    ("currency", "minor_units", "rate", "days", "basis", "expected"),
    [
        ("USD", 1_000_000_00, "0.045", 90, 360, 11_250_00),
        ("GBP", 1_000_000_00, "0.045", 90, 365, 11_095_89),
        ("USD", 250_000_00, "0.052", 90, 360, 3_250_00),
        ("JPY", 12_345_678, "0.0125", 45, 365, 19_026),
        ("USD", 2_000_000_00, "0.0120", 92, 360, 6_133_33),
        ("CNY", 500_000_00, "0.0435", 120, 360, 7_250_00),
        # Exactly half a cent goes up; one part in a billion below it goes down.
        ("USD", 1_00, "0.005", 360, 360, 1),
        ("USD", 1_00, "0.00499999", 360, 360, 0),
        # Less than half by so little that a second rounding, at 28 digits, would make it more.
        ("USD", 9223372028617977529, "0.12345679", 89, 360, 281508953952716011),
    ],
)
def test_interest_as_published(
    currency: str, minor_units: int, rate: str, days: int, basis: int, expected: int
) -> None:
    assert interest(Money(currency, minor_units), Decimal(rate), days, basis) == Money(currency, expected)


def test_a_discount_costs_its_true_yield() -> None:
    cost = Money("USD", 3_250_00)
    assert simple_rate(cost, Money("USD", 246_750_00), 90, 360) == Decimal("0.052685")


def test_a_partial_repayment_shows_how_interest_came_about() -> None:
    each_loan = loan(Money("USD", 80_000_00))
    first = repaid(1, each_loan, [], 30_290_00, START + timedelta(days=30))
    assert (first.interest_part, first.principal_part) == (Money("USD", 290_00), Money("USD", 30_000_00))
    owed = due(each_loan, [first], START + timedelta(days=90))
    assert owed.derivation == (
        "(USD 80,000.00 x 30 + USD 50,000.00 x 60) x 4.35 % / 360 - USD 290.00 paid = USD 362.50"
    )
    assert (owed.principal, owed.interest, owed.days) == (Money("USD", 50_000_00), Money("USD", 362_50), 90)


def test_interest_that_is_partly_paid_stays_due_and_bears_none() -> None:
    each_loan = loan(Money("USD", 80_000_00))
    first = repaid(1, each_loan, [], 100_00, START + timedelta(days=90))
    assert (first.interest_part, first.principal_part) == (Money("USD", 100_00), Money("USD", 0))
    assert due(each_loan, [first], START + timedelta(days=90)).interest == Money("USD", 770_00)


def test_a_day_before_the_last_repayment_counts_as_that_day() -> None:
    each_loan = loan(Money("USD", 80_000_00))
    first = repaid(1, each_loan, [], 10_000_00, START + timedelta(days=30))
    assert (
        due(each_loan, [first], START) == due(each_loan, [first], START + timedelta(days=30)) == due(each_loan, [first])
    )


amounts = st.integers(1, 10**15)
rates = st.decimals("0", "0.24", places=6).map(str)


@given(
    amount=st.integers(1, 2**63 - 1),
    rate=st.decimals("0", "0.24", places=8),
    days=st.integers(0, 720),
    basis=st.sampled_from([360, 365]),
)
def test_interest_is_exact_and_rounded_once(amount: int, rate: Decimal, days: int, basis: int) -> None:
    exact = Fraction(amount) * Fraction(rate) * days / basis
    assert interest(Money("USD", amount), rate, days, basis).minor_units == math.floor(exact + Fraction(1, 2))


@given(amount=amounts, owed=st.tuples(st.integers(0, 10**15), st.integers(0, 10**15)))
def test_a_waterfall_conserves_cash(amount: int, owed: tuple[int, int]) -> None:
    parts = {component: Money("USD", units) for component, units in zip(ORDER, owed, strict=True)}
    paid = waterfall(Money("USD", amount), parts, ORDER)
    taken = sum(part.minor_units for part in paid.values())
    assert taken == min(amount, sum(owed))
    assert all(Money("USD", 0) <= paid[component] <= parts[component] for component in ORDER)
    is_interest_full = paid[Component.INTEREST] == parts[Component.INTEREST]
    assert is_interest_full or not paid[Component.PRINCIPAL]


@given(
    amount=amounts, rate=rates, days=st.integers(0, 720), more=st.integers(0, 10**6), basis=st.sampled_from([360, 365])
)
def test_interest_never_falls_with_days_or_principal(amount: int, rate: str, days: int, more: int, basis: int) -> None:
    base = interest(Money("USD", amount), Decimal(rate), days, basis)
    assert base <= interest(Money("USD", amount), Decimal(rate), days + 1, basis)
    assert base <= interest(Money("USD", amount + more), Decimal(rate), days, basis)


@given(
    principal=st.integers(1, 10**12),
    rate=rates,
    steps=st.lists(st.tuples(st.integers(1, 10**12), st.integers(0, 60)), max_size=6),
    basis=st.sampled_from([360, 365]),
)
def test_repayments_add_up_to_principal_and_interest(
    principal: int, rate: str, steps: list[tuple[int, int]], basis: int
) -> None:
    each_loan, day = loan(Money("USD", principal), rate, basis), START
    done: list[Repayment] = []
    for number, (amount, later) in enumerate([*steps, (10**15, 30)]):
        day += timedelta(days=later)
        done.append(repaid(number, each_loan, done, amount, day))
    assert sum(part.principal_part.minor_units for part in done) == principal
    stretches, left = [], each_loan.principal
    for before, after in itertools.pairwise([START, *(part.day for part in done)]):
        stretches.append(Stretch(left, (after - before).days))
        left -= done[len(stretches) - 1].principal_part
    whole = accrued(stretches, each_loan.annual_rate, basis, "USD")
    assert sum(part.interest_part.minor_units for part in done) == whole.minor_units
    assert due(each_loan, done, day).total == Money("USD", 0)
