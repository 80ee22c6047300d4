"""Paid value isn't insured, and exposure follows payments: all services on real ports, on each database in turn."""

import asyncio
import time
import uuid
from typing import Any

import pytest
from aval.credit_insurance.v1 import credit_insurance_pb2 as pb
from aval.declarations.v1 import declarations_pb2
from aval.settlement.v1 import settlement_pb2
from stdnum.cn import uscc

from chassis.clock import MICROSECONDS, SystemClock
from chassis.contracts import contract
from chassis.identity import Caller
from chassis.money import Money, to_proto
from services.credit_insurance.service import SERVICE as CREDIT_INSURANCE
from services.declarations.service import SERVICE as DECLARATIONS
from tests.service.credit_insurance_world import CHECKER, INSURER, MAKER, decision, limit_request, policy_request
from tests.service.credit_insurance_world import shipment_request as asked_shipment

BANK = "banks/LMHFCNB0"
SYSTEM = Caller(f"{BANK}/system", BANK, frozenset({"BANK_SYSTEM"}), second_factor=True)
WINDOW = Caller("window/system", "window", frozenset({"WINDOW"}))
VALUE, LIMIT = 5_000_000, 50_000_000
PATIENCE_SECONDS = 20


class Exporter:
    """A fresh exporter with consent, a policy in dollars, a limit on its buyer, and money for premiums."""

    def __init__(self, world: Any) -> None:
        self.world = world
        code = f"91410105{uuid.uuid4().int % 10**9:09}"
        self.name = f"enterprises/{code}{uscc.calc_check_digit(code)}"
        self.caller = Caller(f"{self.name}/lin", self.name, frozenset({"EXPORTER"}), second_factor=True)
        self.limit = ""

    async def prepare(self) -> None:
        """All of that."""
        consent = declarations_pb2.Consent(institution=INSURER, purpose="cover")
        consent.expire_time.FromMicroseconds(SystemClock().now_us() + 86_400 * MICROSECONDS)
        consented = declarations_pb2.CreateConsentRequest(consent=consent)
        await self.world.ask("CreateConsent", consented, self.caller, "declarations")
        asked = policy_request(enterprise=self.name)
        policy = (await self._insurer("CreatePolicy", asked, MAKER)).name
        await self._insurer("ApprovePolicy", pb.ApprovePolicyRequest(name=policy), CHECKER)
        self.limit = (await self._insurer("RequestBuyerLimit", limit_request(policy, LIMIT), self.caller)).name
        await self._insurer("DecideBuyerLimit", decision(self.limit, LIMIT), MAKER)
        await self._insurer("ApproveBuyerLimit", pb.ApproveBuyerLimitRequest(name=self.limit), CHECKER)
        await self._fund()

    async def _fund(self) -> None:
        accounts = [
            await self.world.ask("OpenAccount", settlement_pb2.OpenAccountRequest(account=account), SYSTEM)
            for account in (
                settlement_pb2.Account(owner=BANK, currency_code="USD", kind="NOSTRO"),
                settlement_pb2.Account(owner=self.name, currency_code="USD", kind="CURRENT"),
            )
        ]
        moved = settlement_pb2.Transfer(debit_account=accounts[0].name, credit_account=accounts[1].name)
        moved.amount.CopyFrom(to_proto(Money("USD", 1_000_000)))
        await self.world.ask("CreateTransfer", settlement_pb2.CreateTransferRequest(transfer=moved), SYSTEM)

    async def _insurer(self, method: str, request: Any, caller: Caller) -> Any:
        return await self.world.ask(method, request, caller, "credit_insurance")

    async def declare(self, currency: str = "USD") -> str:
        """A declaration of VALUE that customs has closed; its name."""
        number, total = f"460120260{uuid.uuid4().int % 10**9:09}", to_proto(Money(currency, VALUE))
        row = declarations_pb2.Declaration(
            declaration_number=number, enterprise=self.name, trade_mode="0110", transport_mode="2",
            destination_country="USA", declared_value=total,
        )  # fmt: skip
        row.lines.add(line_number=1, commodity_code="6704190000", goods_name="Wigs", total=total)
        rows = declarations_pb2.BatchCreateDeclarationsRequest(declarations=[row])
        answer = await self.world.ask("BatchCreateDeclarations", rows, WINDOW, "declarations")
        assert not answer.verdicts[0].problems, answer
        receipts = declarations_pb2.BatchCreateReceiptsRequest()
        for minute, code in enumerate("7LPR"):
            receipt = receipts.receipts.add(declaration_number=number, channel_code=code)
            receipt.notice_time.FromSeconds(int(time.time()) - 600 + minute * 60)
        await self.world.ask("BatchCreateReceipts", receipts, WINDOW, "declarations")
        return f"declarations/{number}"

    async def cover(self, declaration: str, units: int) -> Any:
        """A shipment once it is covered or refused."""
        shipment = await self._insurer(
            "CreateCoveredShipment", asked_shipment(self.limit, declaration, units), self.caller
        )
        return await self.until(shipment.name, pb.CoveredShipment.COVERED, pb.CoveredShipment.REFUSED)

    async def until(self, shipment: str, *states: Any) -> Any:
        """A shipment in one of these states."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                found = await self._insurer(
                    "GetCoveredShipment", pb.GetCoveredShipmentRequest(name=shipment), self.caller
                )
                if found.state in states:
                    return found
                await asyncio.sleep(0.05)

    async def paid(self, declaration: str, amount: Money) -> None:
        """The buyer pays: the register applies it, then the insurer is told."""
        payment, wired = f"incomingPayments/{uuid.uuid4()}", to_proto(amount)
        applied = declarations_pb2.ApplyProceedsRequest(asset=declaration, payment=payment, amount=wired)
        await self.internal("declarations", "ApplyProceeds", applied)
        told = pb.ReleaseExposureRequest(declaration=declaration, payment=payment, amount=wired)
        await self.internal("credit_insurance", "ReleaseExposure", told)

    async def internal(self, service: str, method: str, request: Any) -> None:
        """A call of one service to another."""
        request.request_id = str(uuid.uuid4())
        path = contract(service).path(method)
        await self.world.loans.call(service, path, request.SerializeToString(), [])

    async def insured(self, declaration: str) -> Any:
        """Returns the value that the register counts as insured."""
        request = declarations_pb2.GetDeclarationRequest(name=declaration)
        return (await self.world.ask("GetDeclaration", request, self.caller, "declarations")).value.insured

    async def available(self) -> int:
        """Returns what the limit has left, minor units."""
        request = pb.GetBuyerLimitRequest(name=self.limit)
        return int((await self._insurer("GetBuyerLimit", request, self.caller)).available.minor_units)

    def violations(self) -> list[str]:
        """Returns what verification of register and insurer finds wrong."""
        found: list[str] = []
        for service in (DECLARATIONS, CREDIT_INSURANCE):
            with self.world.platform.nodes[service.name].store.read() as connection:
                found += service.violations(connection)
        return found


@pytest.fixture
async def exporter(world: Any) -> Exporter:
    """One of its own for each test."""
    made = Exporter(world)
    await made.prepare()
    return made


@pytest.mark.parametrize(
    ("paid", "asked", "is_covered"),
    [(VALUE, VALUE, False), (VALUE, 1_000, False), (4_000_000, 1_000_001, False), (4_000_000, 1_000_000, True)],
)
async def test_no_more_is_covered_than_is_owed(exporter: Exporter, paid: int, asked: int, is_covered: bool) -> None:
    """The premium is of what is owed, and a limit that nothing could free isn't used."""
    declaration = await exporter.declare()
    await exporter.paid(declaration, Money("USD", paid))
    found = await exporter.cover(declaration, asked)
    if is_covered:
        assert (found.covered_amount.minor_units, found.premium.minor_units) == (asked, 6_500)
        await exporter.paid(declaration, Money("USD", VALUE - paid))
        found = await exporter.until(found.name, pb.CoveredShipment.CLOSED)
    else:
        assert (found.state, found.refusal_reason) == (pb.CoveredShipment.REFUSED, "VALUE_PAID")
    assert found.exposure.minor_units == 0
    assert await exporter.available() == LIMIT
    assert exporter.violations() == []


