"""The settlement service as its callers see it: accounts, transfers, payments in and out, orders of other services."""

import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from aval.declarations.v1 import declarations_pb2
from aval.settlement.v1 import settlement_pb2
from aval.type.v1 import derivation_pb2, money_pb2

from chassis import business_date, rpc
from chassis.command import Submission
from chassis.identity import Caller, service_caller
from chassis.status import RemoteError
from chassis.writer import run_batch
from ledger import store as ledger_store
from services.settlement.messages import camt054, pacs008
from services.settlement.service import SERVICE
from tests.support import NOW_US, Stores

BANK, OTHER = "banks/LMHFCNB0", "banks/YUHECNB0"
EXPORTER, RIVAL = "enterprises/91411023MAXY00112A", "enterprises/91410105MAXY002277"
INSURER = "insurers/ZZZZ00HYXB2026000141"


def caller(tenant: str, role: str) -> Caller:
    return Caller(f"{tenant}/{role.lower()}", tenant, frozenset({role}), second_factor=True)


MAKER, SYSTEM, CHECKER = (caller(BANK, role) for role in ("BANK_MAKER", "BANK_SYSTEM", "BANK_CHECKER"))
RIVAL_SYSTEM = caller(OTHER, "BANK_SYSTEM")
WINDOW = caller("window", "WINDOW")
SELLER = caller(EXPORTER, "EXPORTER")


def money(units: int, currency: str = "USD") -> money_pb2.Money:
    return money_pb2.Money(currency_code=currency, minor_units=units)


async def account(
    world: Any, kind: str = "CURRENT", owner: str = EXPORTER, currency: str = "USD", by: Caller = SYSTEM
) -> settlement_pb2.Account:
    asked = settlement_pb2.Account(owner=owner, currency_code=currency, kind=kind)
    found: settlement_pb2.Account = await world.ask("OpenAccount", settlement_pb2.OpenAccountRequest(account=asked), by)
    return found


async def read(world: Any, name: str, by: Caller = SYSTEM) -> settlement_pb2.Account:
    found: settlement_pb2.Account = await world.ask("GetAccount", settlement_pb2.GetAccountRequest(name=name), by)
    return found


def transfer(debit: str, credit: str, units: int, **fields: Any) -> settlement_pb2.Transfer:
    return settlement_pb2.Transfer(debit_account=debit, credit_account=credit, amount=money(units), **fields)


async def move(world: Any, each_transfer: settlement_pb2.Transfer, request_id: str = "", by: Caller = SYSTEM) -> Any:
    return await world.ask(
        "CreateTransfer", settlement_pb2.CreateTransferRequest(request_id=request_id, transfer=each_transfer), by
    )


async def customer(world: Any, units: int) -> settlement_pb2.Account:
    """A fresh customer's account with money on it."""
    owner = f"enterprises/{uuid.uuid4().hex[:18].upper()}"
    nostro, current = await account(world, "NOSTRO", BANK), await account(world, owner=owner)
    if units:
        await move(world, transfer(nostro.name, current.name, units))
    return current


async def consented(world: Any, enterprise: str = EXPORTER, institution: str = BANK, *purposes: str) -> Any:
    """The enterprise lets an institution see its declarations, for the usual purposes or those named."""
    consent = declarations_pb2.Consent(institution=institution, purpose="trade finance", purposes=purposes)
    consent.expire_time.FromDatetime(datetime.now(UTC) + timedelta(hours=1))
    request = declarations_pb2.CreateConsentRequest(consent=consent)
    return await world.ask("CreateConsent", request, caller(enterprise, "EXPORTER"), "declarations")


async def declared(world: Any, enterprise: str = EXPORTER, units: int = 100_000) -> str:
    """A fresh declaration's number; its exporter lets the bank settle it."""
    number: str = await world.declared(enterprise, units)
    return number


def pacs(
    creditor_account: str,
    units: int,
    remittance: str,
    uetr: str = "",
    currency: str = "USD",
    value_date: date | None = None,
    agent_bic: str = "LMHFCNB0",
) -> bytes:
    return pacs008.build(
        pacs008.CreditTransfer(
            message_id="M1",
            uetr=uetr or str(uuid.uuid4()),
            end_to_end_id="E1",
            currency_code=currency,
            minor_units=units,
            settlement_date=value_date or datetime.now(UTC).date(),
            debtor_name="Buyer",
            debtor_agent_bic="BUYRUS30",
            creditor_name="Seller",
            creditor_account=creditor_account,
            creditor_agent_bic=agent_bic,
            remittance_information=remittance,
        ),
        datetime.now(UTC),
    )


