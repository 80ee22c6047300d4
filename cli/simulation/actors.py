"""Commerce as it comes: deals from declaration to repayment, rivals for the same value, buyers who pay as they like.

An actor is a generator: it yields what it asks for and is sent what it got, or yields how long it waits.
"""

import datetime
import uuid
from collections.abc import Generator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from aval.credit_insurance.v1 import credit_insurance_pb2
from aval.declarations.v1 import declarations_pb2, records_pb2
from aval.loans.v1 import loans_pb2
from aval.settlement.v1 import settlement_pb2
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from google.protobuf.message import Message

from chassis import money, rpc, signatures
from chassis.clock import MICROSECONDS
from chassis.errors import DomainError
from chassis.identity import Caller
from cli.simulation.network import Network
from services.settlement.messages import pacs008
from trade import value_dates
from trade.calendars import day_in_china, packaged

CURRENCY = "USD"
# People act this fast: deals overlap, and few steps pass in which nothing happens.
MOMENT_US = 5 * MICROSECONDS
ENTERPRISES = ("enterprises/91411023MAXY00112A", "enterprises/91410105MAXY002277", "enterprises/91411323MAXY003314")
BANKS = ("banks/LMHFCNB0", "banks/YUHECNB0", "banks/THIRCNB0")
INSURER = "insurers/ZZZZ00HYXB2026000141"
PAYMENT_ENDED = ("COMPLETED", "CREDITED", "RETURNED")
WINDOW = Caller("windows/sim/system", "windows/sim", frozenset({"WINDOW"}))


@dataclass(frozen=True, slots=True)
class Ask:
    """A call to make."""

    caller: Caller
    service: str
    method: str
    request: Any


Actor = Generator[Ask | int, Any, None]


def person(tenant: str, role: str) -> Caller:
    """Returns somebody of a tenant, with a second factor at hand."""
    return Caller(f"{tenant}/{role.lower()}", tenant, frozenset({role}), second_factor=True)


@dataclass
class Stage:
    """The state that all actors share."""

    network: Network
    keys: dict[str, ed25519.Ed25519PrivateKey] = field(default_factory=dict)
    limits: dict[str, str] = field(default_factory=dict)
    accounts: dict[tuple[str, str], str] = field(default_factory=dict)
    deals: list["Deal"] = field(default_factory=list)
    loans: list[str] = field(default_factory=list)
    sequence: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    # How many actors are at it, and whether new deals are no longer begun.
    acting: int = 0
    is_closing: bool = False

    def count(self, outcome: str) -> None:
        """Counts an outcome."""
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1

    def identifier(self) -> str:
        """Returns a fresh UUID of this seed."""
        return str(uuid.UUID(bytes=self.network.random.randbytes(16), version=4))

    def chance(self, per_cent: int) -> bool:
        """Whether something happens."""
        return self.network.random.randrange(100) < per_cent

    def pause(self, most_us: int = MOMENT_US) -> int:
        """Returns some microseconds to wait."""
        return self.network.random.randrange(1, most_us)

    @property
    def today(self) -> datetime.date:
        """Returns the business date."""
        return day_in_china(self.network.clock.now_us())

    def start(self, actor: Actor) -> None:
        """Lets an actor act."""
        self.acting += 1
        self._go_on(actor, None)

    def _go_on(self, actor: Actor, answer: Any) -> None:
        try:
            wish = actor.send(answer)
        except StopIteration:
            self.acting -= 1
            return
        if isinstance(wish, int):
            self.network.later(wish, lambda: self._go_on(actor, None))
            return
        self.network.call(
            wish.caller, wish.service, wish.method, wish.request, lambda outcome: self._go_on(actor, outcome)
        )


def _ok(answer: Any) -> bool:
    return isinstance(answer, Message)


def _amount(units: int) -> Any:
    return money.to_proto(money.Money(CURRENCY, units))


def prepare(stage: Stage) -> Actor:
    """Makes the world before the first deal: keys, accounts, policies and limits."""
    for bank in BANKS:
        stage.keys[bank] = ed25519.Ed25519PrivateKey.from_private_bytes(stage.network.random.randbytes(32))
        for enterprise in ENTERPRISES:
            yield from _open(stage, bank, enterprise)
    for enterprise in ENTERPRISES:
        yield from _insure(stage, enterprise)


