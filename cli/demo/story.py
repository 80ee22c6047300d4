"""The demo's story: a declaration is insured, financed by one bank and refused to a second, paid, and repaid.

Each step's requests have ids that follow from the story's id, so that a story cut off anywhere is
played again from its beginning and ends the same.
"""

import asyncio
import datetime
import hashlib
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from string import Template
from typing import Any

from aval.declarations.v1 import declarations_pb2
from aval.loans.v1 import loans_pb2
from aval.settlement.v1 import settlement_pb2

from chassis import ids, money, rpc
from chassis.certificates import Authority
from chassis.clock import MICROSECONDS
from chassis.status import RemoteError
from cli.demo import world
from cli.demo.actors import Exporter, Institution, Refused, until
from cli.layout import Addresses

EXPORTER = "xuchang_hair"
BUYER = "crown_and_curl"
CURRENCY = "USD"
CONSENT_UNTIL = "2030-01-01T00:00:00Z"
CUSTOMS_OFFICE = "4601"
# Financed: four fifths of the declared value, below the insured part and the register's cap.
FINANCED_RATIO = Decimal("0.8")
TENOR_DAYS = 90
# The value date of the buyer's payment: until then interest runs.
PAID_AFTER = datetime.timedelta(days=60)
ALL_SERVICES = ("credit_insurance", "declarations", "gateway", "loans", "settlement")
NOT_FOUND = 404
RECEIPTS = ("7", "L", "P", "R")
OFFERS = (("LMHFCNB0", "0.0435", "150.00"), ("YUHECNB0", "0.0468", "90.00"))


@dataclass(frozen=True, slots=True)
class Script:
    """The things that make one story unique: its id, the time it began, and the business date it begins on."""

    story_id: str
    started_us: int
    date: str

    def request_id(self, *parts: object) -> str:
        """Returns the id of a request of this story."""
        return ids.derived("demo story", self.story_id, *parts)

    @property
    def today(self) -> datetime.date:
        """Returns the business date it begins on."""
        return datetime.date.fromisoformat(self.date)

    @property
    def declaration_number(self) -> str:
        """Fresh for each story: its sequence follows from the story's id."""
        sequence = int(hashlib.sha256(self.story_id.encode()).hexdigest(), 16) % 10**9
        return f"{CUSTOMS_OFFICE}{self.today.year}0{sequence:09}"

    @property
    def declaration(self) -> str:
        """Returns its resource name."""
        return f"declarations/{self.declaration_number}"

    @property
    def trace_id(self) -> str:
        """Returns the trace that the exporter's click begins."""
        return hashlib.sha256(f"trace {self.story_id}".encode()).hexdigest()[:32]

    @property
    def traceparent(self) -> str:
        """Returns the W3C trace context that the actors pass on."""
        return f"00-{self.trace_id}-{self.trace_id[:16]}-01"