async def imported(world: Any, content: bytes, request_id: str = "") -> settlement_pb2.IncomingPayment:
    request = settlement_pb2.ImportPaymentRequest(request_id=request_id, content=content)
    payment: settlement_pb2.IncomingPayment = await world.ask("ImportPayment", request, SYSTEM)
    return payment


def state(payment: settlement_pb2.IncomingPayment) -> str:
    return settlement_pb2.IncomingPayment.State.Name(payment.state)


async def test_an_account_is_opened_once(world: Any) -> None:
    first, again = await account(world), await account(world, by=MAKER)
    assert first.name == again.name
    assert first.bank == BANK
    assert (await account(world, currency="EUR")).name != first.name
    assert (await account(world, by=RIVAL_SYSTEM)).name != first.name


async def test_an_account_that_does_not_fit_tells_all_problems(world: Any) -> None:
    asked = settlement_pb2.Account(owner=EXPORTER, currency_code="XXQ", kind="NOSTRO")
    refusal = await world.refused("OpenAccount", settlement_pb2.OpenAccountRequest(account=asked), SYSTEM)
    assert {(p.path, p.reason) for p in refusal.problems} == {
        ("account.currency_code", "CURRENCY_UNKNOWN"),
        ("account.owner", "OWNER_DOESNT_FIT"),
    }


async def test_only_owner_and_bank_see_an_account(world: Any) -> None:
    current = await account(world)
    for by in (SELLER, MAKER):
        assert (await read(world, current.name, by)).name == current.name
    for by in (RIVAL_SYSTEM, caller(RIVAL, "EXPORTER")):
        refusal = await world.refused("GetAccount", settlement_pb2.GetAccountRequest(name=current.name), by)
        assert refusal.reason == "NOT_FOUND"
        refusal = await world.refused("ListTransfers", settlement_pb2.ListTransfersRequest(account=current.name), by)
        assert refusal.reason == "NOT_FOUND"


async def test_a_transfer_replayed_is_the_same_transfer(world: Any) -> None:
    paying, paid, identifier = await customer(world, 500), await customer(world, 0), str(uuid.uuid4())
    first = await move(world, transfer(paying.name, paid.name, 200), identifier)
    again = await move(world, transfer(paying.name, paid.name, 200), identifier.upper())
    assert first == again
    assert first.position > 0
    refusal = await refused_transfer(world, transfer(paying.name, paid.name, 201), identifier)
    assert refusal.reason == "REQUEST_ID_REUSED"
    assert (await read(world, paid.name)).posted.minor_units == 200


async def refused_transfer(
    world: Any, each_transfer: settlement_pb2.Transfer, request_id: str = "", by: Caller = SYSTEM
) -> Any:
    request = settlement_pb2.CreateTransferRequest(request_id=request_id, transfer=each_transfer)
    return await world.refused("CreateTransfer", request, by)


async def test_a_refusal_is_remembered(world: Any) -> None:
    paying, paid, identifier = await customer(world, 0), await customer(world, 0), str(uuid.uuid4())
    each_transfer = transfer(paying.name, paid.name, 50)
    assert (await refused_transfer(world, each_transfer, identifier)).metadata["result"] == "EXCEEDS_CREDITS"
    nostro = await account(world, "NOSTRO", BANK)
    await move(world, transfer(nostro.name, paying.name, 100))
    assert (await refused_transfer(world, each_transfer, identifier)).metadata["result"] == "EXCEEDS_CREDITS"
    await move(world, each_transfer)


async def test_a_bank_moves_only_what_it_keeps(world: Any) -> None:
    paying, paid = await customer(world, 500), await customer(world, 0)
    abroad = await account(world, by=RIVAL_SYSTEM)
    suspense = await account(world, "SUSPENSE", BANK)
    for debit, credit, by, result in (
        (paying.name, abroad.name, SYSTEM, "CREDIT_ACCOUNT_NOT_FOUND"),
        (paying.name, abroad.name, RIVAL_SYSTEM, "DEBIT_ACCOUNT_NOT_FOUND"),
        (paying.name, paid.name, RIVAL_SYSTEM, "DEBIT_ACCOUNT_NOT_FOUND"),
        (paying.name, suspense.name, SYSTEM, "CREDIT_ACCOUNT_NOT_FOUND"),
        (paying.name, "accounts/'; {}", SYSTEM, "CREDIT_ACCOUNT_NOT_FOUND"),
    ):
        refusal = await refused_transfer(world, transfer(debit, credit, 1), by=by)
        assert refusal.metadata["result"] == result
    assert (await read(world, paying.name)).available.minor_units == 500


