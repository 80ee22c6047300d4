"""The declarations service's commands on a store of their own, without a network; the invariants proved after each."""

import datetime
import uuid
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2 as pb
from aval.declarations.v1 import pre_shipment_pb2, rebate_pb2, retail_list_pb2, value_pb2

from chassis import business_date, eventlog, rpc
from chassis.clock import MICROSECONDS
from chassis.command import Submission, Transaction
from chassis.database import Database
from chassis.errors import DomainError
from chassis.identity import Caller, service_caller
from chassis.ids import Identifiers, system_random
from chassis.money import Money, to_proto
from chassis.service import Reading
from chassis.writer import run_batch
from services.declarations.assets import returns
from services.declarations.kinds import KINDS
from services.declarations.register import proof as register_proof
from services.declarations.register.asset import Asset
from services.declarations.register.value import store as value_store
from services.declarations.service import SERVICE
from services.declarations.window.declaration import store as declaration_store
from services.declarations.window.declaration.assets import as_asset
from tests.support import begin, ring

ENTERPRISE = "enterprises/91411023MAXY00112A"
OTHER_ENTERPRISE = "enterprises/91410105MAXY002277"
BANKS = ("banks/LMHFCNB0", "banks/YUHECNB0", "banks/CGNGCNB0")
INSURER = "insurers/ZZZZ00HYXB2026000141"
WINDOW = Caller("window/feed", "", frozenset({"WINDOW"}))
EXPORTER = Caller(f"{ENTERPRISE}/lin", ENTERPRISE, frozenset({"EXPORTER"}))
SETTLEMENT = service_caller("settlement")
NOW_US = int(datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC).timestamp()) * MICROSECONDS
DAY_US = 86_400 * MICROSECONDS
VALUE = 100_000_00


def institution(tenant: str, person: str = "system", *roles: str) -> Caller:
    """One of an institution's people."""
    return Caller(f"{tenant}/{person}", tenant, frozenset(roles or ("BANK_SYSTEM",)))


BANK, OTHER = institution(BANKS[0]), institution(BANKS[1])
MAKER, CHECKER = institution(BANKS[0], "luo", "BANK_MAKER"), institution(BANKS[0], "tao", "BANK_CHECKER")
OTHER_MAKER, OTHER_CHECKER = institution(BANKS[1], "wei", "BANK_MAKER"), institution(BANKS[1], "he", "BANK_CHECKER")
COVER = institution(INSURER, "hu", "INSURER_MAKER", "INSURER_CHECKER")


def usd(units: int) -> Any:
    """An amount on the wire, in cents."""
    return to_proto(Money("USD", units))


