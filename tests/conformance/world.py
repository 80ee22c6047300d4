"""A platform with all four services, its people, and the resources that the examples stand on."""

import asyncio
import contextlib
import datetime
import itertools
import time
import uuid
from typing import Any

import grpc
from aval.credit_insurance.v1 import credit_insurance_pb2
from aval.declarations.v1 import (
    declarations_pb2,
    fingerprint_pb2,
    insight_pb2,
    intake_pb2,
    pool_pb2,
    pre_shipment_pb2,
    rebate_pb2,
    records_pb2,
    retail_list_pb2,
    retail_pb2,
    value_pb2,
)
from aval.events.v1 import events_pb2
from aval.loans.v1 import loans_pb2
from aval.settlement.v1 import settlement_pb2
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from google.protobuf.message import Message
from google.type import date_pb2, decimal_pb2

from chassis import rpc, signatures
from chassis.channel import Channels, on_behalf_of
from chassis.clock import MICROSECONDS, SystemClock
from chassis.contracts import contract
from chassis.identity import ASSERTION_KEY, Caller, service_caller
from chassis.money import Money, to_proto
from chassis.testing import Platform
from services.settlement.messages import pacs008
from tests.support import Refusal, refusal_of

PATIENCE_SECONDS = 20
ENTERPRISE, RIVAL = "enterprises/91411023MAXY00112A", "enterprises/91410105MAXY002277"
BANK, SECOND_BANK, STRANGE_BANK = "banks/LMHFCNB0", "banks/YUHECNB0", "banks/THIRCNB0"
INSURER, STRANGE_INSURER = "insurers/ZZZZ00HYXB2026000141", "insurers/ZZZZ00ANDERE20260042"
VALUE = 100_000_00
START, END = datetime.date(2025, 1, 1), datetime.date(2035, 1, 1)
KEY = ed25519.Ed25519PrivateKey.generate()
PRIVATE_KEY = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)
PUBLIC_KEY = (
    KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
)


def person(tenant: str, role: str) -> Caller:
    """Somebody of a tenant with one role, a second factor and a key at hand."""
    return Caller(f"{tenant}/{role.lower()}", tenant, frozenset({role}), second_factor=True, public_key=PUBLIC_KEY)


# Who owns what the examples make, and who of the same role has no part in it.
CAST = {
    "EXPORTER": person(ENTERPRISE, "EXPORTER"),
    "BANK_MAKER": person(BANK, "BANK_MAKER"),
    "BANK_CHECKER": person(BANK, "BANK_CHECKER"),
    "BANK_SYSTEM": person(BANK, "BANK_SYSTEM"),
    "INSURER_MAKER": person(INSURER, "INSURER_MAKER"),
    "INSURER_CHECKER": person(INSURER, "INSURER_CHECKER"),
    "WINDOW": person("windows/henan", "WINDOW"),
    "OPERATOR": person("operators/aval", "OPERATOR"),
    "REGULATOR": person("regulators/4600", "REGULATOR"),
}
STRANGERS = {
    "EXPORTER": person(RIVAL, "EXPORTER"),
    **{role: person(STRANGE_BANK, role) for role in ("BANK_MAKER", "BANK_CHECKER", "BANK_SYSTEM")},
    **{role: person(STRANGE_INSURER, role) for role in ("INSURER_MAKER", "INSURER_CHECKER")},
}
# The names that speak to services by their own certificates.
LOANS, LOANS_FOR_BANK = service_caller("loans"), service_caller("loans", tenant=BANK)
SETTLEMENT, CREDIT_INSURANCE = service_caller("settlement"), service_caller("credit_insurance")
SETTLEMENT_FOR_BANK = service_caller("settlement", tenant=BANK)


def usd(minor_units: int) -> Any:
    """An amount on the wire, in cents."""
    return to_proto(Money("USD", minor_units))


def identifier() -> str:
    """A fresh UUID."""
    return str(uuid.uuid4())