async def test_a_hold_counts_until_its_bank_posts_or_voids_it(world: Any) -> None:
    paying, paid, hold = await customer(world, 500), await customer(world, 0), str(uuid.uuid4())
    await move(world, transfer(paying.name, paid.name, 300, kind="PENDING"), hold)
    held = await read(world, paying.name)
    assert (held.posted.minor_units, held.available.minor_units) == (500, 200)
    post = settlement_pb2.Transfer(kind="POST_PENDING", pending_id=hold, amount=money(100))
    assert (await refused_transfer(world, post, by=RIVAL_SYSTEM)).metadata["result"] == "PENDING_NOT_FOUND"
    wrong = settlement_pb2.Transfer(kind="POST_PENDING", pending_id=hold, amount=money(100, "EUR"))
    assert (await refused_transfer(world, wrong)).problems[0].path == "transfer.amount"
    await move(world, post)
    after = await read(world, paying.name)
    assert (after.posted.minor_units, after.available.minor_units) == (400, 400)


@pytest.mark.parametrize(
    ("spoil", "path"),
    [
        (lambda entry: setattr(entry, "transfer_id", "x"), "transfer_id"),
        (lambda entry: setattr(entry, "pending_id", "{}"), "pending_id"),
        (lambda entry: setattr(entry, "kind", 77), "kind"),
        (lambda entry: setattr(entry, "reference", "\0"), "reference"),
        (lambda entry: setattr(entry, "timeout_seconds", 2**60), "timeout_seconds"),
        (lambda entry: setattr(entry.amount, "currency_code", "EUR"), "amount"),
    ],
)
async def test_a_malformed_row_refuses_its_batch(world: Any, spoil: Callable[[Any], None], path: str) -> None:
    paying, paid = await customer(world, 500), await customer(world, 0)
    rows = [transfer(paying.name, paid.name, 5, transfer_id=str(uuid.uuid4())) for _ in range(3)]
    spoil(rows[1])
    refusal = await world.refused(
        "BatchCreateTransfers", settlement_pb2.BatchCreateTransfersRequest(transfers=rows), SYSTEM
    )
    assert {p.path for p in refusal.problems} == {f"transfers[1].{path}"}
    assert (await read(world, paid.name)).posted.minor_units == 0


async def test_each_transfer_of_a_batch_has_its_verdict_and_chains_stand_or_fall_together(world: Any) -> None:
    paying, paid = await customer(world, 500), await customer(world, 0)
    plan = [(100, False), (100, True), (9999, False), (200, True), (150, False), (100, False)]
    rows = [
        transfer(paying.name, paid.name, units, transfer_id=str(uuid.uuid4()), linked=linked) for units, linked in plan
    ]
    request = settlement_pb2.BatchCreateTransfersRequest(request_id=str(uuid.uuid4()), transfers=rows)
    answer = await world.ask("BatchCreateTransfers", request, SYSTEM)
    results = [verdict.result for verdict in answer.verdicts]
    assert results == ["OK", "LINKED_TRANSFER_FAILED", "EXCEEDS_CREDITS", "OK", "OK", "EXCEEDS_CREDITS"]
    assert await world.ask("BatchCreateTransfers", request, SYSTEM) == answer
    other = settlement_pb2.BatchCreateTransfersRequest(transfers=rows[:1])
    again = (await world.ask("BatchCreateTransfers", other, SYSTEM)).verdicts[0]
    assert (again.result, again.position) == ("EXISTS", answer.verdicts[0].position)
    assert (await read(world, paid.name)).posted.minor_units == 450


async def test_pages_of_an_accounts_lines(world: Any) -> None:
    paying, paid = await customer(world, 500), await customer(world, 0)
    for units in range(1, 6):
        await move(world, transfer(paying.name, paid.name, units))
    request = settlement_pb2.ListTransfersRequest(account=paid.name, page_size=2)
    amounts = []
    while True:
        page = await world.ask("ListTransfers", request, SYSTEM)
        amounts += [entry.amount.minor_units for entry in page.transfers]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert amounts == [5, 4, 3, 2, 1]


def day(message: Any) -> date:
    """Returns a date of the wire."""
    return date(message.year, message.month, message.day)


