"""Receipts that come at once and in any order: what they leave unsecured is exactly what is settled and not repaid."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.money import Money
from services.loans.products import Component
from services.loans.repayment import model
from services.loans.repayment.model import COUNTED, Repayment, State

PRINCIPAL = 1_000
ORDER = (Component.INTEREST, Component.PRINCIPAL)


def usd(units: int) -> Money:
    return Money("USD", units)


def repayment(state: State = State.POSTED, **parts: int) -> Repayment:
    amounts: Any = {name: usd(units) for name, units in {"interest": 0, **parts}.items()}
    return Repayment(id="a", loan="loans/a", bank="banks/A", state=state, create_us=0, **amounts)


@pytest.mark.parametrize(
    ("standing", "left"),
    [
        (repayment(unsecured=290, restored=200, taken_over=25), 65),
        (repayment(State.PENDING, unsecured=290, taken_over=25), -25),
        (repayment(unsecured=290), 290),
        (repayment(interest=300), 300),
    ],
    ids=["posted", "pending", "row of before", "row of long before"],
)
def test_what_a_repayment_leaves_to_others(standing: Repayment, left: int) -> None:
    """Beside a posted one that left 100."""
    assert model.left_unsecured([repayment(unsecured=100), standing], "USD") == usd(100 + left)


@pytest.mark.parametrize(
    ("own", "settled", "repaid", "unsecured", "more"),
    [
        (20_00, 100_00, 79_71, 29, 29),
        (20_00, 100_00, 79_71, 0, 0),
        (20_00, 99_71, 79_71, 29, 0),
        (80_00, 80_00, 0, 0, 0),
        (40_00, 80_00, 0, 0, 0),
        (40_00, 40_00, 40_00, 10_00, 0),
    ],
)
def test_what_a_receipt_takes_over(own: int, settled: int, repaid: int, unsecured: int, more: int) -> None:
    assert model.taken_over(usd(own), usd(settled), usd(repaid), usd(unsecured)) == usd(more)


class Receipts:
    """Receipts of one loan, the register's count of them and the lender's book, as Hypothesis draws them."""

    def __init__(self, data: st.DataObject) -> None:
        self.data = data
        self.settled = usd(0)
        self.book: dict[int, Repayment] = {}

    def receipt(self, number: int) -> Iterator[None]:
        """One receipt, step by step: counted, its repayment fixed, what it left put back, posted."""
        own = self._units(usd(PRINCIPAL) - self.settled)
        self.settled = told = self.settled + own
        yield
        made = self._fixed(number, own, told)
        yield
        restored = self._units(min(made.unsecured or usd(0), own))
        self.settled -= restored
        yield
        self.book[number] = dataclasses.replace(made, state=State.POSTED, restored=restored)

    def _units(self, most: Money) -> Money:
        return usd(self.data.draw(st.integers(0, most.minor_units)))

    def _fixed(self, number: int, own: Money, told: Money) -> Repayment:
        taken_over = model.taken_over(own, told, self.repaid, model.left_unsecured(self.book.values(), "USD"))
        payable, interest = own + taken_over, usd(self.data.draw(st.integers(0, 50)))
        assert payable <= usd(PRINCIPAL) - self.repaid, "a receipt repays no more than is owed"
        parts = model.waterfall(own, {Component.INTEREST: interest, Component.PRINCIPAL: payable}, ORDER)
        principal = parts[Component.PRINCIPAL]
        made = Repayment(
            id=str(number),
            loan="loans/a",
            bank="banks/A",
            state=State.PENDING,
            create_us=0,
            interest=parts[Component.INTEREST],
            principal=principal,
            unsecured=payable - principal,
            taken_over=taken_over,
        )
        self.book[number] = made
        return made

    @property
    def repaid(self) -> Money:
        """The principal that all repayments take."""
        return sum((each.principal_part for each in self.book.values() if each.state in COUNTED), start=usd(0))


@given(st.data())
def test_what_is_settled_and_not_repaid_is_what_receipts_left_unsecured(data: st.DataObject) -> None:
    """X7: in whatever order receipts are counted, collected, put back and posted, and whatever is put back."""
    receipts = Receipts(data)
    under_way = [receipts.receipt(number) for number in range(data.draw(st.integers(1, 5)))]
    while under_way:
        chosen = data.draw(st.sampled_from(under_way))
        if next(chosen, StopIteration) is StopIteration:
            under_way.remove(chosen)
    assert receipts.settled - receipts.repaid == model.left_unsecured(receipts.book.values(), "USD")