class World:
    """The register on a store of its own."""

    def __init__(self, url: str = "sqlite://") -> None:
        self.store = Database(url, SERVICE.name, ring())
        begin(self.store, SERVICE.migrations, system_random, SERVICE.prepare)
        self.now_us = NOW_US
        self._numbers = iter(range(1, 1_000_000))

    def submit(self, *asked: tuple[str, Any, Caller]) -> list[Any]:
        """Requests as one batch of the writer; their outcomes."""
        submissions = []
        for method, request, caller in asked:
            request.request_id = request.request_id or str(uuid.uuid4())
            operation = SERVICE.operation(method)
            submissions.append(
                Submission(operation, caller, request, request.request_id, self.now_us, uuid.uuid4().bytes)
            )
        outcomes = run_batch(self.store, submissions)
        return [outcomes[submission] for submission in submissions]

    def call(self, method: str, request: Any, caller: Caller) -> Any:
        """One command. Raises its refusal."""
        (outcome,) = self.submit((method, request, caller))
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def refused(self, method: str, request: Any, caller: Caller) -> DomainError:
        """The refusal of a command, which must be refused."""
        (outcome,) = self.submit((method, request, caller))
        assert isinstance(outcome, DomainError), outcome
        return outcome

    def read(self, method: str, request: Any, caller: Caller) -> Any:
        """A read."""
        with self.store.read() as connection:
            return SERVICE.reads[method](Reading(connection, caller, self.now_us), request)

    def act(self, function: Any, *arguments: Any) -> Any:
        """A room's function in a transaction of its own, as another room would call it."""
        with self.store.write() as connection:
            ids, date = Identifiers(self.now_us, uuid.uuid4().bytes), business_date.present(connection, self.now_us)
            transaction = Transaction(connection, SETTLEMENT, self.now_us, ids, business_date=date)
            answer = function(transaction, *arguments)
            eventlog.flush(connection, transaction.events)
        return answer

    def sweep(self) -> None:
        """Does what is due by the clock alone."""
        for sweep in SERVICE.sweeps:
            while self.act(sweep):
                pass

    def violations(self) -> list[str]:
        """Returns what verification finds wrong."""
        with self.store.read() as connection:
            return list(SERVICE.violations(connection))

    def wrong(self, *assets: str) -> list[str]:
        """Returns what is wrong with these assets."""
        with self.store.read() as connection:
            return register_proof.of_assets(KINDS, connection, assets)

    def row(self, units: int = VALUE, currency: str = "USD", **fields: Any) -> pb.Declaration:
        """A declaration as the window sends it."""
        row = pb.Declaration(
            declaration_number=f"46012026{next(self._numbers):010}",
            enterprise=ENTERPRISE,
            trade_mode="0110",
            transport_mode="2",
            destination_country="USA",
            declared_value=to_proto(Money(currency, units)),
        )
        row.lines.add(
            line_number=1,
            commodity_code="6704200000",
            goods_name="WIGS",
            quantity=rpc.decimal(Decimal(1)),
            unit_price=rpc.decimal(Money(currency, units).major()),
            total=to_proto(Money(currency, units)),
            origin_country="CHN",
        )
        row.MergeFrom(pb.Declaration(**fields))
        return row

    def declared(self, units: int = VALUE, codes: str = "7LPR", **fields: Any) -> str:
        """The resource name of a declaration with these receipts."""
        row = self.row(units, **fields)
        batch = pb.BatchCreateDeclarationsRequest(declarations=[row])
        verdicts = self.call("BatchCreateDeclarations", batch, WINDOW).verdicts
        assert verdicts[0].outcome == pb.IntakeVerdict.ACCEPTED, verdicts
        name = f"declarations/{row.declaration_number}"
        if codes:
            self.receive(name, *codes)
        return name

    def receive(self, name: str, *codes: str) -> None:
        """Receipts of a declaration, a second later each."""
        request = pb.BatchCreateReceiptsRequest()
        for code in codes:
            self.now_us += MICROSECONDS
            receipt = request.receipts.add(declaration_number=name.removeprefix("declarations/"), channel_code=code)
            receipt.notice_time.FromMicroseconds(self.now_us)
        self.call("BatchCreateReceipts", request, WINDOW)

    def amend(self, name: str, units: int = VALUE, currency: str = "USD", **fields: Any) -> None:
        """An amendment of the declared value, or of other fields."""
        self.now_us += MICROSECONDS
        row = self.row(units, currency, **fields)
        row.declaration_number = name.removeprefix("declarations/")
        row.amend_time.FromMicroseconds(self.now_us)
        batch = pb.BatchCreateDeclarationsRequest(declarations=[row])
        verdicts = self.call("BatchCreateDeclarations", batch, WINDOW).verdicts
        assert verdicts[0].outcome == pb.IntakeVerdict.ACCEPTED, verdicts

    def consent(self, *institutions: str) -> None:
        """The exporter lets institutions see its assets."""
        for tenant in institutions:
            consent = pb.Consent(institution=tenant, purpose="trade finance")
            consent.expire_time.FromMicroseconds(self.now_us + 365 * DAY_US)
            self.call("CreateConsent", pb.CreateConsentRequest(consent=consent), EXPORTER)

    def reservation(self, asset: str, units: int, currency: str = "USD", **fields: Any) -> pb.ReserveEncumbranceRequest:
        """A reservation of a part of an asset's value."""
        item = pb.EncumberedValue(asset=asset, amount=to_proto(Money(currency, units)))
        asked = pb.Encumbrance(asset_class="RECEIVABLE", items=[item])
        asked.MergeFrom(pb.Encumbrance(**fields))
        return pb.ReserveEncumbranceRequest(encumbrance_id=str(uuid.uuid4()), encumbrance=asked)

    def reserve(self, asset: str, units: int, caller: Caller = BANK, **fields: Any) -> str:
        """The name of a reservation."""
        return str(self.call("ReserveEncumbrance", self.reservation(asset, units, **fields), caller).name)

    def finance(self, asset: str, units: int, caller: Caller = BANK, **fields: Any) -> str:
        """The name of a confirmed encumbrance."""
        name = self.reserve(asset, units, caller, **fields)
        self.call("ConfirmEncumbrance", pb.ConfirmEncumbranceRequest(name=name), caller)
        return name

    def encumbrance(self, name: str, caller: Caller = BANK) -> Any:
        """An encumbrance as its holder sees it."""
        return self.read("GetEncumbrance", pb.GetEncumbranceRequest(name=name), caller)

    def state(self, name: str, caller: Caller = BANK) -> str:
        """Where an encumbrance stands."""
        return str(pb.Encumbrance.State.Name(self.encumbrance(name, caller).state))

    def declaration(self, name: str, caller: Caller = EXPORTER) -> Any:
        """A declaration as someone sees it."""
        return self.read("GetDeclaration", pb.GetDeclarationRequest(name=name), caller)

    def value(self, name: str) -> dict[str, int]:
        """A declaration's value by what stands on it, cents; what is zero is left out."""
        found = {field.name: amount.minor_units for field, amount in self.declaration(name).value.ListFields()}
        return {part: units for part, units in found.items() if units and part != "available"}

    def asset(self, name: str) -> Asset:
        """A declaration as an asset."""
        number = name.removeprefix("declarations/")
        with self.store.read() as connection:
            on = business_date.present(connection, self.now_us)
            return as_asset(declaration_store.load(connection, [number])[number], on)

    def take_back(self, name: str, units: int) -> Money:
        """Goods that came back."""

        number = name.removeprefix("declarations/")
        with self.store.read() as connection:
            declaration = declaration_store.load(connection, [number])[number]
        counted: Money = self.act(returns.take_back, declaration, Money("USD", units))
        return counted

    def pay(self, asset: str, units: int, payment: str = "", currency: str = "USD") -> Any:
        """Applies a payment of the buyer's."""
        amount = to_proto(Money(currency, units))
        payment = payment or f"incomingPayments/{uuid.uuid4()}"
        request = pb.ApplyProceedsRequest(asset=asset, payment=payment, amount=amount)
        return self.call("ApplyProceeds", request, SETTLEMENT)

    def release(self, name: str, caller: Caller = BANK) -> Any:
        """Gives an encumbrance back."""
        return self.call("ReleaseEncumbrance", pb.ReleaseEncumbranceRequest(name=name), caller)

    def breaches(self, caller: Caller = EXPORTER) -> list[Any]:
        """The breaches that someone sees, the newest first."""
        return list(self.read("ListBreaches", value_pb2.ListBreachesRequest(), caller).breaches)

    def resolve(self, maker: Caller, checker: Caller) -> Any:
        """Two people of an institution give up its share of the newest breach."""
        name = self.breaches(maker)[0].name
        resolution = value_pb2.BreachResolution(kind="WRITTEN_OFF", note="buyer insolvent")
        propose = value_pb2.ProposeBreachResolutionRequest(name=name, resolution=resolution)
        etag = self.call("ProposeBreachResolution", propose, maker).etag
        return self.call("ResolveBreach", value_pb2.ResolveBreachRequest(name=name, etag=etag), checker)

    def order(self, units: int = VALUE, contract: str = "PO-2026/01", currency: str = "USD", **fields: Any) -> str:
        """The name of a registered order."""
        amount = to_proto(Money(currency, units))
        order = pre_shipment_pb2.PreShipment(kind="ORDER", contract_number=contract, amount=amount)
        order.expire_date.CopyFrom(rpc.date(datetime.date(2027, 6, 30)))
        order.MergeFrom(pre_shipment_pb2.PreShipment(**fields))
        request = pre_shipment_pb2.CreatePreShipmentRequest(pre_shipment=order)
        return str(self.call("CreatePreShipment", request, EXPORTER).name)

    def sale(self, declaration: str, units: int = VALUE, number: str = "1") -> Any:
        """A sale out of the warehouse that a declaration's goods went to."""
        sale = retail_list_pb2.WarehouseSale(declaration=declaration, sale_number=number, amount=usd(units))
        sale.sale_time.FromMicroseconds(self.now_us)
        request = retail_list_pb2.ReportWarehouseSaleRequest(warehouse_sale=sale)
        return self.call("ReportWarehouseSale", request, EXPORTER)

    def booked(self, name: str) -> dict[str, int]:
        """Any asset's value by what stands on it, cents; what is zero is left out."""
        with self.store.read() as connection:
            parts = value_store.booked(connection, [name])[name].parts()
        return {part: amount.minor_units for part, amount in parts.items() if amount}

    def rebate(self, units: int = VALUE, period: str = "202610") -> str:
        """The name of an expected rebate."""
        rebate = rebate_pb2.Rebate(enterprise=ENTERPRISE, period=period, amount=usd(units))
        return str(self.call("CreateRebate", rebate_pb2.CreateRebateRequest(rebate=rebate), WINDOW).name)

    def events(self, kind: str) -> list[tuple[str, set[str], bytes]]:
        """Resource, tenants and payload of the events of a type."""
        query = sa.text(
            "SELECT position, resource, payload, tenant FROM events LEFT JOIN event_tenants USING (position) "
            "WHERE type = :kind ORDER BY position"
        )
        found: dict[int, tuple[str, set[str], bytes]] = {}
        with self.store.read() as connection:
            for position, resource, payload, tenant in connection.execute(query, {"kind": kind}):
                found.setdefault(position, (resource, set(), payload))[1].add(tenant)
        return list(found.values())
