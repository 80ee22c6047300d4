import datetime
import pytest
from typing import Any
from aval.credit_insurance.v1 import credit_insurance_pb2
from aval.declarations.v1 import declarations_pb2
from aval.loans.v1 import loans_pb2
from aval.settlement.v1 import settlement_pb2
from chassis.money import Money, to_proto
from chassis.clock import MICROSECONDS, SystemClock
from services.settlement.messages import pacs008
from tests.conformance.world import BANK, CAST, SECOND_BANK, ENTERPRISE, person, usd, identifier
EXPORTER = CAST["EXPORTER"]
DAY = datetime.timedelta(days=1)
from tests.service.receipts.test_odd_receipts import *

def m(c, u): return to_proto(Money(c, u))

async def declare(market, currency, units, price):
    row = market.declaration_row()
    row.declared_value.CopyFrom(m(currency, units))
    row.lines[0].total.CopyFrom(m(currency, units))
    row.lines[0].unit_price.value = price
    batch = declarations_pb2.BatchCreateDeclarationsRequest(declarations=[row])
    a = await market.call("declarations", "BatchCreateDeclarations", batch, CAST["WINDOW"])
    assert "ACCEPTED" in str(a), a
    await market.call("declarations", "BatchCreateReceipts", market.receipts(row.declaration_number), CAST["WINDOW"])
    return f"declarations/{row.declaration_number}"

async def accounts(market, currency):
    names=[]
    for owner, kind in ((BANK, "NOSTRO"), (ENTERPRISE, "CURRENT")):
        account = settlement_pb2.Account(owner=owner, currency_code=currency, kind=kind)
        names.append((await market.call("settlement", "OpenAccount", settlement_pb2.OpenAccountRequest(account=account), person(BANK, "BANK_SYSTEM"))).name)
    return names

async def payc(market, account, currency, units, declaration):
    t = pacs008.CreditTransfer(message_id=identifier()[:30], uetr=identifier(), end_to_end_id="E2E", currency_code=currency, minor_units=units,
      settlement_date=market.today(), debtor_name="B", debtor_agent_bic="PCHTUSN0", creditor_name="E", creditor_account=account.removeprefix("accounts/"), creditor_agent_bic=BANK.removeprefix("banks/"),
      remittance_information=declaration.removeprefix("declarations/"))
    content = pacs008.build(t, datetime.datetime.now(datetime.UTC))
    made = await market.call("settlement", "ImportPayment", settlement_pb2.ImportPaymentRequest(content=content), person(BANK, "BANK_SYSTEM"))
    return await reached(market, made, "COMPLETED")

@pytest.mark.parametrize(("currency","units","price","parts"), [("JPY",15_000_000,"15000000",[1,4_999_999,10_000_000]),("JPY",15_000_000,"15000000",[14_999_999,1]),("EUR",100_000_00,"100000.00",[1,1,1,99_999_97]),("KWD",30_000_000,"30000.000",[1,29_999_999])])
async def test_cur(market: Any, currency, units, price, parts):
    declaration = await declare(market, currency, units, price)
    _, account = await accounts(market, currency)
    market.standing["limit"] = await market.limit()
    request = market.shipment_request(declaration)
    request.covered_shipment.invoice_amount.CopyFrom(usd(70_000_00))
    made = await market.call("credit_insurance", "CreateCoveredShipment", request, EXPORTER)
    get = credit_insurance_pb2.GetCoveredShipmentRequest(name=made.name)
    try:
        shown = await market._until("credit_insurance", "GetCoveredShipment", get, "COVERED", EXPORTER)
    except AssertionError as e:
        print(str(e)[-600:]); return
    for part in parts:
        await payc(market, account, currency, part, declaration)
        shown = await market.call("credit_insurance", "GetCoveredShipment", get, EXPORTER)
        print(part, shown.exposure, shown.state)
        assert market.violations() == []
    assert shown.exposure.minor_units == 0

