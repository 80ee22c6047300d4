"""A platform of all services on each database, with lenders, cover and a business date that tests move."""

import contextlib
import datetime
import pathlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from aval.credit_insurance.v1 import credit_insurance_pb2
from aval.declarations.v1 import declarations_pb2
from aval.loans.v1 import loans_pb2
from aval.settlement.v1 import settlement_pb2

from chassis import business_date
from chassis.clock import MICROSECONDS, SystemClock
from chassis.database import Database
from chassis.money import Money
from chassis.testing import Platform
from cli import agreement
from cli.stores import SERVICES
from services.settlement.messages import pacs008
from tests.conformance.world import BANK, CAST, ENTERPRISE, SECOND_BANK, World, identifier, person, usd

EXPORTER = CAST["EXPORTER"]
# The whole of a declaration's value of 100,000.00 is insured.
INVOICE = 100_000_00


class Market(World):
    """Loans on declarations, and buyers' payments for them."""

    async def prepare(self) -> None:
        """The exporter's accounts and policy; both banks may see what it declares."""
        for bank in (BANK, SECOND_BANK):
            await self.call("declarations", "CreateConsent", self.consent_request(bank), EXPORTER)
            await self._open(bank)
        await self.call("declarations", "CreateConsent", self.consent_request(CAST["INSURER_MAKER"].tenant), EXPORTER)
        self.standing["policy"] = await self.policy()

    async def _open(self, bank: str) -> None:
        names = []
        for owner, kind in ((bank, "NOSTRO"), (ENTERPRISE, "CURRENT")):
            account = settlement_pb2.Account(owner=owner, currency_code="USD", kind=kind)
            open_ = settlement_pb2.OpenAccountRequest(account=account)
            names.append((await self.call("settlement", "OpenAccount", open_, person(bank, "BANK_SYSTEM"))).name)
        self.standing[bank] = names[1]
        transfer = settlement_pb2.Transfer(debit_account=names[0], credit_account=names[1], amount=usd(1_000_000_00))
        request = settlement_pb2.CreateTransferRequest(transfer=transfer)
        await self.call("settlement", "CreateTransfer", request, person(bank, "BANK_SYSTEM"))

    def today(self) -> datetime.date:
        """The platform's business date."""
        with self.platform.nodes["settlement"].store.read() as connection:
            return business_date.present(connection, SystemClock().now_us())

    def close_until(self, date: datetime.date) -> None:
        """Closes the business dates before a day, in every service."""
        for service in self.platform.nodes:
            with self.behind(service) as connection:
                business_date.advance(connection, date, SystemClock().now_us())

    @contextlib.contextmanager
    def behind(self, service: str) -> Iterator[sa.Connection]:
        """A transaction on a service's store behind its back: on a connection of its own, as another process has."""
        store = self.platform.nodes[service].store
        beside = Database(store.url, store.schema, store.keys)
        try:
            with beside.write() as connection:
                yield connection
        finally:
            beside.close()

    async def insured(self) -> str:
        """A declaration of 100,000.00 whose cover is in force, under a limit of its own."""
        self.standing["limit"] = await self.limit()
        declaration: str = await self.declared()
        request = self.shipment_request(declaration)
        request.covered_shipment.invoice_amount.CopyFrom(usd(INVOICE))
        made = await self.call("credit_insurance", "CreateCoveredShipment", request, EXPORTER)
        get = credit_insurance_pb2.GetCoveredShipmentRequest(name=made.name)
        await self._until("credit_insurance", "GetCoveredShipment", get, "COVERED", EXPORTER)
        return declaration

    async def lend(self, declarations: list[str], units: int, bank: str = BANK) -> Any:
        """A loan of a bank on insured declarations, paid out."""
        maker, checker = person(bank, "BANK_MAKER"), person(bank, "BANK_CHECKER")
        application = loans_pb2.Application(declarations=declarations, amount=usd(units), tenor_days=90, banks=[bank])
        asked = loans_pb2.CreateApplicationRequest(application=application)
        opened = await self.call("loans", "CreateApplication", asked, EXPORTER)
        offer = loans_pb2.Offer(application=opened.name, amount=usd(units), fee=usd(0), tenor_days=90)
        offer.annual_rate.value = "0.0435"
        offer.expire_time.FromMicroseconds(SystemClock().now_us() + 3_600 * MICROSECONDS)
        made = await self.call("loans", "CreateOffer", loans_pb2.CreateOfferRequest(offer=offer), maker)
        approve = loans_pb2.ApproveOfferRequest(name=made.name, etag=made.etag)
        approved = await self.call("loans", "ApproveOffer", approve, checker)
        accept = loans_pb2.AcceptOfferRequest(name=approved.name, etag=approved.etag)
        loan = await self.call("loans", "AcceptOffer", accept, EXPORTER)
        await self.call("loans", "SignLoan", self.signature(loan), checker)
        return await self._until("loans", "GetLoan", loans_pb2.GetLoanRequest(name=loan.name), "ACTIVE", EXPORTER)

    async def loan(self, name: str) -> Any:
        """A loan as its borrower sees it."""
        return await self.call("loans", "GetLoan", loans_pb2.GetLoanRequest(name=name), EXPORTER)

    def message(self, bank: str, units: int, said: str, value_date: datetime.date | None = None) -> Any:
        """A pacs.008 for the exporter's account at a bank."""
        transfer = pacs008.CreditTransfer(
            message_id=identifier()[:30],
            uetr=identifier(),
            end_to_end_id="E2E",
            currency_code="USD",
            minor_units=units,
            settlement_date=value_date or self.today(),
            debtor_name="BUYER LTD",
            debtor_agent_bic="PCHTUSN0",
            creditor_name="EXPORTER",
            creditor_account=self.standing[bank].removeprefix("accounts/"),
            creditor_agent_bic=bank.removeprefix("banks/"),
            remittance_information=said,
        )
        content = pacs008.build(transfer, datetime.datetime.now(datetime.UTC))
        return settlement_pb2.ImportPaymentRequest(request_id=identifier(), content=content)

    async def pay(self, units: int, *declarations: str, bank: str = BANK, reader: str = "") -> Any:
        """A buyer's payment for declarations, at its end; as the exporter sees it, or another."""
        said = " and ".join(name.removeprefix("declarations/") for name in declarations)
        system = person(bank, "BANK_SYSTEM")
        made = await self.call("settlement", "ImportPayment", self.message(bank, units, said), system)
        get = settlement_pb2.GetIncomingPaymentRequest(name=made.name)
        await self._until("settlement", "GetIncomingPayment", get, "COMPLETED", EXPORTER)
        caller = person(reader, "BANK_SYSTEM") if reader else EXPORTER
        return await self.call("settlement", "GetIncomingPayment", get, caller)

    async def borrow_reference(self, declaration: str, loan: str, units: int, bank: str = SECOND_BANK) -> str:
        """A bank confirms an encumbrance of its own whose free reference names somebody's loan."""
        system = person(bank, "BANK_SYSTEM")
        item = declarations_pb2.EncumberedValue(asset=declaration, amount=usd(units))
        encumbrance = declarations_pb2.Encumbrance(asset_class="RECEIVABLE", items=[item], reference=loan)
        reserve = declarations_pb2.ReserveEncumbranceRequest(encumbrance_id=identifier(), encumbrance=encumbrance)
        held = await self.call("declarations", "ReserveEncumbrance", reserve, system)
        confirm = declarations_pb2.ConfirmEncumbranceRequest(name=held.name)
        await self.call("declarations", "ConfirmEncumbrance", confirm, system)
        return str(held.name)

    async def encumbrance(self, name: str) -> Any:
        """An encumbrance as the exporter sees it."""
        get = declarations_pb2.GetEncumbranceRequest(name=name)
        return await self.call("declarations", "GetEncumbrance", get, EXPORTER)

    def violations(self) -> list[str]:
        """Returns what verification finds wrong: each service's own proof, and the agreement of all."""
        stores = {name: node.store for name, node in self.platform.nodes.items()}
        found = agreement.violations(stores, SystemClock().now_us())
        for service in SERVICES:
            with stores[service.name].read() as connection:
                found += service.violations(connection)
        return found


def total(payment: Any) -> Money:
    """Returns what lenders got of a payment."""
    return Money("USD", sum(collection.amount.minor_units for collection in payment.collections))


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
async def market(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Market]:
    folder: pathlib.Path = tmp_path_factory.mktemp("receipts")
    database = f"sqlite:///{folder / 'store'}"
    if request.param == "postgresql":
        database = request.getfixturevalue("postgresql_server").new_database()
    platform = Platform(folder, database, SERVICES)
    await platform.start()
    made = Market(platform)
    await made.prepare()
    yield made
    await made.close()
    await platform.stop()
