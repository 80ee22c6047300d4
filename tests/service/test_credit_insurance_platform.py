"""Credit insurance beside the register, over real ports: a shipment's value is marked by itself, or it is refused."""

import pathlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aval.credit_insurance.v1 import credit_insurance_pb2 as pb
from aval.declarations.v1 import declarations_pb2, value_pb2
from aval.events.v1 import events_pb2
from google.type import date_pb2, decimal_pb2

from chassis import testing
from chassis.clock import MICROSECONDS, SystemClock
from chassis.contracts import contract
from chassis.identity import ASSERTION_KEY, Caller
from chassis.ids import derived
from chassis.status import RemoteError
from cli import breaches
from services.credit_insurance.service import SERVICE
from services.declarations.service import SERVICE as DECLARATIONS
from tests.service.credit_insurance_world import (
    CHECKER,
    ENTERPRISE,
    EXPORTER,
    INSURER,
    MAKER,
    OTHER_ENTERPRISE,
    OTHER_EXPORTER,
    decision,
    hold_request,
    limit_request,
    number,
    policy_request,
    shipment_request,
    usd,
)

WINDOW = Caller("window/system", "window", frozenset({"WINDOW"}))
PATIENCE_SECONDS = 20


def _declaration(index: int, enterprise: str, value: int) -> declarations_pb2.Declaration:
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
        enterprise=enterprise,
        trade_mode="0110",
        transport_mode="2",
        destination_country="USA",
        export_date=date_pb2.Date(year=2026, month=11, day=2),
        declared_value=usd(value),
        lines=[line],
    )


class Trade:
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

    async def declare(self, index: int, enterprise: str, value: int, *codes: str) -> str:
        """A declaration with its receipts."""
        rows = declarations_pb2.BatchCreateDeclarationsRequest(declarations=[_declaration(index, enterprise, value)])
        answer = await self.call("BatchCreateDeclarations", rows, WINDOW, DECLARATIONS.name)
        assert answer.verdicts[0].outcome == declarations_pb2.IntakeVerdict.ACCEPTED, answer
        receipts = declarations_pb2.BatchCreateReceiptsRequest()
        for hour, code in enumerate(codes):
            receipt = receipts.receipts.add(declaration_number=rows.declarations[0].declaration_number)
            receipt.channel_code = code
            receipt.notice_time.FromSeconds(1_793_600_000 + hour * 3600)
        await self.call("BatchCreateReceipts", receipts, WINDOW, DECLARATIONS.name)
        return number(index)

    async def amend(self, index: int, enterprise: str, value: int) -> None:
        """Customs approves another value of a declaration."""
        row = _declaration(index, enterprise, value)
        row.amend_time.FromMicroseconds(SystemClock().now_us())
        rows = declarations_pb2.BatchCreateDeclarationsRequest(declarations=[row])
        answer = await self.call("BatchCreateDeclarations", rows, WINDOW, DECLARATIONS.name)
        assert answer.verdicts[0].outcome == declarations_pb2.IntakeVerdict.ACCEPTED, answer

    async def consent(self, caller: Caller) -> None:
        """The exporter lets the insurer see."""
        consent = declarations_pb2.Consent(institution=INSURER, purpose="cover")
        consent.expire_time.FromMicroseconds(SystemClock().now_us() + 86_400 * MICROSECONDS)
        request = declarations_pb2.CreateConsentRequest(consent=consent)
        await self.call("CreateConsent", request, caller, DECLARATIONS.name)

    async def limit(self, amount: int) -> str:
        """A buyer limit in force under a fresh policy."""
        policy = (await self.call("CreatePolicy", policy_request(), MAKER)).name
        await self.call("ApprovePolicy", pb.ApprovePolicyRequest(name=policy), CHECKER)
        limit = (await self.call("RequestBuyerLimit", limit_request(policy, amount), EXPORTER)).name
        await self.call("DecideBuyerLimit", decision(limit, amount), MAKER)
        await self.call("ApproveBuyerLimit", pb.ApproveBuyerLimitRequest(name=limit), CHECKER)
        return str(limit)

    async def watch(self, name: str, *until: str) -> list[str]:
        """The types of the resource's events from its first to one of `until`, as the exporter's stream tells them."""
        platform, path = self.platform, contract(SERVICE.name).path("Watch")
        metadata = [(ASSERTION_KEY, platform.signer.assertion(EXPORTER, SERVICE.name, SystemClock().now_us()))]
        stream = platform.channels[SERVICE.name].unary_stream(path)
        request = events_pb2.WatchRequest(resource=name).SerializeToString()
        told: list[str] = []
        async for raw in stream(request, metadata=metadata, timeout=PATIENCE_SECONDS):
            told += [event.type for event in events_pb2.WatchResponse.FromString(raw).events]
            if told and told[-1] in until:
                return told
        raise AssertionError(f"the stream ended after {told}")

    async def get(self, name: str) -> Any:
        """A shipment as the exporter sees it."""
        return await self.call("GetCoveredShipment", pb.GetCoveredShipmentRequest(name=name), EXPORTER)

    async def available(self, limit: str) -> int:
        """Returns what the limit has left."""
        message = await self.call("GetBuyerLimit", pb.GetBuyerLimitRequest(name=limit), EXPORTER)
        return int(message.available.minor_units)

    async def violations(self) -> list[str]:
        """Returns what verification of both services finds wrong."""
        found: list[str] = []
        for service in (DECLARATIONS, SERVICE):
            with self.platform.nodes[service.name].store.read() as connection:
                found += service.violations(connection)
        return found


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
async def trade(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Trade]:
    folder: pathlib.Path = tmp_path_factory.mktemp("credit_insurance")
    database = f"sqlite:///{folder / 'store'}"
    if request.param == "postgresql":
        database = request.getfixturevalue("postgresql_server").new_database()
    platform = testing.Platform(folder, database, [DECLARATIONS, SERVICE])
    await platform.start()
    trade = Trade(platform)
    await trade.consent(EXPORTER)
    yield trade
    await platform.stop()