def _open(stage: Stage, bank: str, enterprise: str) -> Actor:
    """Opens a current account with money for premiums."""
    names = []
    for owner, kind in ((bank, "NOSTRO"), (enterprise, "CURRENT")):
        account = settlement_pb2.Account(owner=owner, currency_code=CURRENCY, kind=kind)
        request = settlement_pb2.OpenAccountRequest(request_id=stage.identifier(), account=account)
        opened = yield Ask(person(bank, "BANK_MAKER"), "settlement", "OpenAccount", request)
        names.append(opened.name)
    stage.accounts[bank, enterprise] = names[1]
    transfer = settlement_pb2.Transfer(
        debit_account=names[0], credit_account=names[1], amount=_amount(50_000_000), reference="opening balance"
    )
    create = settlement_pb2.CreateTransferRequest(request_id=stage.identifier(), transfer=transfer)
    yield Ask(person(bank, "BANK_SYSTEM"), "settlement", "CreateTransfer", create)


def _insure(stage: Stage, enterprise: str) -> Actor:
    maker, checker = person(INSURER, "INSURER_MAKER"), person(INSURER, "INSURER_CHECKER")
    start, end = rpc.date(datetime.date(2025, 1, 1)), rpc.date(datetime.date(2030, 1, 1))
    policy = credit_insurance_pb2.Policy(
        enterprise=enterprise,
        insured_ratio=rpc.decimal(Decimal("0.90")),
        maximum_liability=_amount(3_000_000_000),
        start_date=start,
        end_date=end,
        premium_rate=rpc.decimal(Decimal("0.0065")),
    )
    create = credit_insurance_pb2.CreatePolicyRequest(request_id=stage.identifier(), policy=policy)
    made = yield Ask(maker, "credit_insurance", "CreatePolicy", create)
    approve = credit_insurance_pb2.ApprovePolicyRequest(request_id=stage.identifier(), name=made.name)
    yield Ask(checker, "credit_insurance", "ApprovePolicy", approve)
    ask = credit_insurance_pb2.RequestBuyerLimitRequest(
        request_id=stage.identifier(),
        policy=made.name,
        buyer_name="SIMULATED BUYER LTD",
        buyer_country="USA",
        amount=_amount(1_000_000_000),
        payment_term_days=120,
    )
    limit = yield Ask(person(enterprise, "EXPORTER"), "credit_insurance", "RequestBuyerLimit", ask)
    decide = credit_insurance_pb2.DecideBuyerLimitRequest(
        request_id=stage.identifier(),
        name=limit.name,
        amount=_amount(1_000_000_000),
        payment_term_days=120,
        start_date=start,
        end_date=end,
    )
    yield Ask(maker, "credit_insurance", "DecideBuyerLimit", decide)
    approved = credit_insurance_pb2.ApproveBuyerLimitRequest(request_id=stage.identifier(), name=limit.name)
    yield Ask(checker, "credit_insurance", "ApproveBuyerLimit", approved)
    stage.limits[enterprise] = limit.name


@dataclass(frozen=True, slots=True)
class Deal:
    """One declaration and who is in it."""

    enterprise: str
    number: str
    value: int

    @property
    def declaration(self) -> str:
        """Returns its resource name."""
        return f"declarations/{self.number}"


def merchant(stage: Stage) -> Actor:
    """Begins a deal now and then, as long as the market is open."""
    while not stage.is_closing:
        stage.sequence += 1
        enterprise = stage.network.random.choice(ENTERPRISES)
        number = f"460120260{stage.sequence:09}"
        deal = Deal(enterprise, number, stage.network.random.randrange(1_000_000, 20_000_000))
        stage.deals.append(deal)
        stage.start(_deal(stage, deal))
        yield stage.pause(MOMENT_US)


def _deal(stage: Stage, deal: Deal) -> Actor:
    yield from _declare(stage, deal)
    yield from _consent(stage, deal)
    for _ in range(stage.network.random.randrange(3)):
        stage.start(_rival(stage, deal))
    stage.start(_buyer(stage, deal))
    if stage.chance(35):
        stage.start(_customs(stage, deal))
    if stage.chance(80):
        yield from _cover(stage, deal)
    yield from _finance(stage, deal)