async def test_a_line_shows_when_it_was_booked_and_from_when_it_counts(world: Any) -> None:
    current = await account(world)
    earlier = datetime.now(UTC).date() - timedelta(days=2)
    number = current.name.removeprefix("accounts/")
    payment = await prepared(world, "Credit", await imported(world, pacs(number, 250, "a fee", value_date=earlier)))
    await world.ask("ApproveIncomingPayment", approval(payment), CHECKER)
    made = await move(world, transfer(current.name, (await customer(world, 0)).name, 50))
    page = await world.ask("ListTransfers", settlement_pb2.ListTransfersRequest(account=current.name), SYSTEM)
    ordered, credited = page.transfers[:2]
    days = {business_date.day(entry.create_time.ToMicroseconds()) for entry in (ordered, credited)}
    assert {day(ordered.booking_date), day(ordered.value_date), day(credited.booking_date)} <= days
    assert day(credited.value_date) == earlier
    assert (made.booking_date, made.value_date) == (ordered.booking_date, ordered.value_date)


async def test_a_payment_finds_its_declaration_and_reaches_the_exporter(world: Any) -> None:
    current, number = await account(world), await declared(world)
    before = (await read(world, current.name)).posted.minor_units
    content = pacs(current.name.removeprefix("accounts/"), 60_000, f"Payment for declaration {number}")
    identifier = str(uuid.uuid4())
    payment = await imported(world, content, identifier)
    assert await imported(world, content, identifier) == payment
    assert state(payment) == "RECEIVED"
    done = await world.until(payment.name, "COMPLETED", SYSTEM)
    assert (done.declaration, done.enterprise, done.reason) == (f"declarations/{number}", EXPORTER, "")
    assert done.remainder == money(60_000)
    assert (await read(world, current.name)).posted.minor_units == before + 60_000
    name = f"declarations/{number}"
    seen = await world.ask("GetDeclaration", declarations_pb2.GetDeclarationRequest(name=name), SELLER, "declarations")
    assert seen.value.settled == money(60_000)
    await assert_notified(world, done)
    assert world.violations() == []


async def assert_notified(world: Any, payment: settlement_pb2.IncomingPayment) -> None:
    """The exporter and the bank see one camt.054 of the payment; another bank doesn't."""
    request = settlement_pb2.ListNotificationsRequest(page_size=500)
    for by, count in ((SELLER, 1), (SYSTEM, 1), (RIVAL_SYSTEM, 0)):
        listed = (await world.ask("ListNotifications", request, by)).notifications
        mine = [entry for entry in listed if entry.payment == payment.name]
        assert len(mine) == count
        for row in mine:
            message, problems = camt054.parse(row.content)
            assert problems == []
            assert message is not None
            assert [(entry.uetr, entry.minor_units) for entry in message.entries] == [(payment.uetr, 60_000)]


async def test_a_payment_counts_once(world: Any) -> None:
    current, uetr = await account(world), str(uuid.uuid4())
    await imported(world, pacs(current.name, 100, "no number", uetr))
    request = settlement_pb2.ImportPaymentRequest(content=pacs(current.name, 100, "no number", uetr))
    assert (await world.refused("ImportPayment", request, SYSTEM)).reason == "UETR_KNOWN"


async def test_a_uetr_is_unique_to_its_bank(world: Any) -> None:
    """One payment passes through two banks of the platform, each of which books it."""
    uetr = str(uuid.uuid4())
    first = await imported(world, pacs((await account(world)).name, 100, "no number", uetr))
    elsewhere = await account(world, by=RIVAL_SYSTEM)
    content = pacs(elsewhere.name, 100, "no number", uetr, agent_bic="YUHECNB0")
    request = settlement_pb2.ImportPaymentRequest(content=content)
    second = await world.ask("ImportPayment", request, RIVAL_SYSTEM)
    assert (first.uetr, first.name != second.name) == (second.uetr, True)
    again = settlement_pb2.ImportPaymentRequest(content=content)
    assert (await world.refused("ImportPayment", again, RIVAL_SYSTEM)).reason == "UETR_KNOWN"


