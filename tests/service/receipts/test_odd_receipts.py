"""Receipts that come out of order, together, too small, too late or too much: on both databases."""

import asyncio
import datetime
from collections import Counter
from typing import Any

import pytest
from aval.credit_insurance.v1 import credit_insurance_pb2
from aval.declarations.v1 import declarations_pb2, retail_list_pb2
from aval.loans.v1 import loans_pb2
from aval.settlement.v1 import settlement_pb2

from chassis.rpc import date
from tests.conformance.world import CAST, SECOND_BANK, SETTLEMENT_FOR_BANK, identifier, person, usd

DAY = datetime.timedelta(days=1)
EXPORTER = CAST["EXPORTER"]


def paid_to(payment: Any, loan: str) -> int:
    """Returns the minor units of a payment that went to a loan."""
    return sum(collection.amount.minor_units for collection in payment.collections if collection.loan == loan)


async def state_of(market: Any, loan: Any) -> str:
    """A loan's state."""
    return loans_pb2.Loan.State.Name((await market.loan(loan.name)).state)


async def test_what_is_paid_beyond_a_receivable_leaves_nothing_pending(market: Any) -> None:
    first, second = await market.insured(), await market.insured()
    loan = await market.lend([first, second], 160_000_00)
    await market.pay(100_000_00, first)
    payment = await market.pay(10_00, first)
    assert payment.remainder == usd(10_00)
    payment = await market.pay(100_000_00, second)
    assert paid_to(payment, loan.name) == 80_000_00
    assert (await market.loan(loan.name)).outstanding == usd(0)
    assert await state_of(market, loan) in ("REPAID", "CLOSED")
    assert market.violations() == []


async def test_two_payments_at_once_repay_the_lender_together(market: Any) -> None:
    declaration = await market.insured()
    loan = await market.lend([declaration], 80_000_00)
    payments = await asyncio.gather(*(market.pay(units, declaration) for units in (30_000_00, 30_000_00, 40_000_00)))
    assert sum(paid_to(payment, loan.name) for payment in payments) == 80_000_00
    assert (await market.loan(loan.name)).outstanding == usd(0)
    assert market.violations() == []


class Gate:
    """A call of settlement that waits until a test lets it go."""

    def __init__(self) -> None:
        self.reached, self.opened = asyncio.Event(), asyncio.Event()


def gates(market: Any, monkeypatch: pytest.MonkeyPatch, *calls: tuple[str, int]) -> list[Gate]:
    """Holds some of settlement's calls: ("CreateRepayment", 2) is the second repayment that it asks for from now on."""
    runner = market.platform.nodes["settlement"]._runner
    send, count, held = runner._send, Counter[str](), {call: Gate() for call in calls}

    async def sent(task: Any) -> Any:
        count[task.method] += 1
        if gate := held.get((task.method, count[task.method])):
            gate.reached.set()
            await gate.opened.wait()
        return await send(task)

    monkeypatch.setattr(runner, "_send", sent)
    return list(held.values())


async def owed_and_held(market: Any, loan: Any) -> tuple[int, int]:
    """The minor units that are owed on a loan, and those that its encumbrance holds."""
    held = (await market.encumbrance(loan.encumbrance)).items[0]
    outstanding = (await market.loan(loan.name)).outstanding
    return outstanding.minor_units, held.amount.minor_units - held.settled.minor_units


