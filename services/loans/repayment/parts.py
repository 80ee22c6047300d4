"""The parts of a loan that a collected amount repays, and how each comes about."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from aval.loans.v1 import loans_pb2

from chassis import money
from chassis.codetables import Row
from chassis.money import Money
from services.loans.loan.model import Loan
from services.loans.loan.payoff import Due
from services.loans.loan.rules import PART, TAKEN_OVER, UNSECURED
from services.loans.products import Component, code_table
from services.loans.repayment import model
from services.loans.repayment.model import Repayment
from trade.calendars import day_in_china
from trade.derivations import rules
from trade.derivations.model import Derivation
from trade.derivations.rules import DIFFERENCE, LEAST, Leaf, derived
from trade.derivations.store import Entry


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a repayment, the principal that it leaves unsecured, and that which it took over of others."""

    interest: Derivation
    principal: Derivation
    unsecured: Derivation
    taken_over: Derivation

    def entries(self, repayment: str) -> list[Entry]:
        """Returns them as the derivations of a repayment's fields."""
        return [
            Entry(repayment, "interest", self.interest),
            Entry(repayment, "principal", self.principal),
            Entry(repayment, "unsecured", self.unsecured),
        ]


def parts(loan: Loan, due: Due, counted: Sequence[Repayment], request: loans_pb2.CreateRepaymentRequest) -> Parts:
    """Returns what an amount repays of what is due, beside the repayments that count: interest first, by the product.

    100.00 of 30.00 interest and 50.00 principal: 30.00 and 50.00, and nothing is unsecured.
    """
    name = f"repayments/{request.repayment_id}"
    own, taken_over = _to_repay(loan, counted, request)
    to_repay = rules.summed([own, taken_over], loan.principal.currency)
    payable = derived(LEAST, amount=[due.outstanding, to_repay])
    order, offered = _order(loan), rules.field(money.from_proto(request.amount), name, "asked")
    interest, principal = (
        derived(
            PART,
            component=Leaf(component.value),
            order=order,
            amount=offered,
            interest=due.owed,
            principal=payable,
        )
        for component in Component
    )
    return Parts(interest, principal, derived(DIFFERENCE, minuend=payable, subtrahend=principal), taken_over)


def _order(loan: Loan) -> Leaf:
    """Returns the order of payment of the loan's product, as on the day the loan was agreed."""
    row = _product(loan.product, day_in_china(loan.create_us))
    return rules.row(row["waterfall"], "loans/products", row, "waterfall")


def _product(code: str, on: date) -> Row:
    row = code_table("products").row(code, on)
    assert row is not None, f"{code} on {on}"
    return row


def _to_repay(
    loan: Loan, counted: Sequence[Repayment], request: loans_pb2.CreateRepaymentRequest
) -> tuple[Leaf, Derivation]:
    """Returns the principal that a receipt is to repay: what it settled itself, and what those before it left."""
    currency, settled = loan.principal.currency, money.from_proto(request.settled)
    repaid = _sum(((repayment.name, repayment.principal_part) for repayment in counted), "principal", currency)
    unsecured = _still_unsecured(counted, currency)
    amount = max(settled - repaid.money - unsecured.money, settled.zero())
    if request.HasField("settled_by_payment"):
        amount = money.from_proto(request.settled_by_payment)
    own = rules.field(amount, request.encumbrance, "settled_by_payment")
    told = rules.field(settled, request.encumbrance, "settled")
    return own, derived(TAKEN_OVER, settled_by_payment=own, settled=told, repaid=repaid, unsecured=unsecured)


def _still_unsecured(counted: Sequence[Repayment], currency: str) -> Derivation:
    posted = model.those_posted(counted)
    return derived(
        UNSECURED,
        unsecured=[rules.field(standing.left_unsecured, standing.name, "unsecured") for standing in posted],
        restored=[rules.field(standing.restored_part, standing.name, "restored") for standing in posted],
        taken_over=[rules.field(standing.taken_over_part, standing.name, "taken_over") for standing in counted],
        currency=Leaf(currency),
    )


def _sum(amounts: Iterable[tuple[str, Money]], field: str, currency: str) -> Derivation:
    return rules.summed([rules.field(amount, name, field) for name, amount in amounts], currency)
