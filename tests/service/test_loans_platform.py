"""Loans beside the register, over real ports: a drawdown goes as far as it can, and value is lent once."""

import pathlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aval.declarations.v1 import declarations_pb2
from aval.events.v1 import events_pb2
from aval.loans.v1 import loans_pb2
from google.type import date_pb2, decimal_pb2

from chassis import signatures, tasks, testing
from chassis.clock import MICROSECONDS, SystemClock
from chassis.contracts import contract
from chassis.identity import ASSERTION_KEY, Caller
from chassis.ids import derived
from chassis.ports import free_port
from chassis.status import RemoteError
from services.declarations.service import SERVICE as DECLARATIONS
from services.loans.service import SERVICE
from tests.service.test_loans import BANK_KEY, BANKS, CHECKER, MAKER, OTHER_CHECKER, OTHER_MAKER, person, usd

WINDOW = Caller("window/system", "window", frozenset({"WINDOW"}))
# A social credit code that passes its check.
ENTERPRISE = "enterprises/91411023MAXY00112A"
EXPORTER = person(ENTERPRISE, "lin", "EXPORTER")
PATIENCE_SECONDS = 20
VALUE = 100_000_00


def number(index: int) -> str:
    """A declaration's resource name."""
    return f"declarations/46012026{index:010}"


class Market:
    """The two services, and what the tests do with them."""

    def __init__(self, platform: testing.Platform) -> None:
        self.platform = platform
        self._requests = 0

    async def call(self, method: str, request: Any, caller: Caller, service: str = SERVICE.name) -> Any:
        """A call at the door."""
        if "request_id" in request.DESCRIPTOR.fields_by_name:
            self._requests += 1
            request.request_id = derived("test", id(self), self._requests)
        return await self.platform.call(service, method, request, caller)

    async def declare(self, index: int) -> str:
        """A declaration with final evidence."""
        await self.take(self.row(index))
        receipts = declarations_pb2.BatchCreateReceiptsRequest()
        for hour, code in enumerate("LPR"):
            receipt = receipts.receipts.add(declaration_number=number(index).removeprefix("declarations/"))
            receipt.channel_code = code
            receipt.notice_time.FromSeconds(1_793_600_000 + hour * 3600)
        await self.call("BatchCreateReceipts", receipts, WINDOW, DECLARATIONS.name)
        return number(index)

    async def amend(self, index: int, value: int) -> None:
        """Customs approves another value of a declaration."""
        row = self.row(index, value)
        row.amend_time.FromMicroseconds(SystemClock().now_us())
        await self.take(row)

    async def take(self, row: declarations_pb2.Declaration) -> None:
        """The window sends a declaration."""
        rows = declarations_pb2.BatchCreateDeclarationsRequest(declarations=[row])
        answer = await self.call("BatchCreateDeclarations", rows, WINDOW, DECLARATIONS.name)
        assert answer.verdicts[0].outcome == declarations_pb2.IntakeVerdict.ACCEPTED, answer

    def row(self, index: int, value: int = VALUE) -> declarations_pb2.Declaration:
        """Returns a declaration of a value as customs has it."""
        line = declarations_pb2.DeclarationLine(
            line_number=1,
            commodity_code="6704200000",
            goods_name="WIGS",
            quantity=decimal_pb2.Decimal(value="1"),
            unit_price=decimal_pb2.Decimal(value=f"{value // 100}.{value % 100:02}"),
            total=usd(value),
            origin_country="CHN",
        )
        return declarations_pb2.Declaration(
            declaration_number=number(index).removeprefix("declarations/"),
            enterprise=ENTERPRISE,
            trade_mode="0110",
            transport_mode="2",
            destination_country="USA",
            export_date=date_pb2.Date(year=2026, month=11, day=2),
            declared_value=usd(value),
            lines=[line],
        )

    async def consent(self, bank: str) -> None:
        """The exporter lets a bank see."""
        consent = declarations_pb2.Consent(institution=bank, purpose="finance")
        consent.expire_time.FromMicroseconds(SystemClock().now_us() + 86_400 * MICROSECONDS)
        request = declarations_pb2.CreateConsentRequest(consent=consent)
        await self.call("CreateConsent", request, EXPORTER, DECLARATIONS.name)

    async def agree(self, declarations: list[str], maker: Caller, checker: Caller, amount: int) -> Any:
        """A loan of a bank that waits for its signature."""
        return await self.accept(await self.offer(declarations, maker, checker, amount))

    async def accept(self, offer: str) -> Any:
        """The loan that an offer comes to, as the exporter accepts it."""
        return await self.call("AcceptOffer", loans_pb2.AcceptOfferRequest(name=offer), EXPORTER)

    async def offer(self, declarations: list[str], maker: Caller, checker: Caller, amount: int) -> str:
        """An offer that the exporter may accept."""
        application = loans_pb2.Application(
            declarations=declarations, amount=usd(amount), tenor_days=90, banks=[maker.tenant]
        )
        asked = loans_pb2.CreateApplicationRequest(application=application)
        opened = await self.call("CreateApplication", asked, EXPORTER)
        offer = loans_pb2.Offer(application=opened.name, amount=usd(amount), fee=usd(0), tenor_days=90)
        offer.annual_rate.value = "0.0435"
        offer.expire_time.FromMicroseconds(SystemClock().now_us() + 3_600 * MICROSECONDS)
        made = await self.call("CreateOffer", loans_pb2.CreateOfferRequest(offer=offer), maker)
        await self.call("ApproveOffer", loans_pb2.ApproveOfferRequest(name=made.name, etag=made.etag), checker)
        return str(made.name)

    async def sign(self, loan: Any, checker: Caller) -> None:
        """The bank's signature."""
        signature = signatures.sign(loan.contract, BANK_KEY, "bank")
        request = loans_pb2.SignLoanRequest(name=loan.name, instruction=loan.contract, signature=signature)
        await self.call("SignLoan", request, checker)

    async def watch(self, name: str, until: str) -> list[str]:
        """The types of the loan's events from its first to `until`, as the exporter's stream tells them."""
        platform, path = self.platform, contract(SERVICE.name).path("Watch")
        metadata = [(ASSERTION_KEY, platform.signer.assertion(EXPORTER, SERVICE.name, SystemClock().now_us()))]
        stream = platform.channels[SERVICE.name].unary_stream(path)
        request = events_pb2.WatchRequest(resource=name).SerializeToString()
        told: list[str] = []
        async for raw in stream(request, metadata=metadata, timeout=PATIENCE_SECONDS):
            told += [event.type for event in events_pb2.WatchResponse.FromString(raw).events]
            if told and told[-1] == until:
                return told
        raise AssertionError(f"the stream ended after {told}")

    async def get(self, name: str) -> Any:
        """A loan as the exporter sees it."""
        return await self.call("GetLoan", loans_pb2.GetLoanRequest(name=name), EXPORTER)

    def violations(self) -> list[str]:
        """Returns what verification of both services and of the loans' tasks finds wrong."""
        found: list[str] = []
        for service in (DECLARATIONS, SERVICE):
            with self.platform.nodes[service.name].store.read() as connection:
                found += [*service.violations(connection), *tasks.violations(connection, service.sagas)]
        return found


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
async def market(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Market]:
    folder: pathlib.Path = tmp_path_factory.mktemp("loans")
    database = f"sqlite:///{folder / 'store'}"
    if request.param == "postgresql":
        database = request.getfixturevalue("postgresql_server").new_database()
    platform = testing.Platform(folder, database, [DECLARATIONS, SERVICE])
    # The insurer is down: it has an address and nobody answers.
    platform.addresses["credit_insurance"] = f"127.0.0.1:{free_port()}"
    await platform.start()
    yield Market(platform)
    await platform.stop()


