"""The register alone, over real ports: declarations that name persons, consents, and who asks."""

import contextlib
import itertools
import pathlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
from aval.declarations.v1 import consent_pb2, declarations_pb2, personal_pb2
from aval.events.v1 import events_pb2
from google.type import date_pb2, decimal_pb2

from chassis import testing
from chassis.clock import MICROSECONDS, SystemClock
from chassis.contracts import contract
from chassis.database import Database
from chassis.identity import ASSERTION_KEY, Caller
from chassis.ids import derived
from chassis.keyring import KeyRing
from chassis.money import Money, to_proto
from services.declarations.service import SERVICE

# Social credit codes that pass their check.
ENTERPRISE, RIVAL = "enterprises/91411023MAXY00112A", "enterprises/91410100MAXY004469"
VALUE = to_proto(Money("USD", 100_000_00))
PATIENCE_SECONDS = 20


def person(tenant: str, *roles: str) -> Caller:
    """Someone of a tenant."""
    return Caller(f"{tenant}/lin", tenant, frozenset(roles), "", True)


WINDOW = person("windows/henan", "WINDOW")
EXPORTER, STRANGER = person(ENTERPRISE, "EXPORTER"), person(RIVAL, "EXPORTER")
BANK, OTHER_BANK = (person(f"banks/{bic}", "BANK_SYSTEM", "BANK_MAKER") for bic in ("ABCDCNBA", "EFGHCNBB"))
INSURER = person("insurers/SINOCN22", "INSURER_MAKER")