async def test_what_is_being_put_back_for_a_payment_is_not_put_back_for_the_next(
    market: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interest took 290.00 of the first payment, which the register is to put back; the second overtakes that."""
    declaration = await market.insured()
    loan, start = await market.lend([declaration], 80_000_00), market.today()
    market.close_until(start + 30 * DAY)
    (restoration,) = gates(market, monkeypatch, ("RestoreEncumbrance", 1))
    first = asyncio.create_task(market.pay(40_000_00, declaration))
    await restoration.reached.wait()
    second = await market.pay(30_000_00, declaration)
    restoration.opened.set()
    assert [paid_to(payment, loan.name) for payment in (await first, second)] == [40_000_00, 30_000_00]
    assert await owed_and_held(market, loan) == (10_290_00, 10_290_00)
    assert market.violations() == []
    last = await market.pay(30_000_00, declaration)
    assert (paid_to(last, loan.name), last.remainder) == (10_290_00, usd(19_710_00))
    assert market.violations() == []


async def test_what_was_put_back_since_a_payment_was_counted_is_not_put_back_for_it(
    market: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The register counted the second payment before it put back the first one's 290.00; it is collected after that."""
    declaration = await market.insured()
    loan, start = await market.lend([declaration], 80_000_00), market.today()
    market.close_until(start + 30 * DAY)
    restoration, repayment = gates(market, monkeypatch, ("RestoreEncumbrance", 1), ("CreateRepayment", 2))
    first = asyncio.create_task(market.pay(40_000_00, declaration))
    await restoration.reached.wait()
    second = asyncio.create_task(market.pay(30_000_00, declaration))
    await repayment.reached.wait()
    restoration.opened.set()
    await first
    repayment.opened.set()
    await second
    assert await owed_and_held(market, loan) == (10_290_00, 10_290_00)
    assert market.violations() == []


async def test_verify_names_a_repayment_that_waits_for_a_payment_at_its_end(market: Any) -> None:
    """M6: a repayment of a finished payment that is still PENDING is named."""
    declaration = await market.insured()
    loan, start = await market.lend([declaration], 80_000_00), market.today()
    payment = await market.pay(10_000_00, declaration)
    request = loans_pb2.CreateRepaymentRequest(
        repayment_id=identifier(),
        loan=loan.name,
        payment=payment.name,
        amount=usd(1),
        date=date(start),
        encumbrance=loan.encumbrance,
        settled=usd(10_000_01),
    )
    made = await market.call("loans", "CreateRepayment", request, SETTLEMENT_FOR_BANK)
    (found,) = market.violations()
    assert made.name in found
    assert payment.name in found
    cancel = loans_pb2.CancelRepaymentRequest(repayment_id=request.repayment_id)
    await market.call("loans", "CancelRepayment", cancel, SETTLEMENT_FOR_BANK)
    assert market.violations() == []


async def test_payments_below_the_interest(market: Any) -> None:
    declaration = await market.insured()
    loan, start = await market.lend([declaration], 80_000_00), market.today()
    market.close_until(start + 30 * DAY)
    total = 0
    for units in (1, 100_00, 189_99):
        payment = await market.pay(units, declaration)
        assert paid_to(payment, loan.name) == units
        total += units
        assert market.violations() == []
    assert (await market.loan(loan.name)).interest_paid == usd(290_00)
    payment = await market.pay(100_000_00 - total, declaration)
    assert paid_to(payment, loan.name) == 80_000_00
    assert await state_of(market, loan) in ("REPAID", "CLOSED")
    assert market.violations() == []


async def test_three_declarations_odd_units(market: Any) -> None:
    declared = [await market.insured() for _ in range(3)]
    loan, start = await market.lend(declared, 239_999_99), market.today()
    market.close_until(start + 17 * DAY)
    payment = await market.pay(100_000_01, *declared)
    assert sum(part.amount.minor_units for part in payment.parts) == 100_000_01
    assert market.violations() == []
    payment = await market.pay(1, declared[1], declared[0])
    assert market.violations() == []
    payment = await market.pay(199_999_98, *reversed(declared))
    # 239,999.99 x 4.35 % x 17 / 360 = 493.00
    assert (await market.loan(loan.name)).outstanding == usd(0)
    assert (await market.loan(loan.name)).interest_paid == usd(493_00)
    assert await state_of(market, loan) in ("REPAID", "CLOSED")
    assert market.violations() == []


@pytest.mark.parametrize(("sold", "part"), [(50_000_00, 30_000_00), (0, 0)])
async def test_unsold_goods_in_a_warehouse_take_no_part_of_a_payment(market: Any, sold: int, part: int) -> None:
    """50,000.00 of 100,000.00 in a warehouse abroad are sold, 100,000.00 are owed of the other declaration."""
    row = market.declaration_row()
    row.trade_mode = "9810"
    batch = declarations_pb2.BatchCreateDeclarationsRequest(declarations=[row])
    await market.call("declarations", "BatchCreateDeclarations", batch, CAST["WINDOW"])
    warehouse = f"declarations/{row.declaration_number}"
    if sold:
        sale = retail_list_pb2.WarehouseSale(declaration=warehouse, sale_number="SALE1", amount=usd(sold))
        sale.sale_time.GetCurrentTime()
        report = retail_list_pb2.ReportWarehouseSaleRequest(warehouse_sale=sale)
        await market.call("declarations", "ReportWarehouseSale", report, EXPORTER)
    declaration = await market.insured()
    loan = await market.lend([declaration], 80_000_00)
    payment = await market.pay(90_000_00, warehouse, declaration)
    assert payment.parts[0].amount == usd(part)
    assert paid_to(payment, loan.name) == min(80_000_00, 90_000_00 - part)
    assert market.violations() == []


async def test_two_loans_of_one_bank_on_one_declaration(market: Any) -> None:
    declaration = await market.insured()
    older = await market.lend([declaration], 40_000_00)
    newer, start = await market.lend([declaration], 45_000_00), market.today()
    market.close_until(start + 30 * DAY)
    await market.pay(60_000_00, declaration)
    assert market.violations() == []
    await market.pay(40_000_00, declaration)
    for loan in (older, newer):
        after = await market.loan(loan.name)
        assert after.outstanding == usd(0)
        assert await state_of(market, loan) in ("REPAID", "CLOSED")
    assert market.violations() == []


async def amended(market: Any, declaration: str, units: int) -> None:
    """Customs amends a declaration's value."""
    row = market.declaration_row()
    row.declaration_number = declaration.removeprefix("declarations/")
    row.declared_value.CopyFrom(usd(units))
    row.lines[0].total.CopyFrom(usd(units))
    row.lines[0].unit_price.value = f"{units // 100}.00"
    row.amend_time.GetCurrentTime()
    batch = declarations_pb2.BatchCreateDeclarationsRequest(declarations=[row])
    await market.call("declarations", "BatchCreateDeclarations", batch, CAST["WINDOW"])


@pytest.mark.parametrize("units", [60_000_00, 150_000_00])
@pytest.mark.parametrize("paid", [[100_000_00], [50_000_00, 50_000_00], [60_000_00, 40_000_00, 50_000_00]])
async def test_an_amended_declaration(market: Any, units: int, paid: list[int]) -> None:
    declaration = await market.insured()
    loan, start = await market.lend([declaration], 80_000_00), market.today()
    market.close_until(start + 30 * DAY)
    await amended(market, declaration, units)
    for part in paid:
        await market.pay(part, declaration)
        assert market.violations() == []
    assert (await market.loan(loan.name)).outstanding == usd(0)
    assert await state_of(market, loan) in ("REPAID", "CLOSED")


async def test_cover_of_a_partly_paid_declaration(market: Any) -> None:
    declaration = await market.declared()
    await market.pay(70_000_00, declaration)
    market.standing["limit"] = await market.limit()
    request = market.shipment_request(declaration)
    request.covered_shipment.invoice_amount.CopyFrom(usd(30_000_01))
    made = await market.call("credit_insurance", "CreateCoveredShipment", request, EXPORTER)
    get = credit_insurance_pb2.GetCoveredShipmentRequest(name=made.name)
    refused = await market._until("credit_insurance", "GetCoveredShipment", get, "REFUSED", EXPORTER)
    assert refused.refusal_reason == "VALUE_PAID"
    request = market.shipment_request(declaration)
    request.covered_shipment.invoice_amount.CopyFrom(usd(30_000_00))
    made = await market.call("credit_insurance", "CreateCoveredShipment", request, EXPORTER)
    get = credit_insurance_pb2.GetCoveredShipmentRequest(name=made.name)
    await market._until("credit_insurance", "GetCoveredShipment", get, "COVERED", EXPORTER)
    await market.pay(10_000_00, declaration)
    shown = await market.call("credit_insurance", "GetCoveredShipment", get, EXPORTER)
    assert shown.exposure == usd(20_000_00)
    await market.pay(20_000_00, declaration)
    await market._until("credit_insurance", "GetCoveredShipment", get, "CLOSED", EXPORTER)
    assert market.violations() == []


async def revoked(market: Any, institution: str) -> None:
    """The exporter takes back every consent of an institution."""
    listed = await market.call("declarations", "ListConsents", declarations_pb2.ListConsentsRequest(), EXPORTER)
    for consent in listed.consents:
        if consent.institution == institution and declarations_pb2.Consent.State.Name(consent.state) == "ACTIVE":
            revoke = declarations_pb2.RevokeConsentRequest(name=consent.name)
            await market.call("declarations", "RevokeConsent", revoke, EXPORTER)


async def test_a_consent_revoked_after_finance(market: Any) -> None:
    """The lender gets what is paid at another bank, and what is paid at its own stays for a person."""
    declaration = await market.insured()
    loan, start = await market.lend([declaration], 80_000_00, SECOND_BANK), market.today()
    market.close_until(start + 30 * DAY)
    await revoked(market, SECOND_BANK)
    try:
        payment = await market.pay(50_000_00, declaration)
        assert paid_to(payment, loan.name) == 50_000_00
        message = market.message(SECOND_BANK, 50_000_00, declaration.removeprefix("declarations/"))
        made = await market.call("settlement", "ImportPayment", message, person(SECOND_BANK, "BANK_SYSTEM"))
        get = settlement_pb2.GetIncomingPaymentRequest(name=made.name)
        await market._until("settlement", "GetIncomingPayment", get, "UNMATCHED", EXPORTER)
    finally:
        await market.call("declarations", "CreateConsent", market.consent_request(SECOND_BANK), EXPORTER)
    assert market.violations() == []