async def test_a_premium_is_of_no_part_that_is_paid_though_the_limit_covers_less(exporter: Exporter) -> None:
    """40,000 of 50,000 paid: an invoice of 50,000 is refused, whatever the limit had left for it."""
    declaration, other = await exporter.declare(), await exporter.declare()
    await exporter.paid(declaration, Money("USD", 4_000_000))
    await exporter.cover(other, VALUE)
    refused = await exporter.cover(declaration, VALUE)
    assert refused.refusal_reason == "VALUE_PAID"


@pytest.mark.parametrize(
    ("currency", "covered", "payments"),
    [
        ("EUR", VALUE, [VALUE]),
        ("EUR", VALUE, [1_666_667, 1_666_667, 1_666_666]),
        ("EUR", 1_000_000, [1, 2_000_000, 2_999_999]),
        ("JPY", 30_000, [1, 2_499_999, 2_500_000]),
        ("USD", VALUE, [4_999_999, 1]),
        ("USD", 3_000_000, [2_000_000, 4_000_000]),
    ],
)
async def test_full_payment_frees_all_exposure_and_the_mark(
    exporter: Exporter, currency: str, covered: int, payments: list[int]
) -> None:
    """X8: exposure and the insured mark fall with each payment, to nothing, in whichever currency."""
    declaration = await exporter.declare(currency)
    shipment = await exporter.cover(declaration, covered)
    assert shipment.state == pb.CoveredShipment.COVERED, shipment.refusal_reason
    for units in payments:
        await exporter.paid(declaration, Money(currency, units))
        assert exporter.violations() == []
    closed = await exporter.until(shipment.name, pb.CoveredShipment.CLOSED)
    assert closed.exposure.minor_units == 0
    assert (await exporter.insured(declaration)).minor_units == 0
    assert await exporter.available() == LIMIT
    assert exporter.violations() == []


async def test_a_payment_that_is_told_only_after_the_cover_frees_nothing_of_it(exporter: Exporter) -> None:
    """The register had counted it already; the insurer hears of it later."""
    declaration = await exporter.declare()
    payment, amount = f"incomingPayments/{uuid.uuid4()}", to_proto(Money("USD", 1_000_000))
    applied = declarations_pb2.ApplyProceedsRequest(asset=declaration, payment=payment, amount=amount)
    await exporter.internal("declarations", "ApplyProceeds", applied)
    shipment = await exporter.cover(declaration, 4_000_000)
    told = pb.ReleaseExposureRequest(declaration=declaration, payment=payment, amount=amount)
    await exporter.internal("credit_insurance", "ReleaseExposure", told)
    found = await exporter.until(shipment.name, pb.CoveredShipment.COVERED)
    assert found.exposure.minor_units == 4_000_000
    await exporter.paid(declaration, Money("USD", 4_000_000))
    assert (await exporter.until(shipment.name, pb.CoveredShipment.CLOSED)).exposure.minor_units == 0
    assert exporter.violations() == []