@pytest.mark.parametrize(
    ("creditor", "currency", "reason"),
    [
        ("theirs", "USD", "CREDITOR_ACCOUNT_UNKNOWN"),
        ("nostro", "USD", "CREDITOR_ACCOUNT_UNKNOWN"),
        ("6222000011112222", "USD", "CREDITOR_ACCOUNT_UNKNOWN"),
        ("mine", "EUR", "CURRENCY_DIFFERS"),
    ],
)
async def test_a_payment_that_credits_no_customer(world: Any, creditor: str, currency: str, reason: str) -> None:
    names = {
        "mine": (await account(world)).name,
        "theirs": (await account(world, by=RIVAL_SYSTEM)).name,
        "nostro": (await account(world, "NOSTRO", BANK)).name,
    }
    content = pacs(names.get(creditor, creditor), 100, "", currency=currency)
    refusal = await world.refused("ImportPayment", settlement_pb2.ImportPaymentRequest(content=content), SYSTEM)
    assert [problem.reason for problem in refusal.problems] == [reason]


async def test_all_problems_of_a_message_at_once(world: Any) -> None:
    content = pacs("x", 100, "").replace(b"BUYRUS30", b"nobody").replace(b"<UETR>", b"<UETR>0")
    refusal = await world.refused("ImportPayment", settlement_pb2.ImportPaymentRequest(content=content), SYSTEM)
    assert {problem.reason for problem in refusal.problems} == {"BIC_INVALID", "UETR_INVALID"}


async def test_an_unmatched_payment_goes_on_by_hand(world: Any) -> None:
    current, mine = await account(world), await declared(world)
    theirs = await declared(world, RIVAL)
    payment = await imported(world, pacs(current.name, 700, f"for {theirs}"))
    parked = await world.until(payment.name, "UNMATCHED", SYSTEM)
    assert (parked.reason, parked.declaration) == ("DECLARATION_NOT_FOUND", "")
    assert world.violations() == []
    request = settlement_pb2.MatchIncomingPaymentRequest(name=payment.name, declaration=f"declarations/{mine}")
    foreign = caller(OTHER, "BANK_MAKER")
    assert (await world.refused("MatchIncomingPayment", request, foreign)).reason == "NOT_FOUND"
    request.request_id = ""
    await world.ask("MatchIncomingPayment", request, MAKER)
    assert (await world.until(payment.name, "COMPLETED", SYSTEM)).declaration == f"declarations/{mine}"
    request.request_id = ""
    assert (await world.refused("MatchIncomingPayment", request, MAKER)).reason == "WRONG_STATE"


async def test_a_payment_without_a_number_waits_for_a_person(world: Any) -> None:
    current = await account(world)
    payment = await imported(world, pacs(current.name, 700, "thanks"))
    assert (state(payment), payment.reason) == ("UNMATCHED", "DECLARATION_MISSING")
    listed = await world.ask("ListIncomingPayments", settlement_pb2.ListIncomingPaymentsRequest(), SELLER)
    assert payment.name in [entry.name for entry in listed.incoming_payments]
    refusal = await world.refused(
        "GetIncomingPayment", settlement_pb2.GetIncomingPaymentRequest(name=payment.name), RIVAL_SYSTEM
    )
    assert refusal.reason == "NOT_FOUND"
    assert world.violations() == []


async def test_who_gave_no_consent_looks_like_who_does_not_exist(world: Any) -> None:
    """A bank pays a cent for a declaration that it may not know of: it learns no more than of a number nobody has."""
    current, theirs = await account(world), await declared(world, RIVAL)
    mine = await declared(world)
    listed = await world.ask(
        "ListConsents", declarations_pb2.ListConsentsRequest(page_size=500), SELLER, "declarations"
    )
    for consent in listed.consents:
        if consent.institution == BANK:
            revoke = declarations_pb2.RevokeConsentRequest(name=consent.name)
            await world.ask("RevokeConsent", revoke, SELLER, "declarations")
    await consented(world, EXPORTER, BANK, "FINANCING")
    told = []
    for number in (mine, theirs, f"460120260{uuid.uuid4().int % 10**9:09}"):
        payment = await imported(world, pacs(current.name, 1, f"for {number}"))
        parked = await world.until(payment.name, "UNMATCHED", SYSTEM)
        told.append((parked.reason, parked.declaration, list(parked.parts), list(parked.collections)))
    assert told == [("DECLARATION_NOT_FOUND", "", [], [])] * 3
    await consented(world)


