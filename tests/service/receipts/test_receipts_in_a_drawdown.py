"""Receipts that come while a loan is drawn down wait for a person, and repay it all the same: on both databases."""

import datetime
from typing import Any

import pytest
import sqlalchemy as sa
from aval.settlement.v1 import settlement_pb2

from services.loans.tables import loans, repayments
from services.settlement.tables import incoming_payments
from tests.conformance.world import BANK, CAST, person, usd
from tests.service.receipts.test_odd_receipts import paid_to, revoked

DAY = datetime.timedelta(days=1)
EXPORTER = CAST["EXPORTER"]


def set_state(market: Any, loan: Any, state: str) -> None:
    """A loan's state by hand, as it is while its drawdown is under way."""
    with market.behind("loans") as connection:
        row = sa.update(loans).where(loans.c.id == loan.name.removeprefix("loans/"))
        connection.execute(row.values(state=state))


def set_payment(market: Any, payment: Any, **changes: str) -> dict[str, str]:
    """Sets columns of a payment by hand. Returns them as they were."""
    row = incoming_payments.c.id == payment.name.removeprefix("incomingPayments/")
    with market.behind("settlement") as connection:
        query = sa.select(*(incoming_payments.c[name] for name in changes)).where(row)
        before = dict(connection.execute(query).mappings().one())
        connection.execute(sa.update(incoming_payments).where(row).values(changes))
    return before


async def brought(market: Any, units: int, declaration: str, state: str, bank: str = BANK) -> Any:
    """A payment once it has come to a state."""
    message = market.message(bank, units, declaration.removeprefix("declarations/"))
    made = await market.call("settlement", "ImportPayment", message, person(bank, "BANK_SYSTEM"))
    return await reached(market, made, state)


async def reached(market: Any, payment: Any, state: str) -> Any:
    """A payment once it has come to a state, as the exporter sees it."""
    get = settlement_pb2.GetIncomingPaymentRequest(name=payment.name)
    return await market._until("settlement", "GetIncomingPayment", get, state, EXPORTER)


async def matched(market: Any, payment: Any, *declarations: str, bank: str = BANK) -> Any:
    """A payment at its end, once a person has named its declarations."""
    match = settlement_pb2.MatchIncomingPaymentRequest(name=payment.name, declarations=declarations)
    made = await market.call("settlement", "MatchIncomingPayment", match, person(bank, "BANK_MAKER"))
    return await reached(market, made, "COMPLETED")


@pytest.mark.parametrize(("number", "later"), [(1, 60_000_00), (2, 60_000_00), (2, 40_000_00)])
async def test_a_payment_during_the_drawdown_is_collected_after_a_later_one(
    market: Any, number: int, later: int
) -> None:
    """40,000.00 comes while the loan is drawn down and waits for a person; another payment overtakes it."""
    declarations = [await market.insured() for _ in range(number)]
    loan = await market.lend(declarations, 80_000_00 * number)
    set_state(market, loan, "DISBURSING")
    parked = await brought(market, 40_000_00, declarations[0], "UNMATCHED")
    set_state(market, loan, "ACTIVE")
    payment = await market.pay(later, declarations[0])
    assert paid_to(payment, loan.name) == 40_000_00
    payment = await matched(market, parked, declarations[0])
    assert paid_to(payment, loan.name) == 40_000_00
    assert (await market.loan(loan.name)).outstanding == usd(80_000_00 * (number - 1))
    assert market.violations() == []


async def test_a_payment_that_waits_for_a_person_is_still_to_repay_the_loan(market: Any) -> None:
    """X7: 40,000.00 settled the encumbrance of a loan and wait in suspense.

    No fault is named until the money has left suspense elsewhere; then the loan should have been repaid.
    """
    declaration = await market.insured()
    loan = await market.lend([declaration], 80_000_00)
    set_state(market, loan, "DISBURSING")
    parked = await brought(market, 40_000_00, declaration, "UNMATCHED")
    set_state(market, loan, "ACTIVE")
    assert market.violations() == []
    set_payment(market, parked, state="RETURNED")
    found = market.violations()
    assert any(loan.name in violation and "0.00 are to come" in violation for violation in found), found
    set_payment(market, parked, state="UNMATCHED")
    await matched(market, parked, declaration)
    assert (await market.loan(loan.name)).outstanding == usd(40_000_00)
    assert market.violations() == []


async def test_a_payment_whose_answer_is_on_its_way_is_still_to_repay_the_loan(market: Any) -> None:
    """X7: the register has counted 40,000.00; settlement doesn't know yet whose encumbrance they settled."""
    declaration = await market.insured()
    loan = await market.lend([declaration], 80_000_00)
    set_state(market, loan, "DISBURSING")
    parked = await brought(market, 40_000_00, declaration, "UNMATCHED")
    set_state(market, loan, "ACTIVE")
    before = set_payment(market, parked, state="MATCHED", collections="[]")
    found = market.violations()
    set_payment(market, parked, **before)
    assert not any(loan.name in violation for violation in found), found
    await matched(market, parked, declaration)
    assert market.violations() == []


async def test_a_parked_payment_needs_no_consent_to_go_on(market: Any) -> None:
    """It has settled the lender's encumbrance: the exporter can't keep the money from the lender."""
    declaration = await market.insured()
    loan = await market.lend([declaration], 80_000_00)
    set_state(market, loan, "DISBURSING")
    parked = await brought(market, 40_000_00, declaration, "UNMATCHED")
    set_state(market, loan, "ACTIVE")
    await revoked(market, BANK)
    try:
        payment = await matched(market, parked, declaration)
    finally:
        await market.call("declarations", "CreateConsent", market.consent_request(BANK), EXPORTER)
    assert paid_to(payment, loan.name) == 40_000_00
    assert market.violations() == []


def set_restored(market: Any, loan: Any, units: int) -> None:
    """Sets by hand how much was put back for the one repayment of a loan."""
    with market.behind("loans") as connection:
        row = sa.update(repayments).where(repayments.c.loan == loan.name)
        assert connection.execute(row.values(restored_minor_units=units)).rowcount == 1


async def test_what_interest_took_is_not_restored_beside_another_holder(market: Any) -> None:
    """X7: another bank holds the rest since the loan's part was settled; the interest comes of what is paid next.

    Till then the lender knows 290.00 as unsecured. If its book says that a cent of them was put back, it is named.
    """
    declaration = await market.insured()
    loan, start = await market.lend([declaration], 80_000_00), market.today()
    market.close_until(start + 30 * DAY)
    set_state(market, loan, "DISBURSING")
    parked = await brought(market, 80_000_00, declaration, "UNMATCHED")
    set_state(market, loan, "ACTIVE")
    await market.borrow_reference(declaration, "its own", 10_000_00)
    payment = await matched(market, parked, declaration)
    assert paid_to(payment, loan.name) == 80_000_00
    assert (await market.encumbrance(loan.encumbrance)).items[0].settled == usd(80_000_00)
    assert market.violations() == []
    set_restored(market, loan, 1)
    (violation,) = market.violations()
    assert f"{loan.name} is repaid" in violation
    assert "USD 289.99 are to come or known as unsecured" in violation
    set_restored(market, loan, 0)
    payment = await market.pay(20_000_00, declaration)
    assert (paid_to(payment, loan.name), payment.remainder) == (290_00, usd(19_710_00))
    assert market.violations() == []