async def encumbrances(market: Market, declaration: str, caller: Caller) -> list[Any]:
    """Returns what a bank holds on a declaration."""
    request = declarations_pb2.ListEncumbrancesRequest(asset=declaration)
    return list((await market.call("ListEncumbrances", request, caller, DECLARATIONS.name)).encumbrances)


async def test_value_is_lent_once_and_the_second_bank_is_told_why(market: Market) -> None:
    declaration = await market.declare(1)
    for bank in BANKS:
        await market.consent(bank)
    first = await market.agree([declaration], MAKER, CHECKER, 80_000_00)
    second = await market.agree([declaration], OTHER_MAKER, OTHER_CHECKER, 80_000_00)
    await market.sign(first, CHECKER)
    told = ["loan.agreed", "loan.signed", "loan.valued", "loan.reserved"]
    assert await market.watch(first.name, told[-1]) == told
    await market.sign(second, OTHER_CHECKER)
    assert await market.watch(second.name, "loan.cancelled") == [*told[:3], "loan.cancelled"]
    cancelled = await market.get(second.name)
    assert (cancelled.cancellation_reason, cancelled.encumbrance) == ("VALUE_ENCUMBERED", "")
    assert not await encumbrances(market, declaration, OTHER_CHECKER)
    waiting = await market.get(first.name)
    (held,) = await encumbrances(market, declaration, CHECKER)
    assert loans_pb2.Loan.State.Name(waiting.state) == "HOLDING_COVER"
    assert (held.name, held.reference, held.holder) == (waiting.encumbrance, first.name, BANKS[0])
    assert held.state == declarations_pb2.Encumbrance.RESERVED
    assert market.violations() == []


async def test_several_declarations_bear_their_share(market: Market) -> None:
    declarations = [await market.declare(index) for index in (2, 3, 4)]
    await market.consent(BANKS[0])
    loan = await market.agree(declarations, MAKER, CHECKER, 100_000_00)
    await market.sign(loan, CHECKER)
    await market.watch(loan.name, "loan.reserved")
    (held,) = await encumbrances(market, declarations[0], CHECKER)
    amounts = [item.amount.minor_units for item in held.items]
    assert amounts == [33_333_34, 33_333_33, 33_333_33]


async def test_the_door_keeps_what_isnt_for_the_caller(market: Market) -> None:
    declaration = await market.declare(5)
    loan = await market.agree([declaration], MAKER, CHECKER, 1_000_00)
    repayment = loans_pb2.CancelRepaymentRequest(repayment_id=derived("test", "repayment"))
    accept = loans_pb2.AcceptOfferRequest(name=loan.offer)
    without = Caller(EXPORTER.principal, EXPORTER.tenant, EXPORTER.roles)
    sign = loans_pb2.SignLoanRequest(name=loan.name, instruction=b"x", signature="x")
    for method, request, caller, expected in (
        ("CancelRepayment", repayment, CHECKER, "NOT_FOUND"),
        ("AcceptOffer", accept, without, "SECOND_FACTOR_REQUIRED"),
        ("SignLoan", sign, MAKER, "ACCESS_DENIED"),
    ):
        with pytest.raises(RemoteError) as refusal:
            await market.call(method, request, caller)
        assert refusal.value.reason == expected


async def test_the_seal_is_by_the_services_own_key(market: Market) -> None:
    loan = await market.agree([await market.declare(6)], MAKER, CHECKER, 1_000_00)
    public = (market.platform.authority.folder / "services_loans.pub").read_bytes()
    assert signatures.is_valid(loan.contract, loan.seal, public)
