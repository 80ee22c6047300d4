"""Whom a buyer's payment repays, in what order, and from which day: through every service, on both databases."""

import datetime
from typing import Any

import pytest
import sqlalchemy as sa
from aval.loans.v1 import loans_pb2

from services.declarations.register.encumbrance.store import encumbrances
from services.loans.tables import repayments
from services.settlement.tables import incoming_payments
from tests.conformance.world import BANK, SECOND_BANK, person, usd

DAY = datetime.timedelta(days=1)


def paid_to(payment: Any, loan: str) -> int:
    """Returns the minor units of a payment that went to a loan."""
    return sum(collection.amount.minor_units for collection in payment.collections if collection.loan == loan)


async def test_a_lender_is_whole_before_the_exporter_gets_anything(market: Any) -> None:
    """80,000.00 at 4.35 %; 40,000 on day 30, 40,000 on day 60, 20,000 on day 90."""
    declaration = await market.insured()
    loan, start = await market.lend([declaration], 80_000_00), market.today()
    for days, units, lender, outstanding in (
        (30, 40_000_00, 40_000_00, 40_290_00),
        (60, 40_000_00, 40_000_00, 436_05),
        (90, 20_000_00, 437_63, 0),
    ):
        market.close_until(start + days * DAY)
        payment = await market.pay(units, declaration)
        assert paid_to(payment, loan.name) == lender
        assert payment.remainder == usd(units - lender)
        assert (await market.loan(loan.name)).outstanding == usd(outstanding)
        held = (await market.encumbrance(loan.encumbrance)).items[0]
        assert held.amount.minor_units - held.settled.minor_units == outstanding
        assert market.violations() == []
    ended = loans_pb2.Loan.State.Name((await market.loan(loan.name)).state)
    assert ended in ("REPAID", "CLOSED")


async def test_interest_comes_on_top_where_the_receivable_bears_it(market: Any) -> None:
    declaration = await market.insured()
    loan, start = await market.lend([declaration], 60_000_00), market.today()
    market.close_until(start + 30 * DAY)
    payment = await market.pay(100_000_00, declaration)
    # 60,000.00 x 4.35 % x 30 / 360 = 217.50
    assert (paid_to(payment, loan.name), payment.remainder) == (60_217_50, usd(39_782_50))


async def test_a_loan_over_two_receivables_takes_of_each_what_it_stands_for(market: Any) -> None:
    first, second = await market.insured(), await market.insured()
    loan, start = await market.lend([first, second], 160_000_00), market.today()
    market.close_until(start + 30 * DAY)
    payment = await market.pay(100_000_00, first)
    # 160,000.00 x 4.35 % x 30 / 360 = 580.00
    assert (paid_to(payment, loan.name), payment.remainder) == (80_580_00, usd(19_420_00))
    assert (await market.loan(loan.name)).outstanding == usd(80_000_00)
    assert market.violations() == []
    payment = await market.pay(100_000_00, second)
    assert (paid_to(payment, loan.name), payment.remainder) == (80_000_00, usd(20_000_00))


@pytest.mark.parametrize("own", [False, True])
async def test_a_borrowed_reference_moves_nothing(market: Any, own: bool) -> None:
    """Another bank, or the loan's own bank by another encumbrance, names a loan that it doesn't secure."""
    financed, other = await market.insured(), await market.declared()
    loan = await market.lend([financed], 80_000_00)
    await market.borrow_reference(other, loan.name, 85_000_00, BANK if own else SECOND_BANK)
    payment = await market.pay(100_000_00, other)
    assert list(payment.collections) == []
    assert payment.remainder == usd(100_000_00)
    after = await market.loan(loan.name)
    assert (loans_pb2.Loan.State.Name(after.state), after.outstanding) == ("ACTIVE", usd(80_000_00))
    assert market.violations() == []


async def test_one_transfer_for_two_declarations_repays_both_lenders(market: Any) -> None:
    declarations, lent = [await market.insured() for _ in range(2)], []
    for declaration, bank in zip(declarations, (BANK, SECOND_BANK), strict=True):
        lent.append(await market.lend([declaration], 80_000_00, bank))
    payment = await market.pay(200_000_00, *declarations)
    assert [part.amount for part in payment.parts] == [usd(100_000_00), usd(100_000_00)]
    assert [paid_to(payment, loan.name) for loan in lent] == [80_000_00, 80_000_00]
    assert payment.remainder == usd(40_000_00)
    assert [(await market.loan(loan.name)).outstanding for loan in lent] == [usd(0), usd(0)]
    assert market.violations() == []


async def test_too_little_for_two_declarations_is_shared_by_what_they_owe(market: Any) -> None:
    first, second = await market.insured(), await market.insured()
    loan = await market.lend([first], 80_000_00)
    await market.pay(40_000_00, second)
    payment = await market.pay(80_000_00, first, second)
    assert [part.amount for part in payment.parts] == [usd(50_000_00), usd(30_000_00)]
    assert paid_to(payment, loan.name) == 50_000_00


async def test_a_receiving_bank_sees_nothing_of_another_lenders_loan(market: Any) -> None:
    declaration = await market.insured()
    loan = await market.lend([declaration], 80_000_00, SECOND_BANK)
    payment = await market.pay(100_000_00, declaration, reader=BANK)
    (shown,) = payment.collections
    assert (shown.bank, shown.loan, shown.repayment) == ("", "", "")
    assert shown.amount == usd(80_000_00)
    assert shown.reference
    assert loan.name not in str(payment)
    assert SECOND_BANK not in str(payment)