def _declare(stage: Stage, deal: Deal) -> Actor:
    """Sends the declaration and its receipts, each in its own time; some never leave, some are deleted."""
    stage.start(_receipts(stage, deal))
    rows = [_row(stage, deal, deal.value)]
    request = declarations_pb2.BatchCreateDeclarationsRequest(request_id=stage.identifier(), declarations=rows)
    found = yield Ask(WINDOW, "declarations", "BatchCreateDeclarations", request)
    assert not found.verdicts[0].problems, found


def _row(stage: Stage, deal: Deal, units: int) -> declarations_pb2.Declaration:
    """Returns the declaration as customs has it."""
    row = declarations_pb2.Declaration(
        declaration_number=deal.number,
        enterprise=deal.enterprise,
        enterprise_name="模拟出口企业",
        buyer_name="SIMULATED BUYER LTD",
        trade_mode="0110",
        transport_mode="2",
        transaction_mode="3",
        destination_country="USA",
        declared_value=_amount(units),
        export_date=rpc.date(stage.today),
    )
    row.lines.add(
        line_number=1,
        commodity_code="6703000000",
        goods_name="发制品",
        quantity=rpc.decimal(Decimal(1)),
        unit="035",
        unit_price=rpc.decimal(money.Money(CURRENCY, units).major()),
        total=_amount(units),
        origin_country="CHN",
    )
    return row


def _customs(stage: Stage, deal: Deal) -> Actor:
    """Amends the declaration, whoever has lent on it; at times it amends it back, or holds the goods."""
    units = deal.value
    for _ in range(stage.network.random.randrange(1, 4)):
        yield stage.pause(40 * MOMENT_US)
        units = deal.value if stage.chance(30) else deal.value * stage.network.random.randrange(20, 180) // 100
        row = _row(stage, deal, units)
        row.amend_time.FromMicroseconds(stage.network.clock.now_us())
        request = declarations_pb2.BatchCreateDeclarationsRequest(request_id=stage.identifier(), declarations=[row])
        found = yield Ask(WINDOW, "declarations", "BatchCreateDeclarations", request)
        stage.count(f"amendment {declarations_pb2.IntakeVerdict.Outcome.Name(found.verdicts[0].outcome)}")
    if stage.chance(30):
        yield from _goods_come_back(stage, deal)
    if stage.chance(20):
        yield from _receipt(stage, deal, "H", stage.network.clock.now_us())
        yield stage.pause(20 * MOMENT_US)
        yield from _receipt(stage, deal, "R", stage.network.clock.now_us())


