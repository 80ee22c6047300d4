"""The settlement service beside those it calls, in this process, on each database in turn."""

import asyncio
import pathlib
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2
from aval.events.v1 import events_pb2
from aval.settlement.v1 import settlement_pb2
from aval.type.v1 import money_pb2
from google.protobuf.message import Message

from chassis import testing
from chassis.channel import Channels
from chassis.clock import SystemClock
from chassis.contracts import contract
from chassis.identity import ASSERTION_KEY, Caller
from chassis.service import Service
from chassis.status import RemoteError
from services.credit_insurance.service import SERVICE as CREDIT_INSURANCE
from services.declarations.service import SERVICE as DECLARATIONS
from services.loans.service import SERVICE as LOANS
from services.settlement.service import SERVICE as SETTLEMENT

BANK, OTHER = "banks/LMHFCNB0", "banks/YUHECNB0"
EXPORTER, RIVAL = "enterprises/91411023MAXY00112A", "enterprises/91410105MAXY002277"
INSURER = "insurers/ZZZZ00HYXB2026000141"
PATIENCE_SECONDS = 20


class World:
    """Callers of all kinds, and short words for what tests ask again and again."""

    def __init__(self, platform: testing.Platform) -> None:
        self.platform = platform
        self.loans = Channels(platform.authority.issue("services/loans"), platform.addresses)

    @property
    def node(self) -> Any:
        """The settlement service's node."""
        return self.platform.nodes["settlement"]

    async def ask(self, method: str, request: Message, caller: Caller, service: str = "settlement") -> Any:
        """A call through the gateway's certificate; a fresh request id where there is none."""
        named: Any = request
        if "request_id" in request.DESCRIPTOR.fields_by_name and not named.request_id:
            named.request_id = str(uuid.uuid4())
        return await self.platform.call(service, method, request, caller)

    async def refused(self, method: str, request: Message, caller: Caller) -> RemoteError:
        """The refusal of a call."""
        with pytest.raises(RemoteError) as caught:
            await self.ask(method, request, caller)
        return caught.value

    async def order(self, method: str, request: Any) -> Any:
        """An internal call, as the loans service makes it."""
        request.request_id = request.request_id or str(uuid.uuid4())
        callee = contract("settlement")
        raw = await self.loans.call("settlement", callee.path(method), request.SerializeToString(), [])
        return callee.response(method).FromString(raw)

    async def until(self, payment: str, state: str, bank: Caller) -> settlement_pb2.IncomingPayment:
        """The payment once it has come to a state, from the events that its bank may see."""
        callee = contract("settlement")
        watch = self.platform.channels["settlement"].unary_stream(callee.path("Watch"))
        assertion = self.platform.signer.assertion(bank, "settlement", SystemClock().now_us())
        request = events_pb2.WatchRequest(resource=payment).SerializeToString()
        found = settlement_pb2.IncomingPayment()
        async with asyncio.timeout(PATIENCE_SECONDS):
            async for raw in watch(request, metadata=[(ASSERTION_KEY, assertion)]):
                for event in events_pb2.WatchResponse.FromString(raw).events:
                    event.payload.Unpack(found)
                    if settlement_pb2.IncomingPayment.State.Name(found.state) == state:
                        return found
        raise AssertionError

    async def declared(self, enterprise: str, units: int = 100_000) -> str:
        """A fresh declaration's number; its exporter lets the bank settle it."""
        consent = declarations_pb2.Consent(institution=BANK, purpose="trade finance")
        consent.expire_time.FromMicroseconds(SystemClock().now_us() + 3_600_000_000)
        agreed = declarations_pb2.CreateConsentRequest(consent=consent)
        await self.ask("CreateConsent", agreed, caller(enterprise, "EXPORTER"), "declarations")
        number, value = f"460120260{uuid.uuid4().int % 10**9:09}", money_pb2.Money(currency_code="USD")
        value.minor_units = units
        line = declarations_pb2.DeclarationLine(line_number=1, commodity_code="6704190000", total=value)
        line.goods_name = "Wigs"
        row = declarations_pb2.Declaration(
            declaration_number=number,
            enterprise=enterprise,
            trade_mode="0110",
            transport_mode="2",
            declared_value=value,
            lines=[line],
        )
        request = declarations_pb2.BatchCreateDeclarationsRequest(declarations=[row])
        answer = await self.ask("BatchCreateDeclarations", request, caller("window", "WINDOW"), "declarations")
        assert not answer.verdicts[0].problems, answer
        return number

    def violations(self) -> list[str]:
        """Returns what the stored rows themselves prove wrong."""
        with self.node.store.read() as connection:
            return self.violations_of(connection)

    def violations_of(self, connection: sa.Connection) -> list[str]:
        """The same within a transaction, which sees what it changed itself."""
        return list(SETTLEMENT.violations(connection))


def caller(tenant: str, role: str) -> Caller:
    """Someone of a tenant."""
    return Caller(f"{tenant}/{role.lower()}", tenant, frozenset({role}), second_factor=True)


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
async def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A platform of all services that settlement calls."""
    folder: pathlib.Path = tmp_path_factory.mktemp("settlement")
    database = f"sqlite:///{folder / 'store'}"
    if request.param == "postgresql":
        database = request.getfixturevalue("postgresql_server").new_database()
    services: list[Service] = [DECLARATIONS, CREDIT_INSURANCE, LOANS, SETTLEMENT]
    platform = testing.Platform(folder, database, services)
    await platform.start()
    made = World(platform)
    yield made
    await made.loans.close()
    await platform.stop()