@pytest.mark.parametrize(("days", "reason"), [(9, "VALUE_DATE_TOO_LATE"), (-30, "VALUE_DATE_TOO_EARLY")])
async def test_no_value_date_costs_the_lender_or_the_exporter(market: Any, days: int, reason: str) -> None:
    declaration = await market.insured()
    loan, start = await market.lend([declaration], 80_000_00), market.today()
    market.close_until(start + 30 * DAY)
    message = market.message(BANK, 30_000_00, declaration, market.today() + days * DAY)
    refusal = await market.refused("settlement", "ImportPayment", message, person(BANK, "BANK_SYSTEM"))
    assert refusal.reason == "INVALID_FIELDS"
    payment = await market.pay(30_000_00, declaration)
    # 80,000.00 x 4.35 % x 30 / 360 = 290.00
    assert paid_to(payment, loan.name) == 30_000_00
    assert (await market.loan(loan.name)).interest_paid == usd(290_00)


# Last, since it spoils the rows: each fault by hand, and what names it.


def spoil(market: Any, service: str, statement: Any) -> None:
    """Changes rows behind the service's back."""
    with market.behind(service) as connection:
        assert connection.execute(statement).rowcount == 1


async def test_verify_names_each_fault(market: Any) -> None:
    """X6, X7: each fault in what was swept, settled and repaid is named, with the loan or payment."""
    declaration = await market.insured()
    loan, start = await market.lend([declaration], 80_000_00), market.today()
    market.close_until(start + 30 * DAY)
    payment = await market.pay(40_000_00, declaration)
    assert market.violations() == []
    held = loan.encumbrance.removeprefix("encumbrances/")
    row, rows = encumbrances.c.id == held, repayments.c.loan == loan.name

    def named(service: str, table: sa.Table, where: Any, changes: dict[str, Any], *words: str) -> None:
        """Plants a fault, sees it named, and takes it out."""
        query = sa.select(*(table.c[name] for name in changes)).where(where)
        with market.platform.nodes[service].store.read() as connection:
            before = dict(connection.execute(query).mappings().one())
        spoil(market, service, sa.update(table).where(where).values(changes))
        found = market.violations()
        spoil(market, service, sa.update(table).where(where).values(before))
        assert any(all(word in violation for word in words) for violation in found), found
        assert market.violations() == []

    named("declarations", encumbrances, row, {"state": "RELEASED"}, loan.name, "is RELEASED")
    named("declarations", encumbrances, row, {"holder": SECOND_BANK}, payment.name, "is held by", SECOND_BANK)
    named("declarations", encumbrances, row, {"reference": "loans/other"}, payment.name, "secures loans/other")
    named("loans", repayments, rows, {"bank": SECOND_BANK}, payment.name, "repays")
    named("loans", repayments, rows, {"principal_minor_units": 1}, payment.name, "is of USD")
    named("loans", repayments, rows, {"state": "CANCELLED"}, payment.name, "CANCELLED")
    named("loans", repayments, rows, {"value_date": "2072-01-22"}, "2072-01-22")
    paid = incoming_payments.c.id == payment.name.removeprefix("incomingPayments/")
    named("settlement", incoming_payments, paid, {"value_date": "9999-12-31"}, "9999-12-31")
    with market.platform.nodes["declarations"].store.read() as connection:
        items = connection.execute(sa.select(encumbrances.c["items"]).where(row)).scalar_one()
    more, less = items.replace("3971000", "4000000"), items.replace("3971000", "3900000")
    assert items not in (more, less)
    named("declarations", encumbrances, row, {"items": more}, loan.name, "0.00 are to come or known as unsecured")
    named("declarations", encumbrances, row, {"items": less}, loan.name, "is settled")


async def test_verify_names_money_in_suspense_that_waits_for_nobody(market: Any) -> None:
    """M3: a payment in suspense that neither a call moves nor a person is asked for is named."""
    payment = await market.call(
        "settlement", "ImportPayment", market.message(BANK, 7_00, "a fair's fee"), person(BANK, "BANK_SYSTEM")
    )
    row = incoming_payments.c.id == payment.name.removeprefix("incomingPayments/")
    assert market.violations() == []
    spoil(market, "settlement", sa.update(incoming_payments).where(row).values(state="RECEIVED"))
    found = market.violations()
    spoil(market, "settlement", sa.update(incoming_payments).where(row).values(state="UNMATCHED"))
    assert any(payment.name in violation and "waits for nobody" in violation for violation in found)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"amount_minor_units": 6_00}, "is UNMATCHED: suspense holds 700 of it, not 600"),
        ({"state": "SWEPT"}, "is SWEPT: suspense holds 700 of it, not 0"),
    ],
)
async def test_verify_names_suspense_that_holds_another_sum(market: Any, changes: dict[str, Any], says: str) -> None:
    """M1: a payment that waits and isn't whole in suspense is named, and so is one that is swept and still there."""
    message = market.message(BANK, 7_00, "a fair's fee")
    payment = await market.call("settlement", "ImportPayment", message, person(BANK, "BANK_SYSTEM"))
    row = incoming_payments.c.id == payment.name.removeprefix("incomingPayments/")
    assert market.violations() == []
    spoil(market, "settlement", sa.update(incoming_payments).where(row).values(changes))
    violations = market.violations()
    right = {"amount_minor_units": 7_00, "state": "UNMATCHED"}
    spoil(market, "settlement", sa.update(incoming_payments).where(row).values(right))
    assert any(f"{payment.name} {says}" in violation for violation in violations), violations
    assert market.violations() == []