def _goods_come_back(stage: Stage, deal: Deal) -> Actor:
    """Brings a part of what was shipped back."""
    returned = records_pb2.GoodsReturn(
        return_declaration_number=f"{deal.number[:8]}1{deal.number[9:]}",
        amount=_amount(deal.value * stage.network.random.randrange(5, 60) // 100),
    )
    record = records_pb2.Record(declaration=deal.declaration, goods_return=returned)
    record.notice_time.FromMicroseconds(stage.network.clock.now_us())
    request = declarations_pb2.BatchCreateRecordsRequest(request_id=stage.identifier(), records=[record])
    found = yield Ask(WINDOW, "declarations", "BatchCreateRecords", request)
    stage.count(f"return {declarations_pb2.IntakeVerdict.Outcome.Name(found.verdicts[0].outcome)}")


def _receipt(stage: Stage, deal: Deal, code: str, notice_us: int) -> Actor:
    request = declarations_pb2.BatchCreateReceiptsRequest(request_id=stage.identifier())
    receipt = request.receipts.add(declaration_number=deal.number, channel_code=code)
    receipt.notice_time.FromMicroseconds(notice_us)
    yield Ask(WINDOW, "declarations", "BatchCreateReceipts", request)


def _receipts(stage: Stage, deal: Deal) -> Actor:
    codes = ["7", "L", "P", "R"] if stage.chance(90) else ["7", "L", "P"]
    if stage.chance(3):
        codes.append("D")
    start_us = stage.network.clock.now_us()
    order = list(enumerate(codes)) + ([(0, "7")] if stage.chance(20) else [])
    stage.network.random.shuffle(order)
    for index, code in order:
        yield from _receipt(stage, deal, code, start_us + index * MOMENT_US)
        yield stage.pause(MOMENT_US // 4)


def _consent(stage: Stage, deal: Deal) -> Actor:
    for institution in (*BANKS, INSURER):
        consent = declarations_pb2.Consent(institution=institution, purpose="simulation")
        consent.expire_time.FromMicroseconds(stage.network.clock.now_us() + 365 * 86_400 * MICROSECONDS)
        request = declarations_pb2.CreateConsentRequest(request_id=stage.identifier(), consent=consent)
        yield Ask(person(deal.enterprise, "EXPORTER"), "declarations", "CreateConsent", request)


def _cover(stage: Stage, deal: Deal) -> Actor:
    shipment = credit_insurance_pb2.CoveredShipment(
        buyer_limit=stage.limits[deal.enterprise],
        declaration=deal.declaration,
        invoice_amount=_amount(deal.value),
        shipment_date=rpc.date(stage.today),
        due_date=rpc.date(stage.today + datetime.timedelta(days=90)),
    )
    request = credit_insurance_pb2.CreateCoveredShipmentRequest(
        request_id=stage.identifier(), covered_shipment=shipment
    )
    found = yield Ask(person(deal.enterprise, "EXPORTER"), "credit_insurance", "CreateCoveredShipment", request)
    stage.count("shipment declared" if _ok(found) else f"shipment {found.reason}")
    yield stage.pause()


def _finance(stage: Stage, deal: Deal) -> Actor:
    """Applies to two banks; one offer is taken, signed and drawn down."""
    exporter = person(deal.enterprise, "EXPORTER")
    banks = stage.network.random.sample(BANKS, 2)
    units = deal.value * stage.network.random.randrange(50, 91) // 100
    application = loans_pb2.Application(
        declarations=[deal.declaration], amount=_amount(units), tenor_days=90, banks=banks
    )
    request = loans_pb2.CreateApplicationRequest(request_id=stage.identifier(), application=application)
    made = yield Ask(exporter, "loans", "CreateApplication", request)
    if not _ok(made):
        stage.count(f"application {made.reason}")
        return
    offers = []
    for bank in banks:
        offer = yield from _offer(stage, bank, made, units)
        offers.append(offer)
    yield stage.pause()
    chosen = stage.network.random.choice(offers)
    accept = loans_pb2.AcceptOfferRequest(request_id=stage.identifier(), name=chosen.name)
    loan = yield Ask(exporter, "loans", "AcceptOffer", accept)
    if not _ok(loan):
        stage.count(f"acceptance {loan.reason}")
        return
    stage.loans.append(loan.name)
    found = yield from _sign(stage, loan)
    stage.count("loan signed" if _ok(found) else f"signature {found.reason}")
    if stage.chance(50):
        yield from _pay_early(stage, deal)


def _offer(stage: Stage, bank: str, application: Any, units: int) -> Generator[Ask | int, Any, Any]:
    offer = loans_pb2.Offer(
        application=application.name,
        amount=_amount(units),
        annual_rate=rpc.decimal(Decimal(stage.network.random.randrange(300, 600)) / 10_000),
        fee=_amount(stage.network.random.randrange(20_000)),
        tenor_days=90,
    )
    offer.expire_time.FromMicroseconds(stage.network.clock.now_us() + 86_400 * MICROSECONDS)
    create = loans_pb2.CreateOfferRequest(request_id=stage.identifier(), offer=offer)
    made = yield Ask(person(bank, "BANK_MAKER"), "loans", "CreateOffer", create)
    approve = loans_pb2.ApproveOfferRequest(request_id=stage.identifier(), name=made.name, etag=made.etag)
    approved = yield Ask(person(bank, "BANK_CHECKER"), "loans", "ApproveOffer", approve)
    return approved


def _sign(stage: Stage, loan: Any) -> Generator[Ask | int, Any, Any]:
    key = stage.keys[loan.bank]
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    name = f"{loan.bank}/bank_checker"
    checker = Caller(name, loan.bank, frozenset({"BANK_CHECKER"}), public_key=public.decode())
    contract = yield Ask(checker, "loans", "GetLoan", loans_pb2.GetLoanRequest(name=loan.name))
    request = loans_pb2.SignLoanRequest(
        request_id=stage.identifier(),
        name=loan.name,
        instruction=contract.contract,
        signature=signatures.sign(contract.contract, private, name),
    )
    signed = yield Ask(checker, "loans", "SignLoan", request)
    return signed


def _rival(stage: Stage, deal: Deal) -> Actor:
    """Acts for another institution that wants the same value for itself."""
    yield stage.pause(5 * MOMENT_US)
    bank = stage.network.random.choice(BANKS)
    caller = person(bank, "BANK_SYSTEM")
    item = declarations_pb2.EncumberedValue(
        asset=deal.declaration, amount=_amount(stage.network.random.randrange(1, deal.value))
    )
    identifier = stage.identifier()
    encumbrance = declarations_pb2.Encumbrance(
        asset_class="RECEIVABLE", items=[item], pari_passu=stage.chance(30), reference=_reference(stage)
    )
    request = declarations_pb2.ReserveEncumbranceRequest(
        request_id=stage.identifier(), encumbrance_id=identifier, encumbrance=encumbrance
    )
    request.reserve_duration.seconds = stage.network.random.randrange(5, 90)
    found = yield Ask(caller, "declarations", "ReserveEncumbrance", request)
    stage.count("rival reserved" if _ok(found) else f"rival {found.reason}")
    yield stage.pause(10 * MOMENT_US)
    if stage.chance(50):
        yield from _confirm(stage, caller, f"encumbrances/{identifier}")
    yield stage.pause(20 * MOMENT_US)
    release = declarations_pb2.ReleaseEncumbranceRequest(
        request_id=stage.identifier(), name=f"encumbrances/{identifier}"
    )
    yield Ask(caller, "declarations", "ReleaseEncumbrance", release)


def _reference(stage: Stage) -> str:
    """Returns the rival's own reference, or a loan that isn't its own."""
    return stage.network.random.choice(stage.loans) if stage.loans and stage.chance(50) else "rival"


def _confirm(stage: Stage, caller: Caller, name: str) -> Actor:
    request = declarations_pb2.ConfirmEncumbranceRequest(request_id=stage.identifier(), name=name)
    found = yield Ask(caller, "declarations", "ConfirmEncumbrance", request)
    stage.count("rival confirmed" if _ok(found) else f"rival confirm {found.reason}")


def _buyer(stage: Stage, deal: Deal) -> Actor:
    """Pays in one or several parts, too much at times, and at times without saying what for."""
    yield stage.pause(60 * MOMENT_US)
    parts = stage.network.random.choice(((100,), (100,), (40, 60), (30, 30, 50)))
    bank = stage.network.random.choice(BANKS)
    for per_cent in parts:
        yield from _pay(stage, deal, bank, max(deal.value * per_cent // 100, 1))
        yield stage.pause(30 * MOMENT_US)


def _pay_early(stage: Stage, deal: Deal) -> Actor:
    """Pays a part while the loan may still be drawn down."""
    yield stage.pause(MOMENT_US // 2)
    per_cent = stage.network.random.randrange(5, 30)
    yield from _pay(stage, deal, stage.network.random.choice(BANKS), max(deal.value * per_cent // 100, 1))


def _pay(stage: Stage, deal: Deal, bank: str, units: int) -> Actor:
    account = stage.accounts[bank, deal.enterprise]
    named = [deal, *_second(stage, deal)] if stage.chance(90) else []
    said = " and ".join(f"declaration {each_deal.number}" for each_deal in named) or "invoice"
    transfer = pacs008.CreditTransfer(
        message_id=stage.identifier()[:30],
        uetr=stage.identifier(),
        end_to_end_id="E2E",
        currency_code=CURRENCY,
        minor_units=units,
        settlement_date=value_dates.latest(packaged(value_dates.CALENDAR), stage.today)
        if stage.chance(50)
        else stage.today,
        debtor_name="SIMULATED BUYER LTD",
        debtor_town="Atlanta",
        debtor_country="US",
        debtor_agent_bic="PCHTUSN0",
        creditor_name="SIMULATED EXPORTER",
        creditor_account=account.removeprefix("accounts/"),
        creditor_agent_bic=bank.removeprefix("banks/"),
        remittance_information=said,
    )
    content = pacs008.build(transfer, datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC))
    request = settlement_pb2.ImportPaymentRequest(request_id=stage.identifier(), content=content)
    found = yield Ask(person(bank, "BANK_SYSTEM"), "settlement", "ImportPayment", request)
    if not _ok(found):
        raise AssertionError(found.problems or found)
    stage.count("payment")
    if said == "invoice" and stage.chance(60):
        yield from _match(stage, deal, bank, found.name)
    elif said == "invoice":
        yield from _resolve(stage, bank, found.name)
    stage.start(_see_through(stage, bank, found.name))


def _second(stage: Stage, deal: Deal) -> list[Deal]:
    """Returns, now and then, another declaration of the same exporter, paid with the same transfer."""
    others = [each_deal for each_deal in stage.deals if each_deal.enterprise == deal.enterprise and each_deal != deal]
    return [stage.network.random.choice(others)] if others and stage.chance(20) else []


def _resolve(stage: Stage, bank: str, payment: str) -> Actor:
    """Lets two persons credit or return what is for no declaration; others may have matched it meanwhile."""
    yield 5 * MOMENT_US
    kinds: tuple[tuple[str, Any], ...] = (
        ("CreditIncomingPayment", settlement_pb2.CreditIncomingPaymentRequest),
        ("ReturnIncomingPayment", settlement_pb2.ReturnIncomingPaymentRequest),
    )
    method, kind = stage.network.random.choice(kinds)
    request = kind(request_id=stage.identifier(), name=payment, reason="no declaration")
    prepared = yield Ask(person(bank, "BANK_MAKER"), "settlement", method, request)
    approve = settlement_pb2.ApproveIncomingPaymentRequest(
        request_id=stage.identifier(), name=payment, etag=prepared.etag
    )
    found = yield Ask(person(bank, "BANK_CHECKER"), "settlement", "ApproveIncomingPayment", approve)
    stage.count(f"{method} {'approved' if _ok(found) else _reason(found)}")


def _match(stage: Stage, deal: Deal, bank: str, payment: str) -> Actor:
    """Lets a person at the bank find out what the payment was for."""
    yield 5 * MOMENT_US
    request = settlement_pb2.MatchIncomingPaymentRequest(
        request_id=stage.identifier(), name=payment, declaration=deal.declaration
    )
    found = yield Ask(person(bank, "BANK_MAKER"), "settlement", "MatchIncomingPayment", request)
    stage.count("matched by hand" if _ok(found) else f"match {_reason(found)}")


def _see_through(stage: Stage, bank: str, payment: str) -> Actor:
    """Lets a person at the bank send a payment on that waits although it counts for its declarations.

    A lender refuses while its loan is drawn down: the person tries again until the payment is at an end.
    """
    get = settlement_pb2.GetIncomingPaymentRequest(name=payment)
    while True:
        yield 10 * MOMENT_US
        shown = yield Ask(person(bank, "BANK_MAKER"), "settlement", "GetIncomingPayment", get)
        state = settlement_pb2.IncomingPayment.State.Name(shown.state)
        is_waiting = state == "UNMATCHED"
        if state in PAYMENT_ENDED or (is_waiting and not shown.parts):
            return
        if is_waiting:
            yield from _send_on(stage, bank, shown)


def _send_on(stage: Stage, bank: str, payment: settlement_pb2.IncomingPayment) -> Actor:
    """Names the same declarations again."""
    request = settlement_pb2.MatchIncomingPaymentRequest(
        request_id=stage.identifier(),
        name=payment.name,
        declarations=[part.declaration for part in payment.parts],
        etag=payment.etag,
    )
    found = yield Ask(person(bank, "BANK_MAKER"), "settlement", "MatchIncomingPayment", request)
    stage.count(f"sent on after {payment.reason}" if _ok(found) else f"sending on {_reason(found)}")


def _reason(answer: Any) -> str:
    return answer.reason if isinstance(answer, DomainError) else "?"