class World:
    """Calls of all kinds, and fresh resources made by the RPCs that make them."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.inside = {
            name: Channels(platform.authority.issue(f"services/{name}"), platform.addresses)
            for name in ("loans", "settlement", "credit_insurance")
        }
        self._numbers = itertools.count(1)
        self._assertions: dict[tuple[Caller, str], str] = {}
        # The standing resources that reads are tried on, by the noun of their names.
        self.standing: dict[str, Any] = {}

    async def close(self) -> None:
        """Ends the services' own connections."""
        for channels in self.inside.values():
            await channels.close()

    def way(self, service: str, caller: Caller, language: str = "en") -> tuple[grpc.aio.Channel, list[tuple[str, str]]]:
        """The channel a caller comes by, and its metadata."""
        if caller.service:
            return self.inside[caller.service][service], on_behalf_of(caller, caller.tenant)
        if (caller, service) not in self._assertions:
            now_us = SystemClock().now_us()
            self._assertions[caller, service] = self.platform.signer.assertion(caller, service, now_us)
        metadata = [(ASSERTION_KEY, self._assertions[caller, service]), ("accept-language", language)]
        return self.platform.channels[service], metadata

    async def raw(self, service: str, method: str, content: bytes, caller: Caller, language: str = "en") -> bytes:
        """A call, bytes to bytes."""
        channel, metadata = self.way(service, caller, language)
        call = channel.unary_unary(contract(service).path(method))
        return bytes(await call(content, metadata=metadata, timeout=PATIENCE_SECONDS))

    async def call(self, service: str, method: str, request: Any, caller: Caller) -> Any:
        """The answer; a request id is made where it needs one and has none."""
        if "request_id" in request.DESCRIPTOR.fields_by_name and not request.request_id:
            request.request_id = identifier()
        raw = await self.raw(service, method, request.SerializeToString(), caller)
        return contract(service).response(method).FromString(raw)

    async def refused(self, service: str, method: str, request: Message | bytes, caller: Caller) -> Refusal:
        """The refusal of a call, looked at in both languages where the caller has one."""
        content = request if isinstance(request, bytes) else request.SerializeToString()
        found = []
        for language in ("en",) if caller.service else ("en", "zh-CN"):
            try:
                answer = await self.raw(service, method, content, caller, language)
            except grpc.aio.AioRpcError as error:
                found.append(refusal_of(error, language))
            else:
                raise AssertionError(f"{method} of {caller.principal} was answered: {answer!r}")
        assert len({(refusal.code, refusal.reason, refusal.message) for refusal in found}) == 1, found
        return found[0]

    async def watch(
        self, service: str, request: events_pb2.WatchRequest, caller: Caller
    ) -> list[events_pb2.WatchResponse]:
        """The stream's responses up to its end."""
        request.until_end = True
        channel, metadata = self.way(service, caller)
        call = channel.unary_stream(contract(service).path("Watch"))
        stream = call(request.SerializeToString(), metadata=metadata, timeout=PATIENCE_SECONDS)
        return [events_pb2.WatchResponse.FromString(raw) async for raw in stream]

    async def watch_refused(self, service: str, request: events_pb2.WatchRequest, caller: Caller) -> Refusal:
        """The refusal of a stream."""
        try:
            answer = await self.watch(service, request, caller)
        except grpc.aio.AioRpcError as error:
            return refusal_of(error, "en")
        raise AssertionError(f"the stream was given: {answer}")

    # Fresh resources, in the order of the story.

    def declaration_row(self) -> Any:
        """A declaration as the window sends it."""
        row = declarations_pb2.Declaration(
            declaration_number=f"46012026{next(self._numbers):010}",
            enterprise=ENTERPRISE,
            trade_mode="0110",
            transport_mode="2",
            destination_country="USA",
            declared_value=usd(VALUE),
            export_date=date_pb2.Date(year=2026, month=11, day=2),
        )
        row.persons.add(part="DECLARANT", name="Zhao")
        entry, price = decimal_pb2.Decimal(value="1"), decimal_pb2.Decimal(value="100000.00")
        row.lines.add(
            line_number=1,
            commodity_code="6704200000",
            goods_name="WIGS",
            quantity=entry,
            unit_price=price,
            total=usd(VALUE),
            origin_country="CHN",
        )
        return row

    def draft_row(self) -> Any:
        """A declaration before it has its customs number."""
        row = self.declaration_row()
        row.client_number = f"CLIENT{row.declaration_number[9:]}"
        row.declaration_number = ""
        return row

    async def draft(self) -> str:
        """A draft that waits for its number."""
        batch = declarations_pb2.BatchCreateDeclarationsRequest(declarations=[self.draft_row()])
        answer = await self.call("declarations", "BatchCreateDeclarations", batch, CAST["WINDOW"])
        return str(answer.verdicts[0].resource)

    def retail_orders(self) -> Any:
        """An order of cross-border e-commerce of the exporter, with its buyer."""
        order = retail_pb2.RetailOrder(
            direction="EXPORT",
            order_number=f"ORDER{next(self._numbers)}",
            platform_code="4101W6000A",
            merchant_code=ENTERPRISE.removeprefix("enterprises/"),
            goods_value=usd(100_00),
        )
        order.envelope.change = retail_pb2.NEW
        order.persons.add(part="BUYER", name="Zhao")
        entry, price = decimal_pb2.Decimal(value="1"), decimal_pb2.Decimal(value="100.00")
        order.lines.add(line_number=1, goods_name="WIGS", quantity=entry, unit_price=price, total=usd(100_00))
        made = self.retail_list()
        summary = retail_pb2.RetailSummary(
            enterprise_number=identifier(), merchant_code=made.merchant_code, list_numbers=[made.list_number]
        )
        summary.envelope.change = retail_pb2.NEW
        documents = [
            retail_pb2.RetailDocument(order=order),
            retail_pb2.RetailDocument(list=made),
            retail_pb2.RetailDocument(summary=summary),
        ]
        return declarations_pb2.BatchCreateRetailDocumentsRequest(request_id=identifier(), documents=documents)

    def receipts(self, number: str, codes: str = "7LPR") -> Any:
        """A declaration's receipts up to its final evidence."""
        request = declarations_pb2.BatchCreateReceiptsRequest(request_id=identifier())
        for hour, code in enumerate(codes):
            receipt = request.receipts.add(declaration_number=number, channel_code=code)
            receipt.notice_time.FromSeconds(1_793_600_000 + hour * 3600)
        return request

    async def declared(self) -> str:
        """The resource name of a declaration with final evidence."""
        row = self.declaration_row()
        batch = declarations_pb2.BatchCreateDeclarationsRequest(declarations=[row])
        await self.call("declarations", "BatchCreateDeclarations", batch, CAST["WINDOW"])
        receipts = self.receipts(row.declaration_number)
        await self.call("declarations", "BatchCreateReceipts", receipts, CAST["WINDOW"])
        return f"declarations/{row.declaration_number}"

    async def refused_document(self) -> Any:
        """A document of a format that nobody knows."""
        document = declarations_pb2.Document(
            document_id="strange.xml", content=f"<Strange id='{identifier()}'/>".encode()
        )
        await self.call(
            "declarations",
            "ImportDocuments",
            declarations_pb2.ImportDocumentsRequest(documents=[document]),
            CAST["WINDOW"],
        )
        newest = intake_pb2.ListRefusedDocumentsRequest(page_size=1)
        answer = await self.call("declarations", "ListRefusedDocuments", newest, CAST["WINDOW"])
        return answer.refused_documents[0]

    def consent_request(self, institution: str) -> Any:
        """The exporter lets an institution see its declarations."""
        consent = declarations_pb2.Consent(institution=institution, purpose="trade finance")
        consent.expire_time.FromMicroseconds(SystemClock().now_us() + 86_400 * MICROSECONDS)
        return declarations_pb2.CreateConsentRequest(request_id=identifier(), consent=consent)

    def reservation(self, declaration: str, units: int = 1_000_00) -> Any:
        """A reservation of part of a declaration's value."""
        item = declarations_pb2.EncumberedValue(asset=declaration, amount=usd(units))
        encumbrance = declarations_pb2.Encumbrance(asset_class="RECEIVABLE", items=[item], reference="conformance")
        return declarations_pb2.ReserveEncumbranceRequest(
            request_id=identifier(), encumbrance_id=identifier(), encumbrance=encumbrance
        )

    def retail_list(self, direction: Any = retail_pb2.EXPORT, trade_mode: str = "9610") -> Any:
        """A list of the exporter's as the window sends it."""
        number = next(self._numbers)
        made = retail_pb2.RetailList(
            direction=direction,
            enterprise_number=f"COP{number}",
            list_number=f"46122026E{number:09}",
            order_number=f"ORDER{number}",
            platform_code="4101D00001",
            merchant_code=ENTERPRISE.removeprefix("enterprises/"),
            trade_mode=trade_mode,
            value=usd(100_00),
        )
        made.envelope.change = retail_pb2.NEW
        made.lines.add(line_number=1, goods_name="WIG", commodity_code="6704200000", total=usd(100_00))
        return made

    async def released_list(self, direction: Any = retail_pb2.EXPORT, trade_mode: str = "9610") -> Any:
        """A list that customs released, with its name."""
        made = self.retail_list(direction, trade_mode)
        receipt = retail_pb2.RetailReceipt(list_number=made.list_number, status_code="800")
        receipt.notice_time.FromMicroseconds(SystemClock().now_us())
        documents = [retail_pb2.RetailDocument(list=made), retail_pb2.RetailDocument(receipt=receipt)]
        request = declarations_pb2.BatchCreateRetailDocumentsRequest(documents=documents)
        taken = await self.call("declarations", "BatchCreateRetailDocuments", request, CAST["WINDOW"])
        made.name = taken.verdicts[0].resource
        return made

    async def warehouse_sale(self) -> Any:
        """A sale of goods that a declaration brought abroad."""
        row = self.declaration_row()
        row.trade_mode = "9810"
        batch = declarations_pb2.BatchCreateDeclarationsRequest(declarations=[row])
        await self.call("declarations", "BatchCreateDeclarations", batch, CAST["WINDOW"])
        sale = retail_list_pb2.WarehouseSale(
            declaration=f"declarations/{row.declaration_number}", sale_number="SALE1", amount=usd(5_000_00)
        )
        sale.sale_time.FromMicroseconds(SystemClock().now_us())
        return retail_list_pb2.ReportWarehouseSaleRequest(request_id=identifier(), warehouse_sale=sale)

    async def pool_settlement(self) -> Any:
        """A payment for a fresh list of the standing pool."""
        made = await self.released_list()
        receipt = pool_pb2.PoolReceipt(list_number=made.list_number, amount=usd(100_00))
        return pool_pb2.ApplyPoolSettlementRequest(
            request_id=identifier(), pool=self.standing["pool"].name, payment=identifier(), receipts=[receipt]
        )

    async def reserved(self) -> Any:
        """An encumbrance that waits to be confirmed."""
        request = self.reservation(await self.declared())
        return await self.call("declarations", "ReserveEncumbrance", request, CAST["BANK_SYSTEM"])

    def invoice(self) -> Any:
        """An invoice of the exporter that no example had."""
        document = fingerprint_pb2.FinancedDocument()
        document.invoice.seller.enterprise, document.invoice.seller.name = ENTERPRISE, "Xuchang Hair"
        document.invoice.buyer.name, document.invoice.number = "Atlantic Hair", identifier()
        document.invoice.date.CopyFrom(date_pb2.Date(year=2026, month=11, day=2))
        document.invoice.amount.CopyFrom(usd(VALUE))
        return document

    def registration_request(self) -> Any:
        """A bank registers what it is asked to finance."""
        registration = fingerprint_pb2.Registration(applicant=ENTERPRISE, amount=usd(VALUE), documents=[self.invoice()])
        return fingerprint_pb2.RegisterDocumentsRequest(
            request_id=identifier(), registration_id=identifier(), registration=registration
        )

    async def registered(self) -> Any:
        """A registration whose financing isn't paid out."""
        request = self.registration_request()
        return (await self.call("declarations", "RegisterDocuments", request, CAST["BANK_SYSTEM"])).registration

    async def confirmed(self, asset: str, units: int) -> Any:
        """An encumbrance that stands."""
        held = await self.call(
            "declarations", "ReserveEncumbrance", self.reservation(asset, units), CAST["BANK_SYSTEM"]
        )
        request = declarations_pb2.ConfirmEncumbranceRequest(name=held.name)
        return await self.call("declarations", "ConfirmEncumbrance", request, CAST["BANK_SYSTEM"])

    async def breached(self) -> Any:
        """A breach as the bank sees it: most of a declaration was financed, and half of it amended away."""
        name = await self.declared()
        await self.confirmed(name, VALUE * 9 // 10)
        row = self.declaration_row()
        row.declaration_number = name.removeprefix("declarations/")
        row.declared_value.CopyFrom(usd(VALUE // 2))
        row.lines[0].total.CopyFrom(usd(VALUE // 2))
        row.lines[0].unit_price.value = str(VALUE // 200)
        row.amend_time.FromMicroseconds(SystemClock().now_us())
        batch = declarations_pb2.BatchCreateDeclarationsRequest(declarations=[row])
        await self.call("declarations", "BatchCreateDeclarations", batch, CAST["WINDOW"])
        request = value_pb2.ListBreachesRequest(asset=name)
        return (await self.call("declarations", "ListBreaches", request, CAST["BANK_MAKER"])).breaches[0]

    def order_request(self) -> Any:
        """An order of a contract of its own."""
        order = pre_shipment_pb2.PreShipment(
            enterprise=ENTERPRISE, kind="ORDER", contract_number=identifier()[:20], amount=usd(VALUE)
        )
        order.expire_date.CopyFrom(date_pb2.Date(year=2036, month=11, day=2))
        return pre_shipment_pb2.CreatePreShipmentRequest(request_id=identifier(), pre_shipment=order)

    async def order(self) -> Any:
        """An order that may be financed."""
        return await self.call("declarations", "CreatePreShipment", self.order_request(), CAST["EXPORTER"])

    def rebate_request(self, declaration: str) -> Any:
        """The rebate that is expected for a declaration."""
        rebate = rebate_pb2.Rebate(enterprise=ENTERPRISE, declaration=declaration, amount=usd(VALUE // 10))
        return rebate_pb2.CreateRebateRequest(request_id=identifier(), rebate=rebate)

    async def rebate(self) -> Any:
        """A rebate that may be financed."""
        request = self.rebate_request(await self.declared())
        return await self.call("declarations", "CreateRebate", request, CAST["WINDOW"])

    async def account(self, owner: str, kind: str) -> str:
        """The name of a bank's account for an owner."""
        account = settlement_pb2.Account(owner=owner, currency_code="USD", kind=kind)
        request = settlement_pb2.OpenAccountRequest(account=account)
        return str((await self.call("settlement", "OpenAccount", request, CAST["BANK_MAKER"])).name)

    def transfer(self, units: int = 100) -> Any:
        """Money from the bank's own account to the exporter's."""
        return settlement_pb2.Transfer(
            debit_account=self.standing["nostro"],
            credit_account=self.standing["current"],
            amount=usd(units),
            reference="conformance",
        )

    def payment_in(self, said: str = "for the last invoice", units: int = 100) -> Any:
        """A pacs.008 for the exporter; what it says doesn't name a declaration."""
        now = datetime.datetime.now(datetime.UTC)
        message = pacs008.CreditTransfer(
            message_id=identifier()[:30],
            uetr=identifier(),
            end_to_end_id="E2E",
            currency_code="USD",
            minor_units=units,
            settlement_date=now.date(),
            debtor_name="CONFORMANCE BUYER LTD",
            debtor_town="Atlanta",
            debtor_country="US",
            debtor_agent_bic="PCHTUSN0",
            creditor_name="CONFORMANCE EXPORTER",
            creditor_account=self.standing["current"].removeprefix("accounts/"),
            creditor_agent_bic=BANK.removeprefix("banks/"),
            remittance_information=said,
        )
        content = pacs008.build(message, now)
        return settlement_pb2.ImportPaymentRequest(request_id=identifier(), content=content)

    async def parked_payment(self) -> Any:
        """A payment that nobody knows the declaration of."""
        return await self.call("settlement", "ImportPayment", self.payment_in(), CAST["BANK_SYSTEM"])

    def payment_out(self) -> Any:
        """The exporter pays a supplier."""
        payment = settlement_pb2.OutgoingPayment(
            debit_account=self.standing["current"],
            amount=usd(100),
            creditor_name="SUPPLIER",
            creditor_account="12345678",
            creditor_agent_bic="PCHTUSN0",
            creditor_town="Atlanta",
            creditor_country="US",
        )
        return settlement_pb2.CreateOutgoingPaymentRequest(request_id=identifier(), payment=payment)

    def policy_request(self) -> Any:
        """An insurer's policy for the exporter."""
        policy = credit_insurance_pb2.Policy(
            enterprise=ENTERPRISE, maximum_liability=usd(10_000_000_00), start_date=rpc.date(START)
        )
        policy.insured_ratio.value, policy.premium_rate.value = "0.90", "0.0065"
        policy.end_date.CopyFrom(rpc.date(END))
        return credit_insurance_pb2.CreatePolicyRequest(request_id=identifier(), policy=policy)

    async def proposed_policy(self) -> Any:
        """A policy that waits for its checker."""
        return await self.call("credit_insurance", "CreatePolicy", self.policy_request(), CAST["INSURER_MAKER"])

    async def policy(self) -> Any:
        """A policy in force."""
        made = await self.proposed_policy()
        request = credit_insurance_pb2.ApprovePolicyRequest(name=made.name, etag=made.etag)
        return await self.call("credit_insurance", "ApprovePolicy", request, CAST["INSURER_CHECKER"])

    def limit_request(self) -> Any:
        """The exporter asks for a limit on a buyer."""
        return credit_insurance_pb2.RequestBuyerLimitRequest(
            request_id=identifier(),
            policy=self.standing["policy"].name,
            buyer_name=f"BUYER {next(self._numbers)}",
            buyer_country="USA",
            amount=usd(1_000_000_00),
            payment_term_days=120,
        )

    async def asked_limit(self) -> Any:
        """A limit that waits for a decision."""
        return await self.call("credit_insurance", "RequestBuyerLimit", self.limit_request(), CAST["EXPORTER"])

    def decision(self, limit: Any) -> Any:
        """The insurer's proposal."""
        return credit_insurance_pb2.DecideBuyerLimitRequest(
            request_id=identifier(),
            name=limit.name,
            amount=usd(1_000_000_00),
            payment_term_days=120,
            start_date=rpc.date(START),
            end_date=rpc.date(END),
            etag=limit.etag,
        )

    async def decided_limit(self) -> Any:
        """A limit that waits for its checker."""
        decision = self.decision(await self.asked_limit())
        return await self.call("credit_insurance", "DecideBuyerLimit", decision, CAST["INSURER_MAKER"])

    async def limit(self) -> Any:
        """A limit in force."""
        made = await self.decided_limit()
        request = credit_insurance_pb2.ApproveBuyerLimitRequest(name=made.name, etag=made.etag)
        return await self.call("credit_insurance", "ApproveBuyerLimit", request, CAST["INSURER_CHECKER"])

    def shipment_request(self, declaration: str) -> Any:
        """The exporter declares a shipment for cover."""
        shipment = credit_insurance_pb2.CoveredShipment(
            buyer_limit=self.standing["limit"].name,
            declaration=declaration,
            invoice_amount=usd(VALUE // 10),
            shipment_date=date_pb2.Date(year=2026, month=11, day=2),
            due_date=date_pb2.Date(year=2027, month=1, day=31),
        )
        return credit_insurance_pb2.CreateCoveredShipmentRequest(request_id=identifier(), covered_shipment=shipment)

    async def covered(self) -> Any:
        """A shipment whose cover is in force."""
        request = self.shipment_request(await self.declared())
        made = await self.call("credit_insurance", "CreateCoveredShipment", request, CAST["EXPORTER"])
        get = credit_insurance_pb2.GetCoveredShipmentRequest(name=made.name)
        return await self._until("credit_insurance", "GetCoveredShipment", get, "COVERED", CAST["EXPORTER"])

    def hold_request(self, declaration: str) -> Any:
        """A lender wants part of a cover."""
        return credit_insurance_pb2.HoldCoverRequest(
            request_id=identifier(),
            cover_hold_id=identifier(),
            declaration=declaration,
            bank=BANK,
            amount=usd(100),
            loan="loans/conformance",
        )

    async def application(self, declaration: str = "") -> Any:
        """An application to two banks."""
        request = self.application_request(declaration or await self.declared())
        return await self.call("loans", "CreateApplication", request, CAST["EXPORTER"])

    def application_request(self, declaration: str) -> Any:
        """The exporter applies for a loan."""
        application = loans_pb2.Application(
            declarations=[declaration], amount=usd(8_000_00), tenor_days=90, banks=[BANK, SECOND_BANK]
        )
        return loans_pb2.CreateApplicationRequest(request_id=identifier(), application=application)

    def offer_request(self, application: Any) -> Any:
        """The bank's maker offers."""
        offer = loans_pb2.Offer(application=application.name, amount=usd(8_000_00), fee=usd(100), tenor_days=90)
        offer.annual_rate.value = "0.0435"
        offer.expire_time.FromMicroseconds(SystemClock().now_us() + 3_600 * MICROSECONDS)
        return loans_pb2.CreateOfferRequest(request_id=identifier(), offer=offer)

    async def proposed_offer(self, declaration: str = "") -> Any:
        """An offer that waits for its checker."""
        request = self.offer_request(await self.application(declaration))
        return await self.call("loans", "CreateOffer", request, CAST["BANK_MAKER"])

    async def offer(self, declaration: str = "") -> Any:
        """An offer that the exporter may take."""
        made = await self.proposed_offer(declaration)
        request = loans_pb2.ApproveOfferRequest(name=made.name, etag=made.etag)
        return await self.call("loans", "ApproveOffer", request, CAST["BANK_CHECKER"])

    async def agreed_loan(self, declaration: str = "") -> Any:
        """A loan that waits for the bank's signature."""
        made = await self.offer(declaration)
        request = loans_pb2.AcceptOfferRequest(name=made.name, etag=made.etag)
        return await self.call("loans", "AcceptOffer", request, CAST["EXPORTER"])

    def signature(self, loan: Any) -> Any:
        """The bank's signature over the loan's contract."""
        signed = signatures.sign(loan.contract, PRIVATE_KEY, CAST["BANK_CHECKER"].principal)
        return loans_pb2.SignLoanRequest(
            request_id=identifier(), name=loan.name, instruction=loan.contract, signature=signed, etag=loan.etag
        )

    async def active_loan(self) -> Any:
        """A loan that was paid out."""
        loan = await self.agreed_loan((await self.covered()).declaration)
        await self.call("loans", "SignLoan", self.signature(loan), CAST["BANK_CHECKER"])
        get = loans_pb2.GetLoanRequest(name=loan.name)
        return await self._until("loans", "GetLoan", get, "ACTIVE", CAST["EXPORTER"])

    def repayment_request(self) -> Any:
        """Settlement has money for the standing loan."""
        return loans_pb2.CreateRepaymentRequest(
            request_id=identifier(),
            repayment_id=identifier(),
            loan=self.standing["loan"].name,
            payment="incomingPayments/conformance",
            amount=usd(1_00),
            date=rpc.date(datetime.datetime.now(datetime.UTC).date()),
            encumbrance=self.standing["loan"].encumbrance,
            settled=usd(8_000_00),
        )

    async def _until(self, service: str, method: str, request: Any, state: str, caller: Caller) -> Any:
        """The resource once it has come to a state."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            found = await self.call(service, method, request, caller)
            if type(found).State.Name(found.state) == state:
                return found
            assert time.monotonic() < deadline, found
            await asyncio.sleep(0.01)

    def bill_row(self) -> Any:
        """A bill that the exporter owes."""
        bill = records_pb2.Bill(
            bill_number=identifier()[:32],
            kind=records_pb2.Bill.DUTY,
            amount=usd(1_00),
            payee="treasuries/4601",
            issue_date=rpc.date(datetime.datetime.now(datetime.UTC).date()),
            term=records_pb2.Bill.SINGLE,
        )
        row = records_pb2.Record(enterprise=ENTERPRISE, bill=bill)
        row.notice_time.FromMicroseconds(SystemClock().now_us())
        return row

    async def bill(self) -> str:
        """The bill's name, taken in."""
        batch = declarations_pb2.BatchCreateRecordsRequest(records=[self.bill_row()])
        (verdict,) = (await self.call("declarations", "BatchCreateRecords", batch, CAST["WINDOW"])).verdicts
        return str(verdict.resource)

    async def bill_payment(self) -> Any:
        """The exporter pays a fresh bill."""
        payment = settlement_pb2.BillPayment(bill=await self.bill(), debit_account=self.standing["current"])
        return settlement_pb2.PayBillRequest(request_id=identifier(), payment=payment)

    async def prepare(self) -> None:
        """Makes what the examples stand on, and one of everything that can be read."""
        for institution in (BANK, SECOND_BANK, INSURER):
            await self.call("declarations", "CreateConsent", self.consent_request(institution), CAST["EXPORTER"])
        standing = self.standing
        standing["nostro"] = await self.account(BANK, "NOSTRO")
        standing["current"] = await self.account(ENTERPRISE, "CURRENT")
        funds = settlement_pb2.CreateTransferRequest(transfer=self.transfer(1_000_000_00))
        await self.call("settlement", "CreateTransfer", funds, CAST["BANK_SYSTEM"])
        standing["policy"] = await self.policy()
        standing["limit"] = await self.limit()
        standing["loan"] = await self.active_loan()
        standing["declaration"] = standing["loan"].declarations[0]
        standing["offer"] = standing["loan"].offer
        get = loans_pb2.GetOfferRequest(name=standing["offer"])
        standing["application"] = (await self.call("loans", "GetOffer", get, CAST["EXPORTER"])).application
        standing["shipment"] = await self.covered()
        taken = await self.call("declarations", "BatchCreateRetailDocuments", self.retail_orders(), CAST["WINDOW"])
        standing["retail_order"], _, standing["retail_summary"] = (verdict.resource for verdict in taken.verdicts)
        pool = pool_pb2.CreatePoolRequest(pool=pool_pb2.Pool(currency_code="USD"))
        standing["pool"] = await self.call("declarations", "CreatePool", pool, CAST["EXPORTER"])
        standing["retail_list"] = (await self.released_list()).name
        sale = await self.warehouse_sale()
        standing["sale"] = await self.call("declarations", "ReportWarehouseSale", sale, CAST["EXPORTER"])
        standing["encumbrance"] = await self.reserved()
        standing["registration"] = await self.registered()
        standing["breach"] = await self.breached()
        standing["order"], standing["rebate"] = await self.order(), await self.rebate()
        standing["payment"] = await self.parked_payment()
        standing["refused_document"] = await self.refused_document()
        standing["draft"] = await self.draft()
        await self.refused_document()
        await self.call("settlement", "CreateOutgoingPayment", self.payment_out(), CAST["EXPORTER"])
        standing["record"] = await self.bill()
        standing["bill_payment"] = await self.call("settlement", "PayBill", await self.bill_payment(), CAST["EXPORTER"])
        await self.payment_through()
        await self._what_is_derived()

    async def _what_is_derived(self) -> None:
        """A portrait of the exporter, two findings about its declarations and a saved filter."""
        rows = [self.declaration_row(), self.declaration_row()]
        for row in rows:
            row.transport_mode = "3"
        batch = declarations_pb2.BatchCreateDeclarationsRequest(declarations=rows)
        await self.call("declarations", "BatchCreateDeclarations", batch, CAST["WINDOW"])
        await self.call("declarations", "CreateSavedFilter", self.filter_request(), CAST["EXPORTER"])
        self.standing["portrait"] = f"{ENTERPRISE}/riskPortrait"
        request = insight_pb2.GetRiskPortraitRequest(name=self.standing["portrait"])
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            asked = insight_pb2.ListTradeFindingsRequest()
            found = await self.call("declarations", "ListTradeFindings", asked, CAST["EXPORTER"])
            with contextlib.suppress(grpc.aio.AioRpcError):
                await self.call("declarations", "GetRiskPortrait", request, CAST["EXPORTER"])
                if len(found.trade_findings) >= len(rows):
                    return
            assert time.monotonic() < deadline, "nothing was derived"
            await asyncio.sleep(0.05)

    def filter_request(self) -> Any:
        """The exporter saves a filter."""
        saved = insight_pb2.SavedFilter(title="to the USA", filter={"destination_countries": ["USA"]})
        return insight_pb2.CreateSavedFilterRequest(request_id=identifier(), saved_filter=saved)

    async def payment_through(self) -> None:
        """A payment that comes to its end, with the account's owner notified."""
        declaration = (await self.declared()).removeprefix("declarations/")
        request = self.payment_in(f"declaration {declaration}")
        made = await self.call("settlement", "ImportPayment", request, CAST["BANK_SYSTEM"])
        get = settlement_pb2.GetIncomingPaymentRequest(name=made.name)
        await self._until("settlement", "GetIncomingPayment", get, "COMPLETED", CAST["BANK_SYSTEM"])