MARKED = ["covered_shipment.declared", "covered_shipment.value_reserved", "covered_shipment.value_marked"]
CANCELLED = ["covered_shipment.cancelling", "covered_shipment.refused"]


async def test_value_is_marked_by_itself(trade: Trade) -> None:
    """The golden premium; exposure is held, the register counts the value as insured, the premium is owed."""
    declaration = await trade.declare(1, ENTERPRISE, 12_000_000, "7", "L", "P", "R")
    limit = await trade.limit(30_000_000)
    shipment = await trade.call("CreateCoveredShipment", shipment_request(limit, declaration, 12_000_000), EXPORTER)
    assert shipment.state == pb.CoveredShipment.DECLARED
    assert (shipment.premium, shipment.exposure) == (usd(78_000), usd(12_000_000))
    assert await trade.watch(shipment.name, MARKED[-1]) == MARKED
    assert (await trade.get(shipment.name)).state == pb.CoveredShipment.VALUE_MARKED
    assert await trade.available(limit) == 18_000_000
    request = declarations_pb2.GetDeclarationRequest(name=declaration)
    value = (await trade.call("GetDeclaration", request, EXPORTER, DECLARATIONS.name)).value
    assert value.insured == usd(12_000_000)
    assert value.free == usd(10_800_000)
    assert await trade.violations() == []


@pytest.mark.parametrize(
    ("index", "enterprise", "codes", "invoice", "reason", "before"),
    [
        (2, ENTERPRISE, ("7", "L", "P"), 100_000, "VALUE_NOT_ELIGIBLE", MARKED[:2]),
        (3, ENTERPRISE, ("7", "L"), 100_000, "VALUE_NOT_ELIGIBLE", MARKED[:1]),
        (4, ENTERPRISE, ("7", "L", "P", "R"), 100_001, "VALUE_ENCUMBERED", MARKED[:1]),
    ],
)
async def test_what_the_register_refuses_is_refused_and_gives_all_back(
    trade: Trade, index: int, enterprise: str, codes: tuple[str, ...], invoice: int, reason: str, before: list[str]
) -> None:
    """Goods that haven't left, goods that aren't released yet, an invoice above the declared value."""
    declaration = await trade.declare(index, enterprise, 100_000, *codes)
    limit = await trade.limit(500_000)
    shipment = await trade.call("CreateCoveredShipment", shipment_request(limit, declaration, invoice), EXPORTER)
    assert await trade.watch(shipment.name, CANCELLED[-1]) == [*before, *CANCELLED]
    refused = await trade.get(shipment.name)
    assert (refused.state, refused.refusal_reason) == (pb.CoveredShipment.REFUSED, reason)
    assert refused.exposure == usd(0)
    assert await trade.available(limit) == 500_000
    request = declarations_pb2.GetDeclarationRequest(name=declaration)
    value = (await trade.call("GetDeclaration", request, EXPORTER, DECLARATIONS.name)).value
    assert value.insured == usd(0)
    assert await trade.violations() == []


