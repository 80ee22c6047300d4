"""A covered shipment after each outcome of each step: pure, with buyers' payments and the date handed in."""

import datetime
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from aval.declarations.v1 import declarations_pb2
from aval.settlement.v1 import settlement_pb2

from chassis.errors import DomainError
from chassis.money import Money, to_proto
from services.credit_insurance.covered_shipment import model, plan, reactions
from services.credit_insurance.covered_shipment.model import CoveredShipment, ExposurePayment, State
from services.credit_insurance.covered_shipment.reactions import Knowledge
from tests.unit.test_credit_insurance_rules import DAY, SHIPMENT

RESERVED = replace(SHIPMENT, state=State.VALUE_RESERVED, paid_before=None)
ANSWER = settlement_pb2.CollectPremiumResponse()


class Refused(DomainError):
    """Refused for a reason."""

    reason = "VALUE_PAID"


def eur(units: int) -> Money:
    """Cents."""
    return Money("EUR", units)


def paid(units: int | None, currency: str = "EUR") -> ExposurePayment:
    """A payment that was told of."""
    amount = None if units is None else Money(currency, units)
    return ExposurePayment(declaration=SHIPMENT.declaration, payment="incomingPayments/1", amount=amount)


def encumbrance(amount: Money, **fields: Money) -> declarations_pb2.Encumbrance:
    """The register's answer, of one item."""
    item = declarations_pb2.EncumberedValue(asset=SHIPMENT.declaration, amount=to_proto(amount))
    for name, value in fields.items():
        getattr(item, name).CopyFrom(to_proto(value))
    return declarations_pb2.Encumbrance(enterprise=SHIPMENT.enterprise, items=[item])


def after(
    shipment: CoveredShipment, step: str, outcome: Any, payments: Sequence[ExposurePayment] = ()
) -> CoveredShipment:
    """The shipment after an outcome on the tests' day."""
    return reactions.after(shipment, step, outcome, Knowledge(payments=payments, on=DAY))


def test_what_is_reserved_stands_for_the_covered_part_of_the_invoice() -> None:
    """EUR 460.01 reserved for USD 500.00, of which USD 300.00 are covered: EUR 276.01."""
    shipment = replace(SHIPMENT, covered_amount=Money("USD", 300_00), insured_value=None)
    answer = encumbrance(eur(460_01), claimed=Money("USD", 500_00))
    reserved = after(shipment, plan.RESERVE, answer)
    assert (reserved.state, reserved.insured_value) == (State.VALUE_RESERVED, eur(276_01))


def test_anothers_declaration_is_said_as_if_there_were_none() -> None:
    answer = encumbrance(eur(1))
    answer.enterprise = "enterprises/another"
    cancelled = after(SHIPMENT, plan.RESERVE, answer)
    assert (cancelled.state, cancelled.refusal_reason) == (State.CANCELLING, "DECLARATION_NOT_FOUND")


@pytest.mark.parametrize(
    ("payments", "before"),
    [
        ([], 700),
        ([paid(500), paid(400, "USD")], 700),
        # One told before amounts were kept: all that are told count as paid before.
        ([paid(500), paid(None)], 500),
    ],
)
def test_what_was_paid_until_the_confirmation_isnt_paid_of_the_cover(
    payments: Sequence[ExposurePayment], before: int
) -> None:
    marked = after(RESERVED, plan.CONFIRM, encumbrance(eur(9_000), paid=eur(700)), payments)
    assert (marked.state, marked.paid_before) == (State.VALUE_MARKED, eur(before))


def test_cover_in_force_was_looked_at_on_its_first_day() -> None:
    covered = after(replace(SHIPMENT, state=State.VALUE_MARKED), plan.COLLECT, ANSWER)
    assert (covered.state, covered.looked_date) == (State.COVERED, DAY)
    assert reactions.CAUSES[plan.COLLECT](covered) == "in force"


def test_a_look_keeps_the_state_and_is_told_to_nobody() -> None:
    day = DAY + datetime.timedelta(days=3)
    shipment = replace(SHIPMENT, state=State.COVERED, look_date=day)
    looked = after(shipment, plan.LOOK, encumbrance(eur(9_479_300), settled=eur(9_479_300)))
    assert (looked.look_date, looked.looked_date, looked.owed_when_looked) == (None, day, Money("USD", 0))
    assert reactions.event(shipment, looked) == ""
    assert reactions.CAUSES[plan.LOOK](looked) == f"look {day}"
    with pytest.raises(Refused):
        after(shipment, plan.LOOK, Refused())


@pytest.mark.parametrize(
    ("state", "step", "following"),
    [
        (State.DECLARED, plan.RESERVE, State.CANCELLING),
        (State.VALUE_RESERVED, plan.CONFIRM, State.CANCELLING),
        (State.VALUE_MARKED, plan.COLLECT, State.CANCELLING),
        (State.CANCELLING, plan.RELEASE, State.REFUSED),
        (State.PAID, plan.RELEASE, State.CLOSED),
    ],
)
def test_each_refusal_gives_the_cover_up_or_ends_it(state: State, step: str, following: State) -> None:
    shipment = replace(SHIPMENT, state=state)
    refused = after(shipment, step, Refused())
    assert refused.state is following
    assert refused.refusal_reason == ("VALUE_PAID" if following is State.CANCELLING else "")
    assert reactions.event(shipment, refused) == reactions.EVENTS[following]


def test_told_payments_are_added_up_in_one_currency() -> None:
    assert model.told([], "EUR") == (eur(0), True)
    assert model.told([paid(5), paid(7), paid(9, "USD")], "EUR") == (eur(12), True)
    assert model.told([paid(5), paid(None)], "EUR") == (eur(5), False)