def new_script(date: datetime.date) -> Script:
    """Returns a story that was never played, beginning on a business date."""
    return Script(uuid.uuid4().hex, time.time_ns() // 1000, date.isoformat())


@dataclass
class Stage:
    """The actors, and what the steps so far have found."""

    script: Script
    window: Institution
    exporter: Exporter
    makers: dict[str, Institution]
    checkers: dict[str, Institution]
    systems: dict[str, Institution]
    operator: Exporter
    # Closes the platform's business dates before a day.
    close_dates: Callable[[datetime.date], None]
    # What later steps need of earlier ones.
    declared_value: Any = None
    application: str = ""
    offers: list[Any] = field(default_factory=list)
    loan: str = ""
    bank: str = ""
    payment: str = ""
    second_financing: dict[str, str] = field(default_factory=dict)
    trace_services: list[str] = field(default_factory=list)

    async def close(self) -> None:
        """Sends everyone home."""
        for institution in (self.window, *self.makers.values(), *self.checkers.values(), *self.systems.values()):
            await institution.close()
        await self.exporter.close()
        await self.operator.close()


def set_stage(
    script: Script, authority: Authority, addresses: Addresses, close_dates: Callable[[datetime.date], None]
) -> Stage:
    """Returns the actors at a platform's addresses."""
    trace = script.traceparent

    def institution(tenant: str, role: str, traced: bool = True) -> Institution:
        person = world.person(tenant, role)
        return Institution(authority, addresses, person, trace if traced else "")

    banks = [f"banks/{bic}" for bic, _, _ in OFFERS]
    exporter = world.person(world.tenant_of(world.exporter(EXPORTER)), "EXPORTER")
    operator = world.person(world.OPERATOR, "OPERATOR")
    return Stage(
        script=script,
        window=institution(world.WINDOW, "WINDOW"),
        exporter=Exporter(authority, addresses, exporter, trace),
        makers={bank: institution(bank, "BANK_MAKER") for bank in banks},
        checkers={bank: institution(bank, "BANK_CHECKER") for bank in banks},
        systems={bank: institution(bank, "BANK_SYSTEM") for bank in banks},
        operator=Exporter(authority, addresses, operator, ""),
        close_dates=close_dates,
    )


async def declare(stage: Stage) -> str:
    """Sends the declaration as a DecMessage, by the window."""
    script = stage.script
    text = Template(world.template(world.exporter(EXPORTER)["declaration_template"])).substitute(
        declaration_number=script.declaration_number,
        unified_number=f"I{script.declaration_number[:8]}{script.declaration_number[-9:]}",
        export_date=script.today.strftime("%Y%m%d"),
    )
    document = declarations_pb2.Document(document_id=f"{script.declaration_number}.xml", content=text.encode())
    request = declarations_pb2.ImportDocumentsRequest(request_id=script.request_id("import"), documents=[document])
    response = await stage.window.call("declarations", "ImportDocuments", request)
    verdict = response.verdicts[0]
    if verdict.problems:
        raise AssertionError(str(verdict.problems))
    declaration = await stage.window.call(
        "declarations", "GetDeclaration", declarations_pb2.GetDeclarationRequest(name=script.declaration)
    )
    stage.declared_value = money.from_proto(declaration.declared_value)
    parties = f"{declaration.enterprise_name} to {declaration.buyer_name}"
    return f"{script.declaration_number}, {stage.declared_value}, {parties}"


async def send_receipts(stage: Stage) -> str:
    """Sends the receipts 7, L, P, R, by the window."""
    script = stage.script
    request = declarations_pb2.BatchCreateReceiptsRequest(request_id=script.request_id("receipts"))
    for minute, code in enumerate(RECEIPTS):
        receipt = request.receipts.add(declaration_number=script.declaration_number, channel_code=code)
        receipt.notice_time.FromMicroseconds(script.started_us - (len(RECEIPTS) - minute) * 60 * MICROSECONDS)
    await stage.window.call("declarations", "BatchCreateReceipts", request)
    found = await stage.window.call(
        "declarations", "GetDeclaration", declarations_pb2.GetDeclarationRequest(name=script.declaration)
    )
    status = declarations_pb2.Declaration.Status.Name(found.status)
    verdict = declarations_pb2.Eligibility.Verdict.Name(found.eligibility.verdict)
    return f"{', '.join(RECEIPTS)}: {status}, evidence {verdict}"


async def consent(stage: Stage) -> str:
    """Lets two banks and the insurer see the exporter's declarations."""
    institutions = [*stage.makers, world.insurer()]
    await stage.exporter.sign_in()
    for institution in institutions:
        body = {"institution": institution, "purpose": "trade finance", "expireTime": CONSENT_UNTIL}
        await stage.exporter.post("/v1/consents", body, stage.script.request_id("consent", institution))
    return f"to {', '.join(institutions)}"


async def cover(stage: Stage) -> str:
    """Insures the shipment for the exporter; the premium is collected."""
    limits = await stage.exporter.get("/v1/buyerLimits?pageSize=100")
    name = world.buyer(BUYER)["name"]
    limit = next(
        entry for entry in limits["buyerLimits"] if entry["buyerName"] == name and entry["state"] == "IN_FORCE"
    )
    shipped, due = stage.script.today, stage.script.today + datetime.timedelta(days=TENOR_DAYS)
    body = {
        "buyerLimit": limit["name"],
        "declaration": stage.script.declaration,
        "invoiceAmount": _amount(stage.declared_value),
        "shipmentDate": _date(shipped),
        "dueDate": _date(due),
    }
    made = await stage.exporter.post("/v1/coveredShipments", body, stage.script.request_id("cover"))
    covered = await until(
        lambda: stage.exporter.get(f"/v1/{made['name']}"),
        lambda entry: entry["state"] in ("COVERED", "REFUSED", "PAID", "CLOSED"),
    )
    if covered["state"] == "REFUSED":
        raise AssertionError(covered["refusalReason"])
    return f"covered {_text(covered['coveredAmount'])}, premium {_text(covered['premium'])}"


def _amount(amount: money.Money) -> dict[str, str]:
    return {"currencyCode": amount.currency, "minorUnits": str(amount.minor_units)}


def _date(day: datetime.date) -> dict[str, int]:
    return {"year": day.year, "month": day.month, "day": day.day}


def _text(amount: dict[str, str]) -> str:
    return str(money.Money(amount["currencyCode"], int(amount.get("minorUnits", "0"))))


def _financed(stage: Stage) -> money.Money:
    return stage.declared_value.times(FINANCED_RATIO, "ROUND_DOWN")  # type: ignore[no-any-return]


async def apply(stage: Stage) -> str:
    """Asks two banks with one form, for the exporter."""
    body = {
        "declarations": [stage.script.declaration],
        "amount": _amount(_financed(stage)),
        "tenorDays": TENOR_DAYS,
        "banks": list(stage.makers),
    }
    made = await stage.exporter.post("/v1/applications", body, stage.script.request_id("apply"))
    stage.application = made["name"]
    return f"{_financed(stage)} for {TENOR_DAYS} days, asked of {len(stage.makers)} banks"


async def quote(stage: Stage) -> str:
    """Makes an offer of each bank: its maker offers, its checker approves."""
    stage.offers = []
    for bic, rate, fee in OFFERS:
        bank = f"banks/{bic}"
        offer = loans_pb2.Offer(
            application=stage.application,
            amount=money.to_proto(_financed(stage)),
            annual_rate=rpc.decimal(Decimal(rate)),
            fee=world.amount(fee, CURRENCY),
            tenor_days=TENOR_DAYS,
        )
        offer.expire_time.FromMicroseconds(stage.script.started_us + 7 * 86_400 * MICROSECONDS)
        request = loans_pb2.CreateOfferRequest(request_id=stage.script.request_id("offer", bic), offer=offer)
        made = await stage.makers[bank].call("loans", "CreateOffer", request)
        approve = loans_pb2.ApproveOfferRequest(
            request_id=stage.script.request_id("approve", bic), name=made.name, etag=made.etag
        )
        stage.offers.append(await stage.checkers[bank].call("loans", "ApproveOffer", approve))
    return "all-in " + "; ".join(map(_cost, stage.offers))


def _cost(offer: loans_pb2.Offer) -> str:
    """Returns an offer's cost, as in "banks/LMHFCNB0 4.9465% simple, 5.1108% effective (USD 1,257.41)"."""
    simple, effective = (rpc.to_decimal(rate) for rate in (offer.simple_rate, offer.effective_rate))
    return f"{offer.bank} {simple:.4%} simple, {effective:.4%} effective ({money.from_proto(offer.all_in_cost)})"


async def accept(stage: Stage) -> str:
    """Takes the cheaper offer for the exporter, with a one-time code."""
    cheapest = min(stage.offers, key=lambda offer: rpc.to_decimal(offer.simple_rate))
    loan = await stage.exporter.post(
        f"/v1/{cheapest.name}:accept", {}, stage.script.request_id("accept"), with_code=True
    )
    stage.loan, stage.bank = loan["name"], cheapest.bank
    return f"{cheapest.bank}, {stage.loan}, sealed by the platform"


async def sign(stage: Stage) -> str:
    """Signs exactly the contract's bytes, for the loan's bank."""
    checker = stage.checkers[stage.bank]
    loan = await checker.call("loans", "GetLoan", loans_pb2.GetLoanRequest(name=stage.loan))
    if loan.signature:
        return "signed before"
    request = loans_pb2.SignLoanRequest(
        request_id=stage.script.request_id("sign"),
        name=stage.loan,
        instruction=loan.contract,
        signature=checker.sign(loan.contract),
        etag=loan.etag,
    )
    await checker.call("loans", "SignLoan", request)
    return f"by {checker.person.certificate}, ES256"


async def draw_down(stage: Stage) -> str:
    """Value reserved and confirmed, cover held, the principal paid out."""
    loan = await until(
        lambda: stage.exporter.get(f"/v1/{stage.loan}"),
        lambda entry: entry["state"] in ("ACTIVE", "REPAID", "CLOSED", "CANCELLED"),
    )
    if loan["state"] == "CANCELLED":
        raise AssertionError(loan["cancellationReason"])
    return f"{_text(loan['principal'])} less fee {_text(loan['fee'])}, {loan['encumbrance']}"


async def finance_again(stage: Stage) -> str:
    """Bank B tries the same declaration and learns only what is available to it."""
    item = declarations_pb2.EncumberedValue(asset=stage.script.declaration, amount=money.to_proto(_financed(stage)))
    request = declarations_pb2.ReserveEncumbranceRequest(
        request_id=stage.script.request_id("second financing"),
        encumbrance_id=stage.script.request_id("second encumbrance"),
        encumbrance=declarations_pb2.Encumbrance(asset_class="RECEIVABLE", items=[item]),
    )
    try:
        await stage.systems[f"banks/{OFFERS[1][0]}"].call("declarations", "ReserveEncumbrance", request)
    except RemoteError as refusal:
        available = f"{refusal.metadata.get('currency', '')} {refusal.metadata.get('available', '')}".strip()
        code, reason = refusal.code.name, refusal.reason
        stage.second_financing = {"code": code, "reason": reason, "available": available}
        return f"refused: {code} {reason}, available {available}"
    raise AssertionError("the second bank was not refused")


async def pay(stage: Stage) -> str:
    """Business dates close up to the day on which the buyer pays the whole invoice; bank A receives the pacs.008."""
    bank, value_date = f"banks/{OFFERS[0][0]}", stage.script.today + PAID_AFTER
    await asyncio.to_thread(stage.close_dates, value_date)
    account = await _exporters_account(stage, bank)
    message_id = stage.script.request_id("message")[:30]
    text = Template(world.template("buyer_payment.xml")).substitute(
        message_id=message_id,
        uetr=str(uuid.UUID(bytes=hashlib.sha256(stage.script.story_id.encode()).digest()[:16], version=4)),
        amount=f"{stage.declared_value.major():f}",
        currency=CURRENCY,
        settlement_date=value_date.isoformat(),
        creditor_account=account.removeprefix("accounts/").replace("-", ""),
        remittance=f"Payment for customs declaration {stage.script.declaration_number}",
    )
    request = settlement_pb2.ImportPaymentRequest(request_id=stage.script.request_id("payment"), content=text.encode())
    payment = await stage.systems[bank].call("settlement", "ImportPayment", request)
    stage.payment = payment.name
    return f"{stage.declared_value}, value date {value_date}, UETR {payment.uetr}"


async def _exporters_account(stage: Stage, bank: str) -> str:
    """Returns the exporter's current account at a bank, in the story's currency."""
    listed = await stage.exporter.get("/v1/accounts?pageSize=100")
    for account in listed["accounts"]:
        if (account["bank"], account["currencyCode"], account["kind"]) == (bank, CURRENCY, "CURRENT"):
            return str(account["name"])
    raise AssertionError(f"no {CURRENCY} account at {bank}")


async def settle(stage: Stage) -> str:
    """Matched to the declaration; loan and interest repaid, exposure released, the rest to the exporter."""
    payment = await until(
        lambda: stage.exporter.get(f"/v1/{stage.payment}"), lambda entry: entry["state"] in ("COMPLETED", "UNMATCHED")
    )
    if payment["state"] != "COMPLETED":
        raise AssertionError(str(payment))
    repaid = "; ".join(f"{_text(entry['amount'])} to {entry['bank']}" for entry in payment["collections"])
    return f"{repaid}; {_text(payment['remainder'])} to the exporter"


async def close(stage: Stage) -> str:
    """Waits until the loan is closed, the encumbrance released, the declaration settled, the notice out."""
    loan = await until(lambda: stage.exporter.get(f"/v1/{stage.loan}"), lambda entry: entry["state"] == "CLOSED")
    encumbrance = await stage.exporter.get(f"/v1/{loan['encumbrance']}")
    if encumbrance["state"] != "RELEASED":
        raise AssertionError(f"the encumbrance is {encumbrance['state']}")
    declaration = await stage.exporter.get(f"/v1/{stage.script.declaration}")
    notices = await stage.exporter.get("/v1/notifications?pageSize=10")
    notice = next(entry for entry in notices["notifications"] if entry["payment"] == stage.payment)
    settled = _text(declaration["value"]["settled"])
    return f"encumbrance RELEASED, settled {settled}, camt.054 over {_text(notice['amount'])}"


async def trace(stage: Stage) -> str:
    """Finds one trace across all services, as the operator, once their spans have arrived."""
    await stage.operator.sign_in()
    path = f"/operations/traces/{stage.script.trace_id}.json"

    async def read() -> Any:
        try:
            return await stage.operator.get(path)
        except Refused as refusal:
            if refusal.status != NOT_FOUND:
                raise
            return {"services": []}

    trace = await until(read, lambda found: len(found["services"]) >= len(ALL_SERVICES))
    stage.trace_services = sorted(trace["services"])
    return ", ".join(stage.trace_services)


Step = Callable[[Stage], Awaitable[str]]
STEPS: tuple[tuple[str, Step], ...] = (
    ("declaration", declare),
    ("receipts", send_receipts),
    ("consent", consent),
    ("cover", cover),
    ("application", apply),
    ("offers", quote),
    ("acceptance", accept),
    ("signature", sign),
    ("drawdown", draw_down),
    ("second financing", finance_again),
    ("buyer's payment", pay),
    ("repayment", settle),
    ("release", close),
    ("trace", trace),
)


@dataclass(slots=True)
class Played:
    """The outcome of a story."""

    script: Script
    steps: list[dict[str, Any]] = field(default_factory=list)
    second_financing: dict[str, str] = field(default_factory=dict)
    trace_services: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether every step went as told."""
        return all(step["ok"] for step in self.steps)


async def play(
    script: Script,
    authority: Authority,
    addresses: Addresses,
    close_dates: Callable[[datetime.date], None],
    told: Callable[[dict[str, Any]], None],
) -> Played:
    """Plays all steps in order, up to the first that fails; `told` hears of each as it ends."""
    started = time.monotonic()
    played, stage = Played(script), set_stage(script, authority, addresses, close_dates)
    try:
        for name, step in STEPS:
            result = await _perform(name, step, stage)
            played.steps.append(result)
            told(result)
            if not result["ok"]:
                break
        played.second_financing, played.trace_services = stage.second_financing, stage.trace_services
    finally:
        await stage.close()
    played.seconds = round(time.monotonic() - started, 3)
    return played


async def _perform(name: str, step: Step, stage: Stage) -> dict[str, Any]:
    try:
        return {"name": name, "ok": True, "detail": await step(stage)}
    except Exception as failure:
        return {"name": name, "ok": False, "detail": f"{type(failure).__name__}: {failure}"}