@pytest.mark.parametrize(
    ("days", "reason"), [(-400, "VALUE_DATE_TOO_EARLY"), (-20, "VALUE_DATE_TOO_EARLY"), (20, "VALUE_DATE_TOO_LATE")]
)
async def test_a_value_date_lies_within_the_bounds(world: Any, days: int, reason: str) -> None:
    value_date = datetime.now(UTC).date() + timedelta(days=days)
    content = pacs((await account(world)).name, 100, "", value_date=value_date)
    refusal = await world.refused("ImportPayment", settlement_pb2.ImportPaymentRequest(content=content), SYSTEM)
    assert [(problem.path.rpartition("/")[2], problem.reason) for problem in refusal.problems] == [
        ("IntrBkSttlmDt", reason)
    ]


async def unmatched(world: Any, units: int = 700) -> settlement_pb2.IncomingPayment:
    """A payment for no declaration."""
    return await imported(world, pacs((await account(world)).name, units, "a trade fair's fee"))


async def prepared(world: Any, outlet: str, payment: settlement_pb2.IncomingPayment) -> Any:
    """Prepares a payment's way out, by the maker."""
    kind = getattr(settlement_pb2, f"{outlet}IncomingPaymentRequest")
    return await world.ask(f"{outlet}IncomingPayment", kind(name=payment.name, reason="no declaration"), MAKER)


def approval(payment: settlement_pb2.IncomingPayment) -> settlement_pb2.ApproveIncomingPaymentRequest:
    """Returns the approval of what was prepared last."""
    return settlement_pb2.ApproveIncomingPaymentRequest(name=payment.name, etag=payment.etag)


@pytest.mark.parametrize(("outlet", "ended", "credited"), [("Credit", "CREDITED", 700), ("Return", "RETURNED", 0)])
async def test_money_for_no_declaration_is_credited_or_returned_by_two_persons(
    world: Any, outlet: str, ended: str, credited: int
) -> None:
    payment, current = await unmatched(world), await account(world)
    before = (await read(world, current.name)).posted.minor_units
    assert (await world.refused("ApproveIncomingPayment", approval(payment), CHECKER)).reason == "NOTHING_PREPARED"
    waiting = await prepared(world, outlet, payment)
    assert (state(waiting), waiting.resolution.maker) == ("UNMATCHED", MAKER.principal)
    both = Caller(MAKER.principal, BANK, frozenset({"BANK_MAKER", "BANK_CHECKER"}), second_factor=True)
    assert (await world.refused("ApproveIncomingPayment", approval(waiting), both)).reason == "SAME_PERSON"
    assert (await world.refused("ApproveIncomingPayment", approval(payment), CHECKER)).reason == "ETAG_MISMATCH"
    done = await world.ask("ApproveIncomingPayment", approval(waiting), CHECKER)
    assert (state(done), done.resolution.checker) == (ended, CHECKER.principal)
    assert (await read(world, current.name)).posted.minor_units == before + credited
    again = await world.refused("ApproveIncomingPayment", approval(done), CHECKER)
    assert again.reason in ("WRONG_STATE", "NOTHING_PREPARED")
    assert world.violations() == []


async def test_a_rejected_resolution_leaves_the_payment_to_be_matched(world: Any) -> None:
    payment, number = await unmatched(world), await declared(world)
    waiting = await prepared(world, "Return", payment)
    reject = settlement_pb2.RejectIncomingPaymentRequest(name=payment.name, etag=waiting.etag)
    rejected = await world.ask("RejectIncomingPayment", reject, CHECKER)
    assert not rejected.HasField("resolution")
    match = settlement_pb2.MatchIncomingPaymentRequest(name=payment.name, declaration=f"declarations/{number}")
    await world.ask("MatchIncomingPayment", match, MAKER)
    done = await world.until(payment.name, "COMPLETED", SYSTEM)
    assert done.declaration == f"declarations/{number}"
    for outlet in ("Credit", "Return"):
        kind = getattr(settlement_pb2, f"{outlet}IncomingPaymentRequest")
        refusal = await world.refused(f"{outlet}IncomingPayment", kind(name=payment.name, reason="late"), MAKER)
        assert refusal.reason == "WRONG_STATE"


async def test_a_payment_is_divided_over_its_declarations(world: Any) -> None:
    current, first, second = await account(world), await declared(world), await declared(world, units=50_000)
    payment = await imported(world, pacs(current.name, 90_000, f"for {first} and {second}"))
    done = await world.until(payment.name, "COMPLETED", SYSTEM)
    assert [(part.declaration, part.amount) for part in done.parts] == [
        (f"declarations/{first}", money(60_000)),
        (f"declarations/{second}", money(30_000)),
    ]
    assert (done.declaration, done.remainder) == ("", money(90_000))
    request = derivation_pb2.ExplainRequest(name=payment.name, field="parts")
    told = {
        explanation.field: explanation for explanation in (await world.ask("Explain", request, SYSTEM)).explanations
    }
    results = {field: explanation.derivation.result.money for field, explanation in told.items()}
    assert results == {f"parts[{part.declaration}].amount": part.amount for part in done.parts}
    assert f"declarations/{second}: value.unpaid" in told[f"parts[declarations/{first}].amount"].text
    assert world.violations() == []