class Register:
    """The service, and what the tests do with it."""

    def __init__(self, platform: testing.Platform, folder: pathlib.Path, database: str) -> None:
        self.platform, self.folder, self.database = platform, folder, database
        self._requests, self._numbers = itertools.count(1), itertools.count(1)

    @property
    def store(self) -> Database:
        """The running process' store, with its keys."""
        return self.platform.nodes[SERVICE.name].store

    @property
    def keys(self) -> KeyRing:
        """The running process' ring."""
        return self.store.keys

    async def call(self, method: str, request: Any, caller: Caller) -> Any:
        """A call at the door."""
        if "request_id" in request.DESCRIPTOR.fields_by_name and not request.request_id:
            request.request_id = derived("test", id(self), next(self._requests))
        return await self.platform.call(SERVICE.name, method, request, caller)

    async def refused(self, method: str, request: Any, caller: Caller) -> tuple[grpc.StatusCode, bytes]:
        """The refusal of a call, to the byte."""
        if "request_id" in request.DESCRIPTOR.fields_by_name:
            request.request_id = derived("test", id(self), next(self._requests))
        try:
            answer = await self._raw(method, request.SerializeToString(), caller)
        except grpc.aio.AioRpcError as error:
            (trailer,) = [value for key, value in error.trailing_metadata() or () if key == "grpc-status-details-bin"]
            assert isinstance(trailer, bytes)
            return error.code(), trailer
        raise AssertionError(f"{method} was granted: {answer!r}")

    async def _raw(self, method: str, content: bytes, caller: Caller) -> bytes:
        call = self.platform.channels[SERVICE.name].unary_unary(contract(SERVICE.name).path(method))
        return bytes(await call(content, metadata=self._metadata(caller), timeout=PATIENCE_SECONDS))

    def _metadata(self, caller: Caller) -> list[tuple[str, str]]:
        now_us = SystemClock().now_us()
        return [(ASSERTION_KEY, self.platform.signer.assertion(caller, SERVICE.name, now_us))]

    async def watch(self, caller: Caller) -> list[events_pb2.Event]:
        """All events the caller may see, to the log's end."""
        stream = self.platform.channels[SERVICE.name].unary_stream(contract(SERVICE.name).path("Watch"))
        request = events_pb2.WatchRequest(until_end=True).SerializeToString()
        found: list[events_pb2.Event] = []
        async for raw in stream(request, metadata=self._metadata(caller), timeout=PATIENCE_SECONDS):
            found += events_pb2.WatchResponse.FromString(raw).events
        return found

    def row(self, *persons: personal_pb2.Person, enterprise: str = ENTERPRISE) -> declarations_pb2.Declaration:
        """A fresh declaration that names these persons."""
        entry, price = decimal_pb2.Decimal(value="1"), decimal_pb2.Decimal(value="100000.00")
        line = declarations_pb2.DeclarationLine(
            line_number=1, commodity_code="6704200000", goods_name="WIGS", quantity=entry, unit_price=price, total=VALUE
        )
        return declarations_pb2.Declaration(
            declaration_number=f"46012026{next(self._numbers):010}",
            enterprise=enterprise,
            trade_mode="0110",
            transport_mode="2",
            destination_country="USA",
            export_date=date_pb2.Date(year=2026, month=11, day=2),
            declared_value=VALUE,
            lines=[line],
            persons=persons,
        )

    async def declare(self, *rows: declarations_pb2.Declaration) -> list[str]:
        """Takes rows in, released; their names."""
        batch = declarations_pb2.BatchCreateDeclarationsRequest(declarations=rows)
        verdicts = (await self.call("BatchCreateDeclarations", batch, WINDOW)).verdicts
        assert {verdict.outcome for verdict in verdicts} == {declarations_pb2.IntakeVerdict.ACCEPTED}, verdicts
        receipts = declarations_pb2.BatchCreateReceiptsRequest()
        for row, code in itertools.product(rows, "LPR"):
            receipt = receipts.receipts.add(declaration_number=row.declaration_number, channel_code=code)
            receipt.notice_time.FromSeconds(1_793_600_000 + "LPR".index(code) * 3600)
        await self.call("BatchCreateReceipts", receipts, WINDOW)
        return [verdict.resource for verdict in verdicts]

    async def consent(self, institution: Caller, *purposes: str) -> Any:
        """The exporter lets an institution see."""
        consent = declarations_pb2.Consent(institution=institution.tenant, purpose="finance", purposes=purposes)
        consent.expire_time.FromMicroseconds(SystemClock().now_us() + 86_400 * MICROSECONDS)
        return await self.call("CreateConsent", declarations_pb2.CreateConsentRequest(consent=consent), EXPORTER)

    async def revoke(self, consent: Any) -> None:
        """The exporter ends it."""
        await self.call("RevokeConsent", declarations_pb2.RevokeConsentRequest(name=consent.name), EXPORTER)

    async def persons(self, name: str, caller: Caller) -> list[personal_pb2.Person]:
        """The persons of a document."""
        request = personal_pb2.GetPersonalDataRequest(name=name, reason="a question about the buyer")
        return list((await self.call("GetPersonalData", request, caller)).persons)

    async def disclosures(self, reader: str = "") -> list[Any]:
        """Returns the disclosures that the exporter is told, oldest first."""
        request = consent_pb2.ListDisclosuresRequest(page_size=500, reader=reader)
        return list(reversed((await self.call("ListDisclosures", request, EXPORTER)).disclosures))


def reservation(name: str, encumbrance_id: str, asset_class: str = "RECEIVABLE") -> Any:
    """Returns a request to reserve a hundred dollars of one declaration."""
    item = declarations_pb2.EncumberedValue(asset=name, amount=to_proto(Money("USD", 100_00)))
    encumbrance = declarations_pb2.Encumbrance(asset_class=asset_class, items=[item])
    return declarations_pb2.ReserveEncumbranceRequest(encumbrance_id=encumbrance_id, encumbrance=encumbrance)


@contextlib.asynccontextmanager
async def running(folder: pathlib.Path, database: str) -> AsyncIterator[Register]:
    """The register on a store."""
    platform = testing.Platform(folder, database, [SERVICE])
    await platform.start()
    try:
        yield Register(platform, folder, database)
    finally:
        await platform.stop()