@pytest.mark.parametrize(("currency","units","price","lent"), [("JPY",15_000_000,"15000000",8_000_001),("KWD",30_000_000,"30000.000",20_000_001)])
async def test_lend_cur(market: Any, currency, units, price, lent):
    declaration = await declare(market, currency, units, price)
    nostro, account = await accounts(market, currency)
    transfer = settlement_pb2.Transfer(debit_account=nostro, credit_account=account, amount=m(currency, 1_000_000_0))
    await market.call("settlement", "CreateTransfer", settlement_pb2.CreateTransferRequest(transfer=transfer), person(BANK, "BANK_SYSTEM"))
    old = market.standing["policy"]
    r = market.policy_request(); r.policy.maximum_liability.CopyFrom(m(currency, 1_000_000_000))
    made = await market.call("credit_insurance", "CreatePolicy", r, CAST["INSURER_MAKER"])
    pol = await market.call("credit_insurance", "ApprovePolicy", credit_insurance_pb2.ApprovePolicyRequest(name=made.name, etag=made.etag), CAST["INSURER_CHECKER"])
    r = market.limit_request(); r.policy = pol.name; r.amount.CopyFrom(m(currency, 100_000_000))
    lim = await market.call("credit_insurance", "RequestBuyerLimit", r, EXPORTER)
    d = market.decision(lim); d.amount.CopyFrom(m(currency, 100_000_000))
    lim = await market.call("credit_insurance", "DecideBuyerLimit", d, CAST["INSURER_MAKER"])
    lim = await market.call("credit_insurance", "ApproveBuyerLimit", credit_insurance_pb2.ApproveBuyerLimitRequest(name=lim.name, etag=lim.etag), CAST["INSURER_CHECKER"])
    market.standing["limit"] = lim
    request = market.shipment_request(declaration)
    request.covered_shipment.invoice_amount.CopyFrom(m(currency, units))
    made = await market.call("credit_insurance", "CreateCoveredShipment", request, EXPORTER)
    get = credit_insurance_pb2.GetCoveredShipmentRequest(name=made.name)
    await market._until("credit_insurance", "GetCoveredShipment", get, "COVERED", EXPORTER)
    maker, checker = person(BANK, "BANK_MAKER"), person(BANK, "BANK_CHECKER")
    application = loans_pb2.Application(declarations=[declaration], amount=m(currency, lent), tenor_days=90, banks=[BANK])
    opened = await market.call("loans", "CreateApplication", loans_pb2.CreateApplicationRequest(application=application), EXPORTER)
    offer = loans_pb2.Offer(application=opened.name, amount=m(currency,lent), fee=m(currency,0), tenor_days=90)
    offer.annual_rate.value = "0.0435"
    offer.expire_time.FromMicroseconds(SystemClock().now_us() + 3_600 * MICROSECONDS)
    made = await market.call("loans", "CreateOffer", loans_pb2.CreateOfferRequest(offer=offer), maker)
    approved = await market.call("loans", "ApproveOffer", loans_pb2.ApproveOfferRequest(name=made.name, etag=made.etag), checker)
    loan = await market.call("loans", "AcceptOffer", loans_pb2.AcceptOfferRequest(name=approved.name, etag=approved.etag), EXPORTER)
    await market.call("loans", "SignLoan", market.signature(loan), checker)
    loan = await market._until("loans", "GetLoan", loans_pb2.GetLoanRequest(name=loan.name), "ACTIVE", EXPORTER)
    start = market.today()
    left = units
    for days, part in ((1, 1), (0, 1), (10, units // 3), (0, units // 3), (7, units // 3 - 2)):
        market.close_until(market.today() + days * DAY)
        payment = await payc(market, account, currency, part, declaration)
        after = await market.loan(loan.name)
        print(days, part, paid_to(payment, loan.name), payment.remainder.minor_units, after.outstanding.minor_units, after.interest_paid.minor_units, after.state)
        assert market.violations() == []
    assert after.outstanding.minor_units == 0


async def reserve(market, bank, declaration, units, reference="own", pari_passu=False):
    item = declarations_pb2.EncumberedValue(asset=declaration, amount=usd(units))
    e = declarations_pb2.Encumbrance(asset_class="RECEIVABLE", items=[item], reference=reference, pari_passu=pari_passu)
    held = await market.call("declarations", "ReserveEncumbrance", declarations_pb2.ReserveEncumbranceRequest(encumbrance_id=identifier(), encumbrance=e), person(bank, "BANK_SYSTEM"))
    await market.call("declarations", "ConfirmEncumbrance", declarations_pb2.ConfirmEncumbranceRequest(name=held.name), person(bank, "BANK_SYSTEM"))
    return held

async def test_restored_beside_another(market: Any):
    declaration = await market.insured()
    loan, start = await market.lend([declaration], 80_000_00), market.today()
    market.close_until(start + 30 * DAY)
    set_state(market, loan, "DISBURSING")
    parked = await brought(market, 80_000_00, declaration, "UNMATCHED")
    set_state(market, loan, "ACTIVE")
    got = await market.call("declarations", "GetDeclaration", declarations_pb2.GetDeclarationRequest(name=declaration), EXPORTER)
    print("VALUE", got.value)
    print(await reserve(market, SECOND_BANK, declaration, got.value.available.minor_units))
    payment = await matched(market, parked, declaration)
    print(payment.collections, payment.remainder)
    print((await market.encumbrance(loan.encumbrance)))
    print(market.violations())
    payment = await market.pay(20_000_00, declaration)
    print(payment.collections, payment.remainder, (await market.loan(loan.name)).outstanding)
    print(market.violations())

async def test_over_two(market: Any):
    declarations, lent = [await market.insured() for _ in range(2)], []
    for declaration, bank in zip(declarations, (BANK, SECOND_BANK), strict=True):
        lent.append(await market.lend([declaration], 80_000_00, bank))
    start = market.today()
    market.close_until(start + 30 * DAY)
    payment = await market.pay(50_000_00, declarations[0], bank=SECOND_BANK)
    payment = await market.pay(250_000_00, *declarations, bank=SECOND_BANK)
    print(payment.parts, payment.collections, payment.remainder)
    for loan in lent:
        print(await market.loan(loan.name))
    print(market.violations())
    payment = await market.pay(5_00, *declarations, bank=SECOND_BANK)
    print(payment.parts, payment.collections, payment.remainder)
    print(market.violations())

async def test_own_reference_to_a_loan(market: Any):
    """bank pays; the exporter's declaration with margin; then returned after payment"""
    declaration = await market.insured()
    loan, start = await market.lend([declaration], 50_000_00), market.today()
    market.close_until(start + 30 * DAY)
    e = await reserve(market, BANK, declaration, 30_000_00, loan.name)
    await market.pay(40_000_00, declaration)
    print(market.violations())
    p = await market.pay(40_000_00, declaration)
    print(p.collections, p.remainder)
    print(await market.loan(loan.name))
    print(market.violations())

async def test_several_by_hand(market: Any):
    a, b = await market.insured(), await market.insured()
    loan = await market.lend([a, b], 160_000_00)
    p = await brought(market, 100_000_00, a.replace("460120260", "460120261") + " " , "UNMATCHED")
    done = await matched(market, p, b)
    print(done.collections, done.remainder)
    for reason in ("CreditIncomingPayment", "ReturnIncomingPayment"):
        pass
    print(market.violations())

async def test_release_then_paid(market: Any):
    """The lender's bank releases its encumbrance itself by door, then payment."""
    declaration = await market.insured()
    loan = await market.lend([declaration], 50_000_00)
    try:
        print(await market.call("declarations", "ReleaseEncumbrance", declarations_pb2.ReleaseEncumbranceRequest(name=loan.encumbrance), person(BANK, "BANK_SYSTEM")))
    except Exception as e:
        print("REFUSED", e)
    p = await market.pay(100_000_00, declaration)
    print(p.collections, p.remainder)
    print(await market.loan(loan.name))
    print(market.violations())

async def test_reduce_then_paid(market: Any):
    declaration = await market.insured()
    loan = await market.lend([declaration], 50_000_00)
    item = declarations_pb2.EncumberedValue(asset=declaration, amount=usd(20_000_00))
    try:
        print(await market.call("declarations", "ReleaseEncumbrance", declarations_pb2.ReleaseEncumbranceRequest(name=loan.encumbrance, items=[item]), person(BANK, "BANK_SYSTEM")))
    except Exception as e:
        print("REFUSED", e)
    p = await market.pay(100_000_00, declaration)
    print(p.collections, p.remainder)
    print(await market.loan(loan.name))
    print(market.violations())