async def test_a_person_names_several_declarations(world: Any) -> None:
    payment, numbers = await unmatched(world), [await declared(world) for _ in range(2)]
    names = [f"declarations/{number}" for number in numbers]
    for name, several in (("", []), (names[0], names)):
        request = settlement_pb2.MatchIncomingPaymentRequest(name=payment.name, declaration=name, declarations=several)
        refusal = await world.refused("MatchIncomingPayment", request, MAKER)
        assert [problem.reason for problem in refusal.problems] == ["DECLARATION_REQUIRED"]
    request = settlement_pb2.MatchIncomingPaymentRequest(name=payment.name, declarations=names)
    await world.ask("MatchIncomingPayment", request, MAKER)
    done = await world.until(payment.name, "COMPLETED", SYSTEM)
    assert [part.amount for part in done.parts] == [money(350), money(350)]


async def encumbered(world: Any, number: str, reference: str, units: int) -> None:
    """The bank holds finance on a declaration whose goods have left."""
    code = declarations_pb2.Receipt(declaration_number=number, channel_code="R")
    code.notice_time.GetCurrentTime()
    receipts = declarations_pb2.BatchCreateReceiptsRequest(receipts=[code])
    await world.ask("BatchCreateReceipts", receipts, WINDOW, "declarations")
    item = declarations_pb2.EncumberedValue(asset=f"declarations/{number}", amount=money(units))
    asked = declarations_pb2.Encumbrance(asset_class="RECEIVABLE", items=[item], reference=reference)
    reserve = declarations_pb2.ReserveEncumbranceRequest(encumbrance_id=str(uuid.uuid4()), encumbrance=asked)
    held = await world.ask("ReserveEncumbrance", reserve, SYSTEM, "declarations")
    confirm = declarations_pb2.ConfirmEncumbranceRequest(name=held.name)
    await world.ask("ConfirmEncumbrance", confirm, SYSTEM, "declarations")


async def test_what_no_loan_takes_is_the_exporters(world: Any) -> None:
    """The register names a loan that the lenders' book doesn't know: it owes nothing."""
    current, number = await account(world), await declared(world)
    before = (await read(world, current.name)).posted.minor_units
    await encumbered(world, number, "loans/loan-unknown", 50_000)
    payment = await imported(world, pacs(current.name, 70_000, number))
    done = await world.until(payment.name, "COMPLETED", SYSTEM)
    assert (list(done.collections), done.remainder) == ([], money(70_000))
    assert (await read(world, current.name)).posted.minor_units == before + 70_000
    assert world.violations() == []


async def test_a_payment_out_is_held_then_sent(world: Any) -> None:
    current = await customer(world, 900)
    seller = caller(current.owner, "EXPORTER")
    asked = settlement_pb2.OutgoingPayment(
        debit_account=current.name, amount=money(800), creditor_name="Mill", creditor_account="DE02120300000000202051",
        creditor_agent_bic="BYLADEM1001", creditor_town="Berlin", creditor_country="DE", remittance_information="Yarn",
    )  # fmt: skip
    prepared = await world.ask(
        "CreateOutgoingPayment", settlement_pb2.CreateOutgoingPaymentRequest(payment=asked), seller
    )
    held = await read(world, current.name)
    assert (held.posted.minor_units, held.available.minor_units) == (900, 100)
    request = settlement_pb2.CreateOutgoingPaymentRequest(payment=asked)
    assert (await world.refused("CreateOutgoingPayment", request, seller)).reason == "INSUFFICIENT_FUNDS"
    approve = settlement_pb2.ApproveOutgoingPaymentRequest(name=prepared.name, etag=prepared.etag)
    assert (await world.refused("ApproveOutgoingPayment", approve, seller)).reason == "ACCESS_DENIED"
    approve.request_id = ""
    sent = await world.ask("ApproveOutgoingPayment", approve, CHECKER)
    message, problems = pacs008.parse(sent.message)
    assert problems == []
    assert message is not None
    assert (message.uetr, message.minor_units, message.creditor_town) == (prepared.uetr, 800, "Berlin")
    assert (await read(world, current.name)).posted.minor_units == 100
    again = settlement_pb2.ApproveOutgoingPaymentRequest(name=prepared.name)
    assert (await world.refused("ApproveOutgoingPayment", again, CHECKER)).reason == "WRONG_STATE"