async def test_without_consent_it_is_refused(trade: Trade) -> None:
    """Another enterprise's declaration, which hasn't let the insurer see it."""
    declaration = await trade.declare(5, OTHER_ENTERPRISE, 100_000, "7", "L", "P", "R")
    limit = await trade.limit(500_000)
    shipment = await trade.call("CreateCoveredShipment", shipment_request(limit, declaration, 100_000), EXPORTER)
    assert await trade.watch(shipment.name, CANCELLED[-1]) == [*MARKED[:1], *CANCELLED]
    assert (await trade.get(shipment.name)).refusal_reason == "CONSENT_MISSING"
    assert await trade.available(limit) == 500_000


async def test_another_exporters_declaration_is_refused_though_it_consented(trade: Trade) -> None:
    declaration = await trade.declare(6, OTHER_ENTERPRISE, 100_000, "7", "L", "P", "R")
    await trade.consent(OTHER_EXPORTER)
    limit = await trade.limit(500_000)
    shipment = await trade.call("CreateCoveredShipment", shipment_request(limit, declaration, 100_000), EXPORTER)
    assert await trade.watch(shipment.name, CANCELLED[-1]) == [*MARKED[:1], *CANCELLED]
    assert (await trade.get(shipment.name)).refusal_reason == "DECLARATION_NOT_FOUND"
    request = declarations_pb2.GetDeclarationRequest(name=declaration)
    value = (await trade.call("GetDeclaration", request, OTHER_EXPORTER, DECLARATIONS.name)).value
    assert value.insured == usd(0)


async def test_internal_methods_dont_exist_at_the_door(trade: Trade) -> None:
    with pytest.raises(RemoteError) as refused:
        await trade.call("HoldCover", hold_request(number(1), 1), MAKER)
    assert refused.value.reason == "NOT_FOUND"


async def test_the_insurer_is_told_of_a_breach_and_cover_stays_as_it_is(trade: Trade) -> None:
    """Less is left of the goods than is insured; then customs approves the old value again."""
    declaration = await trade.declare(7, ENTERPRISE, 100_000, "7", "L", "P", "R")
    limit = await trade.limit(500_000)
    shipment = await trade.call("CreateCoveredShipment", shipment_request(limit, declaration, 80_000), EXPORTER)
    await trade.watch(shipment.name, MARKED[-1])
    before = await trade.get(shipment.name)
    await trade.amend(7, ENTERPRISE, 50_000)
    assert await trade.watch(shipment.name, "covered_shipment.breached") == [*MARKED, "covered_shipment.breached"]
    breached = await trade.call("GetCoveredShipment", pb.GetCoveredShipmentRequest(name=shipment.name), CHECKER)
    (standing,) = breached.breaches
    assert (standing.asset, standing.asset_class, standing.open_amount) == (declaration, "INSURANCE", usd(30_000))
    request = value_pb2.GetBreachRequest(name=standing.breach)
    known = await trade.call("GetBreach", request, CHECKER, DECLARATIONS.name)
    assert (known.holder, known.open_amount) == (INSURER, usd(30_000))
    assert (breached.state, breached.exposure) == (before.state, before.exposure)
    assert await trade.available(limit) == 420_000
    await trade.amend(7, ENTERPRISE, 100_000)
    await trade.watch(shipment.name, "covered_shipment.breach_ended")
    assert not (await trade.get(shipment.name)).breaches
    stores = {name: node.store for name, node in trade.platform.nodes.items()}
    assert breaches.violations(stores) == []
    assert await trade.violations() == []