async def test_a_loan_is_paid_out_once(world: Any) -> None:
    owner, loan = f"enterprises/{uuid.uuid4().hex[:18].upper()}", f"loans/loan-{uuid.uuid4().hex}"
    lending = await account(world, "LENDING", BANK)
    income = await account(world, "INCOME", BANK)
    asked = settlement_pb2.DisburseRequest(loan=loan, bank=BANK, enterprise=owner, amount=money(990), fee=money(10))
    first = await world.order("Disburse", asked)
    asked.request_id = ""
    assert await world.order("Disburse", asked) == first
    paid = [(await read(world, name)).posted.minor_units for name in (lending.name, income.name)]
    assert [
        now - each_account.posted.minor_units for now, each_account in zip(paid, (lending, income), strict=True)
    ] == [1000, 10]
    assert (await account(world, owner=owner)).posted.minor_units == 990
    asked.request_id, asked.amount.minor_units = "", 991
    with pytest.raises(RemoteError) as caught:
        await world.order("Disburse", asked)
    assert caught.value.metadata["result"] == "EXISTS_WITH_DIFFERENT_CONTENT"


def test_an_answer_says_on_which_date_a_loan_was_paid_out(store: Stores) -> None:
    """However late the caller asks again, and under whatever id, it is told the day on which the money moved."""
    database = store(SERVICE.name, SERVICE.migrations)

    def paid_out(days: int) -> Any:
        asked = settlement_pb2.DisburseRequest(request_id=str(uuid.uuid4()), loan="loans/loan-1", bank=BANK)
        asked.enterprise = f"enterprises/{'9' * 18}"
        asked.amount.CopyFrom(money(990))
        asked.fee.CopyFrom(money(10))
        now_us = NOW_US + days * 86_400_000_000
        caller, operation = service_caller("loans"), SERVICE.operation("Disburse")
        work = Submission(operation, caller, asked, asked.request_id, now_us, uuid.uuid4().bytes)
        return run_batch(database, [work])[work]

    first = paid_out(0)
    assert rpc.to_date(first.booking_date) == date(2027, 1, 15)
    assert paid_out(7) == first


async def test_internal_methods_do_not_exist_at_the_door(world: Any) -> None:
    asked = settlement_pb2.DisburseRequest(
        loan="loans/x", bank=BANK, enterprise=EXPORTER, amount=money(990), fee=money(10)
    )
    assert (await world.refused("Disburse", asked, SYSTEM)).reason == "NOT_FOUND"


async def test_a_premium_comes_from_the_oldest_account_that_has_enough(world: Any) -> None:
    poor = await customer(world, 5)
    rich = await account(world, owner=poor.owner, by=RIVAL_SYSTEM)
    nostro = await account(world, "NOSTRO", OTHER, by=RIVAL_SYSTEM)
    await move(world, transfer(nostro.name, rich.name, 100), by=RIVAL_SYSTEM)
    shipment = f"coveredShipments/shipment-{uuid.uuid4().hex}"

    def premium(units: int, owner: str = poor.owner) -> settlement_pb2.CollectPremiumRequest:
        return settlement_pb2.CollectPremiumRequest(
            covered_shipment=shipment, insurer=INSURER, enterprise=owner, amount=money(units)
        )

    for asked, reason in (
        (premium(101), "INSUFFICIENT_FUNDS"),
        (premium(1, "enterprises/NOBODY000"), "ACCOUNT_MISSING"),
    ):
        with pytest.raises(RemoteError) as caught:
            await world.order("CollectPremium", asked)
        assert caught.value.reason == reason
    first = await world.order("CollectPremium", premium(40))
    assert await world.order("CollectPremium", premium(40)) == first
    assert (await read(world, rich.name, RIVAL_SYSTEM)).posted.minor_units == 60
    assert (await read(world, poor.name)).posted.minor_units == 5


async def test_books_balance_and_states_agree_with_the_ledger(world: Any) -> None:
    """Last: over all that the tests above left behind."""
    assert world.violations() == []
    with world.node.store.read() as connection:
        books = ledger_store.books(connection)
    assert books
    assert all(book.debits == book.credits for book in books)
