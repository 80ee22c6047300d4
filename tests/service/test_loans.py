"""The loans service on both databases: every command in its writer, the saga by the outcomes of its calls."""

import dataclasses
import datetime
import itertools
import uuid
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from aval.credit_insurance.v1 import credit_insurance_pb2
from aval.declarations.v1 import declarations_pb2
from aval.loans.v1 import loans_pb2
from aval.settlement.v1 import settlement_pb2
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from google.protobuf.message import Message
from google.type import date_pb2, decimal_pb2

from chassis import business_date, eventlog, fields, money, signatures, tasks
from chassis.command import Submission
from chassis.database import Database
from chassis.errors import DomainError, NotFound
from chassis.identity import Caller, caller_from_text, service_caller
from chassis.ids import derived
from chassis.money import Money
from chassis.service import Reading
from chassis.tables import events
from chassis.writer import run_batch
from ledger.tables import transfers
from services.loans import errors, tables
from services.loans.explaining import EXPLAINING
from services.loans.loan import plan
from services.loans.loan.store import LOANS
from services.loans.service import SERVICE
from tests import derivation_walk
from tests.support import begin, scalar, seeded_random
from trade.calendars import CHINA
from trade.derivations import store as derivation_store

NOW_US = 1_800_000_000_000_000
DAY_US = 86_400_000_000
EXPORTER = "enterprises/91410100MA44LOANS1"
DECLARATION = "declarations/464120260000000001"
SECOND = "declarations/464120260000000002"


def key_pair() -> tuple[bytes, str]:
    """A signing key and its public half, PEM."""
    key = ed25519.Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private, public.decode()


PLATFORM_KEY, PLATFORM_PUBLIC = key_pair()
BANK_KEY, BANK_PUBLIC = key_pair()


def seal(content: bytes) -> str:
    """The platform's seal in these tests."""
    return signatures.sign(content, PLATFORM_KEY, "services/loans")


def person(tenant: str, name: str, *roles: str, public_key: str = "") -> Caller:
    """Someone of a tenant."""
    return Caller(f"{tenant}/{name}", tenant, frozenset(roles), "", True, public_key)


EXPORTER_CALLER = person(EXPORTER, "wang", "EXPORTER")
STRANGER = person("enterprises/91410100MA44OTHERX", "li", "EXPORTER")
BANKS = ("banks/ABCDCNBA", "banks/EFGHCNBB")
MAKER, OTHER_MAKER = (person(bank, "maker", "BANK_MAKER") for bank in BANKS)
CHECKER, OTHER_CHECKER = (person(bank, "checker", "BANK_CHECKER", public_key=BANK_PUBLIC) for bank in BANKS)
SETTLEMENT, OTHERS = (service_caller("settlement", "settlement", bank) for bank in BANKS)


def usd(minor_units: int) -> Any:
    """Dollars on the wire, in cents."""
    return money.to_proto(Money("USD", minor_units))


def day(text: str) -> date_pb2.Date:
    """A day on the wire."""
    year, month, number = map(int, text.split("-"))
    return date_pb2.Date(year=year, month=month, day=number)


class Room:
    """The service's functions over one store, with a clock that stands still."""

    def __init__(self, database: Database) -> None:
        self.database, self.now_us = database, NOW_US
        self._seeds = itertools.count()
        self._settle = tasks.settle_operation(SERVICE.sagas)

    def call(self, method: str, caller: Caller, **fields: Any) -> Any:
        """A command by a caller. Raises its refusal."""
        request = SERVICE.contract.request(method)(request_id=str(uuid.uuid4()), **fields)
        return self.submit(method, caller, request)

    def submit(self, method: str, caller: Caller, request: Any) -> Any:
        """A request as it is."""
        return self._run(
            Submission(
                SERVICE.operation(method), caller, request, request.request_id, self.now_us, self._seed(), seal=seal
            )
        )

    def read(self, method: str, caller: Caller, **fields: Any) -> Any:
        """A read by a caller."""
        with self.database.read() as connection:
            request = SERVICE.contract.request(method)(**fields)
            return SERVICE.reads[method](Reading(connection, caller, self.now_us), request)

    def due(self) -> list[tasks.Task]:
        """The calls that are owed."""
        with self.database.read() as connection:
            return tasks.due(connection, self.now_us)

    def answer(self, outcome: Message | DomainError) -> tasks.Task:
        """Gives the one call owed its outcome; the call."""
        (task,) = self.due()
        self.settle(task, outcome)
        return task

    def settle(self, task: tasks.Task, outcome: Message | DomainError) -> None:
        """Brings a task's outcome, be it current or late."""
        self._run(tasks.settlement(self._settle, task, outcome, self.now_us, self._seed()))

    def sweep(self) -> None:
        """Does what is due by the clock."""
        for sweep in SERVICE.sweeps:
            with self.database.write() as connection:
                operation = SERVICE.operation("CreateApplication")
                submission = Submission(operation, SETTLEMENT, None, "", self.now_us, self._seed())
                sweep(submission.transaction(connection, business_date.present(connection, self.now_us)))

    def violations(self) -> list[str]:
        """Returns what the service's own proof and its tasks' find wrong."""
        with self.database.read() as connection:
            return [*SERVICE.violations(connection), *tasks.violations(connection, SERVICE.sagas)]

    def _seed(self) -> bytes:
        return f"seed {next(self._seeds)}".encode()

    def _run(self, submission: Submission) -> Any:
        outcome = run_batch(self.database, [submission])[submission]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@pytest.fixture
def room(database_url: str) -> Iterator[Room]:
    database = Database(database_url, "loans")
    begin(database, SERVICE.migrations, seeded_random(1), SERVICE.prepare)
    yield Room(database)
    database.close()


def application(**changes: Any) -> loans_pb2.Application:
    """A valid application."""
    fields: dict[str, Any] = {
        "declarations": [DECLARATION],
        "amount": usd(80_000_00),
        "tenor_days": 90,
        "banks": BANKS,
    }
    return loans_pb2.Application(**{**fields, **changes})


def offer(application_name: str, **changes: Any) -> loans_pb2.Offer:
    """A valid offer."""
    fields: dict[str, Any] = {
        "application": application_name,
        "amount": usd(80_000_00),
        "annual_rate": decimal_pb2.Decimal(value="0.0435"),
        "fee": usd(100_00),
        "tenor_days": 90,
    }
    message = loans_pb2.Offer(**{**fields, **changes})
    if not message.HasField("expire_time"):
        message.expire_time.FromMicroseconds(NOW_US + DAY_US)
    return message


def opened(room: Room, **changes: Any) -> Any:
    """An open application."""
    return room.call("CreateApplication", EXPORTER_CALLER, application=application(**changes))


def offered(room: Room, application_name: str, maker: Caller = MAKER, checker: Caller = CHECKER) -> Any:
    """An offer of a bank, approved."""
    prepared = room.call("CreateOffer", maker, offer=offer(application_name))
    return room.call("ApproveOffer", checker, name=prepared.name, etag=prepared.etag)


def agreed(room: Room, **changes: Any) -> Any:
    """A loan that waits for its bank's signature."""
    made = offered(room, opened(room, **changes).name)
    return room.call("AcceptOffer", EXPORTER_CALLER, name=made.name)


def signed(room: Room, **changes: Any) -> Any:
    """A loan whose drawdown has begun."""
    loan = agreed(room, **changes)
    signature = signatures.sign(loan.contract, BANK_KEY, "bank")
    return room.call("SignLoan", CHECKER, name=loan.name, instruction=loan.contract, signature=signature)


def declaration(value: int = 100_000_00, available: int = 90_000_00, **changes: Any) -> declarations_pb2.Declaration:
    """A declaration as the register shows it to a bank."""
    shown = declarations_pb2.DeclaredValue(available=usd(available))
    fields = {"enterprise": EXPORTER, "declared_value": usd(value), "value": shown}
    return declarations_pb2.Declaration(**{**fields, **changes})


ANSWERS: Mapping[str, Callable[[], Message]] = {
    plan.VALUE: declaration,
    plan.RESERVE: declarations_pb2.Encumbrance,
    plan.COVER: credit_insurance_pb2.CoverHold,
    plan.CONFIRM: declarations_pb2.Encumbrance,
    plan.DISBURSE: settlement_pb2.DisburseResponse,
    plan.UNCOVER: credit_insurance_pb2.CoverHold,
    plan.RELEASE: declarations_pb2.Encumbrance,
}


def work_off(room: Room, until: str = "") -> list[str]:
    """Answers the calls owed one after another, up to a step; the steps answered."""
    steps: list[str] = []
    while owed := room.due():
        kind = owed[0].step.split(" ")[0]
        if kind == until:
            break
        steps.append(room.answer(ANSWERS[kind]()).step)
    return steps


def active(room: Room, **changes: Any) -> Any:
    """A loan that is paid out."""
    loan = signed(room, **changes)
    work_off(room)
    return room.read("GetLoan", CHECKER, name=loan.name)


def repayment(room: Room, loan: str, amount: Any, on: str, **changes: Any) -> loans_pb2.CreateRepaymentRequest:
    """A valid repayment, by default of a receipt that settled the whole encumbrance."""
    fields: dict[str, Any] = {
        "request_id": str(uuid.uuid4()),
        "repayment_id": str(uuid.uuid4()),
        "loan": loan,
        "payment": "incomingPayments/1",
        "amount": amount,
        "date": day(on),
        "encumbrance": f"encumbrances/{derived(loan, 'encumbrance')}",
        "settled": usd(80_000_00),
    }
    return loans_pb2.CreateRepaymentRequest(**{**fields, **changes})


def repay(room: Room, loan: str, amount: int, on: str, caller: Caller = SETTLEMENT, **changes: Any) -> Any:
    """Fixes a repayment on its value date."""
    moment = datetime.datetime.combine(datetime.date.fromisoformat(on), datetime.time(12), CHINA)
    room.now_us = max(room.now_us, int(moment.timestamp()) * 1_000_000)
    return room.submit("CreateRepayment", caller, repayment(room, loan, usd(amount), on, **changes))


def confirmed(room: Room, made: Any, restored: int = 0) -> Any:
    """The repayment once its money has moved, and so much of what it left unsecured was put back."""
    return room.call("ConfirmRepayment", SETTLEMENT, repayment_id=repayment_id(made), restored=usd(restored))


def repayment_id(repayment: Any) -> str:
    """The id in a repayment's name."""
    return str(repayment.name.removeprefix("repayments/"))


def test_an_offer_is_costed(room: Room) -> None:
    made = offered(room, opened(room).name)
    assert (made.interest, made.all_in_cost, made.day_count_basis) == (usd(870_00), usd(970_00), 360)
    # 970.00 / 79,900.00 x 360 / 90
    assert (made.simple_rate.value, made.effective_rate.value) == ("0.048561", "0.050156")
    assert made.day_count == "ACT_360"


def test_a_loan_from_application_to_closure(room: Room) -> None:
    loan = active(room)
    assert loans_pb2.Loan.State.Name(loan.state) == "ACTIVE"
    assert (loan.outstanding, loan.start_date, loan.maturity_date) == (
        usd(80_000_00),
        day("2027-01-15"),
        day("2027-04-15"),
    )
    payoff = room.read("GetPayoff", CHECKER, name=loan.name, date=day("2027-04-15"))
    assert payoff.derivation == "USD 80,000.00 x 90 x 4.35 % / 360 = USD 870.00"
    assert (payoff.total, payoff.days) == (usd(80_870_00), 90)
    made = repay(room, loan.name, 200_000_00, "2027-04-15")
    assert (made.amount, made.interest, made.unsecured) == (usd(80_870_00), usd(870_00), usd(0))
    confirmed(room, made)
    assert work_off(room) == [f"uncover {DECLARATION}", "release"]
    assert told(room, loan.name).count("loan.repaid") == 1
    closed = room.read("GetLoan", EXPORTER_CALLER, name=loan.name)
    assert loans_pb2.Loan.State.Name(closed.state) == "CLOSED"
    assert (closed.outstanding, closed.interest_paid) == (usd(0), usd(870_00))
    assert room.violations() == []


@pytest.mark.parametrize(
    ("booked", "start"), [("2027-01-15", "2027-01-15"), ("2027-01-23", "2027-01-23"), ("", "2027-01-22")]
)
def test_interest_runs_from_the_day_on_which_the_money_moved(room: Room, booked: str, start: str) -> None:
    """An answer that comes a week late costs the bank no interest, and settlement may be a day ahead in a close."""
    loan = signed(room)
    work_off(room, plan.DISBURSE)
    room.now_us += 7 * DAY_US
    room.answer(settlement_pb2.DisburseResponse(booking_date=day(booked) if booked else None))
    disbursed = room.read("GetLoan", CHECKER, name=loan.name)
    assert (disbursed.start_date, loans_pb2.Loan.State.Name(disbursed.state)) == (day(start), "ACTIVE")
    value_date = sa.select(transfers.c.value_date).where(transfers.c.reference == loan.name)
    assert scalar(room.database, value_date) == start
    assert room.violations() == []


def told(room: Room, resource: str) -> list[str]:
    """The types of a resource's events, in their order."""
    with room.database.read() as connection:
        query = sa.select(events.c.type).where(events.c.resource == resource).order_by(events.c.position)
        return list(connection.execute(query).scalars())


def reason(attempt: Callable[[], object]) -> tuple[str, list[str]]:
    """Why something is refused: the reason and those of its problems."""
    with pytest.raises(DomainError) as refusal:
        attempt()
    return refusal.value.reason, [problem.reason for problem in refusal.value.problems]


def test_an_application_is_told_all_its_problems(room: Room) -> None:
    found = reason(lambda: opened(room, amount=money.to_proto(Money("XAU", 0)), tenor_days=361))
    assert found[0] == "INVALID_FIELDS"
    assert found[1] == ["AMOUNT_NOT_POSITIVE", "CURRENCY_NOT_LENT", "TENOR_ABOVE_CAP"]
    with pytest.raises(errors.AmountAboveCap) as refusal:
        opened(room, amount=usd(7_000_000_01))
    assert refusal.value.metadata == {"cap": "USD 7,000,000.00"}


def test_yen_are_counted_as_their_benchmark_is(room: Room) -> None:
    """JPY 12,345,678 at 1.25 % for 45 days by ACT/365 (Fixed); the contract names it."""
    yen = Money("JPY", 12_345_678)
    name = opened(room, amount=money.to_proto(yen)).name
    terms = offer(
        name,
        amount=money.to_proto(yen),
        fee=money.to_proto(yen.zero()),
        annual_rate=decimal_pb2.Decimal(value="0.0125"),
        tenor_days=45,
    )
    made = room.call("CreateOffer", MAKER, offer=terms)
    assert (money.from_proto(made.interest), made.day_count) == (Money("JPY", 19_026), "ACT_365F")
    room.call("ApproveOffer", CHECKER, name=made.name, etag=made.etag)
    loan = room.call("AcceptOffer", EXPORTER_CALLER, name=made.name)
    contract = loans_pb2.LoanContract.FromString(loan.contract)
    assert (loan.day_count, contract.day_count, contract.day_count_basis) == ("ACT_365F", "ACT_365F", 365)


def test_a_currency_without_a_day_count_is_not_lent(room: Room) -> None:
    dinars = money.to_proto(Money("KWD", 1_000))
    assert reason(lambda: opened(room, amount=dinars)) == ("INVALID_FIELDS", ["DAY_COUNT_UNKNOWN"])


def test_an_offer_is_told_all_its_problems(room: Room) -> None:
    name = opened(room).name
    wrong = offer(
        name,
        amount=usd(80_000_01),
        fee=usd(80_000_01),
        annual_rate=decimal_pb2.Decimal(value="NaN"),
        tenor_days=91,
    )
    wrong.expire_time.FromMicroseconds(NOW_US)
    found = reason(lambda: room.call("CreateOffer", MAKER, offer=wrong))
    assert found[1] == [
        "AMOUNT_ABOVE_APPLICATION",
        "FEE_OUT_OF_RANGE",
        "RATE_OUT_OF_RANGE",
        "TENOR_ABOVE_APPLICATION",
        "EXPIRE_TIME_PAST",
    ]
    other = offer(name, fee=money.to_proto(Money("EUR", 0)))
    assert reason(lambda: room.call("CreateOffer", MAKER, offer=other))[1] == ["CURRENCY_DIFFERS"]


@pytest.mark.parametrize("rate", ["-0.01", "0.240001", "0.123456789", "many", "Infinity"])
def test_a_rate_is_a_number_within_its_cap(room: Room, rate: str) -> None:
    wrong = offer(opened(room).name, annual_rate=decimal_pb2.Decimal(value=rate))
    assert reason(lambda: room.call("CreateOffer", MAKER, offer=wrong))[1] == ["RATE_OUT_OF_RANGE"]


def test_only_banks_asked_know_an_application_and_none_learns_of_the_others(room: Room) -> None:
    name = opened(room, banks=BANKS).name
    room.now_us += 1000
    alone = opened(room, banks=BANKS[:1]).name
    assert list(room.read("GetApplication", EXPORTER_CALLER, name=name).banks) == list(BANKS)
    assert list(room.read("GetApplication", OTHER_MAKER, name=name).banks) == [BANKS[1]]
    assert [entry.name for entry in room.read("ListApplications", OTHER_MAKER).applications] == [name]
    assert [entry.name for entry in room.read("ListApplications", MAKER).applications] == [alone, name]
    for caller in (OTHER_MAKER, STRANGER):
        with pytest.raises(NotFound):
            room.read("GetApplication", caller, name=alone)
        with pytest.raises(NotFound):
            room.call("CreateOffer", caller, offer=offer(alone))
    assert not room.read("ListApplications", STRANGER).applications


def payloads(room: Room, tenant: str) -> list[bytes]:
    """Returns the payloads that a tenant is told by Watch."""
    with room.database.read() as connection:
        return [event.payload.value for event in eventlog.read(connection, "", 0, tenant).events]


def test_no_event_tells_a_bank_of_another(room: Room) -> None:
    name = opened(room).name
    made, other = offered(room, name), offered(room, name, OTHER_MAKER, OTHER_CHECKER)
    room.call("AcceptOffer", EXPORTER_CALLER, name=made.name)
    for viewer, hidden in ((BANKS[0], BANKS[1]), (BANKS[1], BANKS[0])):
        seen = b"".join(payloads(room, viewer))
        assert seen
        assert viewer.encode() in seen
        assert hidden.encode() not in seen
    assert MAKER.principal.encode() not in b"".join(payloads(room, EXPORTER))
    assert other.name.encode() in b"".join(payloads(room, BANKS[1]))


def test_an_offer_needs_another_person_and_the_exporter_sees_it_only_then(room: Room) -> None:
    prepared = room.call("CreateOffer", MAKER, offer=offer(opened(room).name))
    both = person(BANKS[0], "maker", "BANK_MAKER", "BANK_CHECKER")
    assert reason(lambda: room.call("ApproveOffer", both, name=prepared.name))[0] == "SAME_PERSON"
    assert reason(lambda: room.call("ApproveOffer", CHECKER, name=prepared.name, etag="9"))[0] == "ETAG_MISMATCH"
    for caller in (EXPORTER_CALLER, OTHER_CHECKER):
        assert not room.read("ListOffers", caller).offers
        with pytest.raises(NotFound):
            room.read("GetOffer", caller, name=prepared.name)
    with pytest.raises(NotFound):
        room.call("ApproveOffer", OTHER_CHECKER, name=prepared.name)
    with pytest.raises(NotFound):
        room.call("AcceptOffer", EXPORTER_CALLER, name=prepared.name)
    room.call("ApproveOffer", CHECKER, name=prepared.name, etag=prepared.etag)
    shown = room.read("GetOffer", EXPORTER_CALLER, name=prepared.name)
    assert (shown.maker, shown.checker) == ("", "")
    assert room.read("GetOffer", MAKER, name=prepared.name).checker == CHECKER.principal


def test_a_returned_offer_is_over_and_never_seen_by_the_exporter(room: Room) -> None:
    prepared = room.call("CreateOffer", MAKER, offer=offer(opened(room).name))
    returned = room.call("ReturnOffer", CHECKER, name=prepared.name, note="The fee is too high.")
    assert (returned.note, loans_pb2.Offer.State.Name(returned.state)) == ("The fee is too high.", "RETURNED")
    assert reason(lambda: room.call("ApproveOffer", CHECKER, name=prepared.name))[0] == "WRONG_STATE"
    assert not room.read("ListOffers", EXPORTER_CALLER).offers


def test_accepting_one_offer_declines_the_others_and_agrees_one_loan(room: Room) -> None:
    name = opened(room).name
    made, other = offered(room, name), offered(room, name, OTHER_MAKER, OTHER_CHECKER)
    with pytest.raises(NotFound):
        room.call("AcceptOffer", STRANGER, name=made.name)
    loan = room.call("AcceptOffer", EXPORTER_CALLER, name=made.name)
    states = {entry.name: entry.state for entry in room.read("ListOffers", EXPORTER_CALLER, application=name).offers}
    assert states == {made.name: loans_pb2.Offer.ACCEPTED, other.name: loans_pb2.Offer.DECLINED}
    assert reason(lambda: room.call("AcceptOffer", EXPORTER_CALLER, name=other.name))[0] == "WRONG_STATE"
    assert reason(lambda: room.call("CreateOffer", MAKER, offer=offer(name)))[0] == "WRONG_STATE"
    assert len(room.read("ListLoans", EXPORTER_CALLER).loans) == 1
    contract = loans_pb2.LoanContract.FromString(loan.contract)
    assert (contract.loan, contract.principal, contract.accepted_by) == (
        loan.name,
        usd(80_000_00),
        EXPORTER_CALLER.principal,
    )
    assert signatures.is_valid(loan.contract, loan.seal, PLATFORM_PUBLIC.encode())


def test_an_expired_offer_can_not_be_accepted_and_the_sweep_ends_it(room: Room) -> None:
    made = offered(room, opened(room).name)
    room.sweep()
    assert room.read("GetOffer", MAKER, name=made.name).state == loans_pb2.Offer.OFFERED
    room.now_us += DAY_US
    assert reason(lambda: room.call("AcceptOffer", EXPORTER_CALLER, name=made.name))[0] == "OFFER_EXPIRED"
    room.sweep()
    assert room.read("GetOffer", MAKER, name=made.name).state == loans_pb2.Offer.EXPIRED


def test_a_withdrawn_application_takes_no_offers(room: Room) -> None:
    name = opened(room).name
    made = offered(room, name)
    with pytest.raises(NotFound):
        room.call("WithdrawApplication", MAKER, name=name)
    room.call("WithdrawApplication", EXPORTER_CALLER, name=name)
    assert room.read("GetOffer", EXPORTER_CALLER, name=made.name).state == loans_pb2.Offer.DECLINED
    assert reason(lambda: room.call("CreateOffer", MAKER, offer=offer(name)))[0] == "WRONG_STATE"


def test_a_bank_signs_exactly_the_contract_with_its_own_key(room: Room) -> None:
    loan = agreed(room)
    good = signatures.sign(loan.contract, BANK_KEY, "bank")
    forged = signatures.sign(loan.contract, PLATFORM_KEY, "bank")
    keyless = person(BANKS[0], "checker", "BANK_CHECKER")
    for caller, instruction, signature, expected in (
        (CHECKER, loan.contract + b" ", good, "INSTRUCTION_DIFFERS"),
        (CHECKER, loan.contract, forged, "SIGNATURE_INVALID"),
        (CHECKER, loan.contract, "no signature", "SIGNATURE_INVALID"),
        (keyless, loan.contract, good, "SIGNATURE_INVALID"),
        (OTHER_CHECKER, loan.contract, good, "NOT_FOUND"),
    ):
        found = reason(
            lambda caller=caller, instruction=instruction, signature=signature: room.call(  # type: ignore[misc]
                "SignLoan", caller, name=loan.name, instruction=instruction, signature=signature
            )
        )
        assert found[0] == expected
    assert room.due() == []
    room.call("SignLoan", CHECKER, name=loan.name, instruction=loan.contract, signature=good)
    assert [task.step for task in room.due()] == [f"value {DECLARATION}"]
    with room.database.read() as connection:
        stored = LOANS.load(connection, loan.name)
    assert stored is not None
    assert signatures.is_valid(stored.contract, stored.signature, stored.public_key.encode())


class Encumbered(DomainError):
    """The register's refusal."""

    reason = "VALUE_ENCUMBERED"


def test_a_refusal_gives_back_what_was_taken_and_books_nothing(room: Room) -> None:
    loan = signed(room, declarations=[SECOND, DECLARATION])
    assert work_off(room, until="disburse")[-1] == "confirm"
    room.answer(Encumbered())
    assert work_off(room) == [f"uncover {DECLARATION}", f"uncover {SECOND}", "release"]
    cancelled = room.read("GetLoan", CHECKER, name=loan.name)
    assert (loans_pb2.Loan.State.Name(cancelled.state), cancelled.cancellation_reason) == (
        "CANCELLED",
        "VALUE_ENCUMBERED",
    )
    assert reason(lambda: room.read("GetPayoff", CHECKER, name=loan.name))[0] == "WRONG_STATE"
    assert room.violations() == []


def test_calls_go_for_the_bank_and_name_what_they_reserve(room: Room) -> None:
    loan = signed(room)
    work_off(room, until="reserve")
    (task,) = room.due()
    request = tasks.request_of(task)
    assert (task.tenant, request.encumbrance.reference) == (BANKS[0], loan.name)
    assert [(item.asset, item.amount) for item in request.encumbrance.items] == [(DECLARATION, usd(80_000_00))]
    assert caller_from_text(task.caller).principal == CHECKER.principal
    assert not fields.problems(request)


def test_the_fee_is_kept_back_at_the_disbursement(room: Room) -> None:
    loan = signed(room)
    work_off(room, until="disburse")
    request = tasks.request_of(room.due()[0])
    assert (request.amount, request.fee) == (usd(79_900_00), usd(100_00))
    assert (request.loan, request.bank, request.enterprise) == (loan.name, BANKS[0], EXPORTER)


def test_every_call_is_valid_by_its_contract(room: Room) -> None:
    signed(room, declarations=[DECLARATION, SECOND])
    while owed := room.due():
        assert fields.problems(tasks.request_of(owed[0])) == []
        room.answer(ANSWERS[owed[0].step.split(" ")[0]]())


def test_a_late_answer_changes_nothing(room: Room) -> None:
    loan = signed(room)
    first = room.answer(declaration())
    before = room.read("GetLoan", CHECKER, name=loan.name)
    room.settle(first, Encumbered())
    assert room.read("GetLoan", CHECKER, name=loan.name) == before


def test_loans_are_their_parties_own(room: Room) -> None:
    loan = active(room)
    for caller in (OTHER_CHECKER, STRANGER):
        assert not room.read("ListLoans", caller).loans
        for method in ("GetLoan", "GetPayoff"):
            with pytest.raises(NotFound):
                room.read(method, caller, name=loan.name)


def test_loans_come_in_pages_newest_first(room: Room) -> None:
    made = []
    for _ in range(3):
        room.now_us += 1000
        made.append(agreed(room).name)
    first = room.read("ListLoans", EXPORTER_CALLER, page_size=2)
    second = room.read("ListLoans", EXPORTER_CALLER, page_size=2, page_token=first.next_page_token)
    assert [loan.name for loan in [*first.loans, *second.loans]] == made[::-1]
    assert not second.next_page_token


def test_two_collections_never_take_the_same(room: Room) -> None:
    loan = active(room)
    first = repay(room, loan.name, 50_000_00, "2027-02-14")
    second = repay(room, loan.name, 50_000_00, "2027-02-14")
    # 80,000.00 x 4.35 % x 30 / 360 = 290.00
    assert (first.interest, first.principal) == (usd(290_00), usd(49_710_00))
    assert (second.interest, second.principal) == (usd(0), usd(30_290_00))
    assert reason(lambda: repay(room, loan.name, 1, "2027-02-14"))[0] == "NOTHING_OWED"
    assert room.read("GetLoan", CHECKER, name=loan.name).outstanding == usd(80_000_00)
    room.call("ConfirmRepayment", SETTLEMENT, repayment_id=repayment_id(second))
    part = room.read("GetLoan", CHECKER, name=loan.name)
    assert (part.outstanding, loans_pb2.Loan.State.Name(part.state)) == (usd(49_710_00), "ACTIVE")
    assert room.violations() == []
    room.call("ConfirmRepayment", SETTLEMENT, repayment_id=repayment_id(first))
    assert room.read("GetLoan", CHECKER, name=loan.name).state == loans_pb2.Loan.REPAID
    assert room.violations() == []


def test_a_cancelled_repayment_leaves_everything_owed(room: Room) -> None:
    loan = active(room)
    before = room.read("GetPayoff", CHECKER, name=loan.name, date=day("2027-04-15"))
    pending = repay(room, loan.name, 50_000_00, "2027-02-14")
    for _ in range(2):
        cancelled = room.call("CancelRepayment", SETTLEMENT, repayment_id=repayment_id(pending))
        assert cancelled.state == loans_pb2.Repayment.CANCELLED
    assert room.read("GetPayoff", CHECKER, name=loan.name, date=day("2027-04-15")) == before
    confirm = reason(lambda: room.call("ConfirmRepayment", SETTLEMENT, repayment_id=repayment_id(pending)))
    assert confirm[0] == "WRONG_STATE"
    assert repay(room, loan.name, 200_000_00, "2027-04-15").amount == before.total
    assert room.violations() == []


def test_a_cancelled_id_refuses_a_late_repayment(room: Room) -> None:
    loan, identifier = active(room), str(uuid.uuid4())
    room.call("CancelRepayment", SETTLEMENT, repayment_id=identifier)
    late = reason(lambda: repay(room, loan.name, 1_00, "2027-02-14", repayment_id=identifier))
    assert late[0] == "REPAYMENT_CANCELLED"


def test_a_repayment_id_stands_for_one_repayment(room: Room) -> None:
    loan, identifier = active(room), str(uuid.uuid4())
    first = repay(room, loan.name, 1_000_00, "2027-02-14", repayment_id=identifier)
    assert repay(room, loan.name, 1_000_00, "2027-02-14", repayment_id=identifier) == first
    other = reason(lambda: repay(room, loan.name, 1_000_01, "2027-02-14", repayment_id=identifier))
    assert other[0] == "REPAYMENT_ID_TAKEN"


@pytest.mark.parametrize(
    ("caller", "changes"),
    [
        (OTHERS, {}),
        (service_caller("settlement"), {}),
        (SETTLEMENT, {"encumbrance": f"encumbrances/{uuid.uuid4()}"}),
        (OTHERS, {"encumbrance": f"encumbrances/{uuid.uuid4()}"}),
    ],
)
def test_only_the_loans_bank_repays_it_and_only_by_its_own_encumbrance(
    room: Room, caller: Caller, changes: dict[str, Any]
) -> None:
    loan = active(room)
    assert reason(lambda: repay(room, loan.name, 80_000_00, "2027-02-14", caller, **changes))[0] == "NOT_FOUND"
    assert room.read("GetPayoff", CHECKER, name=loan.name).principal == usd(80_000_00)


def test_another_banks_repayment_is_neither_confirmed_nor_cancelled(room: Room) -> None:
    made = repay(room, active(room).name, 1_000_00, "2027-02-14")
    for method in ("ConfirmRepayment", "CancelRepayment"):
        assert reason(lambda method=method: room.call(method, OTHERS, repayment_id=repayment_id(made)))[0] == (  # type: ignore[misc]
            "NOT_FOUND"
        )


def test_parts_of_a_receivable_repay_interest_too(room: Room) -> None:
    """40,000 on day 30, 40,000 on day 60, 20,000 on day 90: what interest took stays secured, and is repaid."""
    loan = active(room)
    first = repay(room, loan.name, 40_000_00, "2027-02-14", settled=usd(40_000_00))
    assert (first.interest, first.unsecured) == (usd(290_00), usd(290_00))
    confirmed(room, first, restored=290_00)
    # The register holds the 290.00 again: 39,710.00 stay settled, and the second part settles 40,000.00 more.
    second = repay(room, loan.name, 40_000_00, "2027-03-16", settled=usd(79_710_00))
    assert (second.interest, second.unsecured) == (usd(146_05), usd(146_05))
    confirmed(room, second, restored=146_05)
    last = repay(room, loan.name, 20_000_00, "2027-04-15", settled=usd(80_000_00))
    assert (last.amount, last.interest, last.unsecured) == (usd(437_63), usd(1_58), usd(0))
    confirmed(room, last)
    assert room.read("GetLoan", CHECKER, name=loan.name).state == loans_pb2.Loan.REPAID
    assert told(room, loan.name).count("loan.partly_repaid") == 2
    assert room.violations() == []


def receipt(room: Room, loan: str, amount: int, settled: int, own: int) -> Any:
    """A repayment on day 30 by a receipt that settled a part of all that is settled."""
    return repay(room, loan, amount, "2027-02-14", settled=usd(settled), settled_by_payment=usd(own))


def test_what_a_receipt_took_over_is_left_to_none_after_it(room: Room) -> None:
    """290.00 that the first left unsecured are the second's, and put back for it; the third was counted before that."""
    loan = active(room).name
    confirmed(room, receipt(room, loan, 40_000_00, settled=40_000_00, own=40_000_00))
    second = receipt(room, loan, 30_000_00, settled=70_000_00, own=30_000_00)
    assert (second.principal, second.unsecured) == (usd(30_000_00), usd(290_00))
    assert confirmed(room, second, restored=290_00).restored == usd(290_00)
    assert receipt(room, loan, 20_000_00, settled=75_000_00, own=5_000_00).principal == usd(5_000_00)


def test_a_repayment_whose_money_is_still_to_move_leaves_nothing_to_others(room: Room) -> None:
    loan = active(room).name
    first = receipt(room, loan, 40_000_00, settled=40_000_00, own=40_000_00)
    second = receipt(room, loan, 20_000_00, settled=50_000_00, own=10_000_00)
    assert (first.unsecured, second.principal) == (usd(290_00), usd(10_000_00))
    confirmed(room, first)
    assert receipt(room, loan, 20_000_00, settled=60_000_00, own=10_000_00).principal == usd(10_290_00)


@pytest.mark.parametrize("restored", [usd(290_01), usd(-1), money.to_proto(Money("EUR", 1))])
def test_no_more_is_put_back_than_a_receipt_left_unsecured(room: Room, restored: Any) -> None:
    made = receipt(room, active(room).name, 40_000_00, settled=40_000_00, own=40_000_00)
    asked = {"repayment_id": repayment_id(made), "restored": restored}
    assert reason(lambda: room.call("ConfirmRepayment", SETTLEMENT, **asked))[1] == ["RESTORED_NOT_LEFT"]
    assert confirmed(room, made, restored=290_00).restored == usd(290_00)


def test_a_receipt_of_one_receivable_leaves_what_another_secures(room: Room) -> None:
    loan = active(room, declarations=[DECLARATION, SECOND])
    made = repay(room, loan.name, 50_000_00, "2027-02-14", settled=usd(40_000_00))
    assert (made.interest, made.principal, made.unsecured) == (usd(290_00), usd(40_000_00), usd(0))


@pytest.mark.parametrize("on", ["2027-01-19", "2072-01-22", "9999-12-31"])
def test_no_repayment_comes_from_the_future(room: Room, on: str) -> None:
    """The loan starts on Friday 2027-01-15: the next working day is the 18th."""
    loan = active(room)
    late = repayment(room, loan.name, usd(30_000_00), on)
    assert reason(lambda: room.submit("CreateRepayment", SETTLEMENT, late))[1] == ["VALUE_DATE_TOO_LATE"]
    assert room.read("GetPayoff", CHECKER, name=loan.name).interest == usd(0)


def test_the_next_working_day_counts_and_a_day_before_the_start_is_the_start(room: Room) -> None:
    loan = active(room)
    early = repayment(room, loan.name, usd(10_000_00), "2027-01-01")
    assert room.submit("CreateRepayment", SETTLEMENT, early).interest == usd(0)
    monday = repayment(room, loan.name, usd(10_000_00), "2027-01-18")
    # 70,000.00 x 4.35 % x 3 / 360 = 25.38
    assert room.submit("CreateRepayment", SETTLEMENT, monday).interest == usd(25_38)


@pytest.mark.parametrize("amount", [money.to_proto(Money("EUR", 1)), usd(0), usd(-1)])
def test_a_repayment_is_of_the_loans_currency_and_positive(room: Room, amount: Any) -> None:
    loan = active(room)
    request = repayment(room, loan.name, amount, "2027-01-15")
    assert reason(lambda: room.submit("CreateRepayment", SETTLEMENT, request))[1] == ["AMOUNT_NOT_COLLECTABLE"]
    request.request_id = str(uuid.uuid4())
    request.amount.CopyFrom(usd(1))
    request.date.CopyFrom(date_pb2.Date(year=2027, month=2, day=30))
    assert reason(lambda: room.submit("CreateRepayment", SETTLEMENT, request))[1] == ["DATE_INVALID"]


def test_a_loan_that_is_not_paid_out_takes_no_repayment(room: Room) -> None:
    loan = agreed(room)
    assert reason(lambda: repay(room, loan.name, 1_00, "2027-02-14"))[0] == "WRONG_STATE"


def test_a_row_that_disagrees_with_its_accounts_is_found(room: Room) -> None:
    """N1: a loan whose outstanding principal isn't its account's balance is named."""
    loan = active(room)
    assert room.violations() == []
    with room.database.write() as connection:
        connection.execute(sa.update(tables.loans).values(outstanding_minor_units=1))
    (found,) = room.violations()
    assert loan.name in found
    assert "8000000" in found


def explained(room: Room, name: str, caller: Caller, field: str = "") -> dict[str, Any]:
    """How the fields of a resource came about, by field."""
    answer = room.read("Explain", caller, name=name, field=field)
    return {explanation.field: explanation for explanation in answer.explanations}


def test_an_offers_costs_are_explained_to_those_who_see_them(room: Room) -> None:
    """DV2: interest and rates of an offer have a tree each; who isn't shown the offer is told nothing."""
    made = room.call("CreateOffer", MAKER, offer=offer(opened(room).name))
    costs = explained(room, made.name, MAKER)
    assert [*costs] == ["all_in_cost", "interest", "simple_rate"]
    assert costs["interest"].derivation.result.money == made.interest
    assert costs["simple_rate"].derivation.result.number == made.simple_rate
    leaves = {argument.name: argument for argument in costs["interest"].derivation.inputs}
    counted, year = leaves["basis"].derivation.inputs
    assert (year.row.table, year.row.code, year.value.count) == ("trade/day_counts", "ACT_360", 360)
    assert (counted.row.table, counted.row.code, counted.value.word) == ("trade/day_count_bases", "USD", "ACT_360")
    assert (leaves["annual_rate"].field.resource, leaves["annual_rate"].field.field) == (made.name, "annual_rate")
    assert costs["interest"].text.startswith("USD 870.00: Interest at 4.35 % a year of 360 days")
    assert [*explained(room, made.name, MAKER, "interest")] == ["interest"]
    # It isn't offered yet: the exporter doesn't know of it.
    for stranger in (EXPORTER_CALLER, OTHER_MAKER, STRANGER):
        assert reason(partial(explained, room, made.name, stranger))[0] == "NOT_FOUND"
    room.call("ApproveOffer", CHECKER, name=made.name, etag=made.etag)
    assert [*explained(room, made.name, EXPORTER_CALLER)] == [*costs]
    for name in ("offers/unknown", "applications/unknown"):
        assert reason(partial(explained, room, name, MAKER))[0] == "NOT_FOUND"


def test_a_repayment_is_explained_down_to_the_days(room: Room) -> None:
    """DV1: interest and principal of each repayment come of the loan's fields, the receipts before it and the days."""
    loan = active(room)
    first = repay(room, loan.name, 30_290_00, "2027-02-14", settled=usd(30_290_00))
    confirmed(room, first)
    second = repay(room, loan.name, 100_000_00, "2027-04-15")
    for caller in (CHECKER, EXPORTER_CALLER):
        parts = explained(room, second.name, caller)
        assert [*parts] == ["interest", "principal", "unsecured"]
        assert parts["interest"].derivation.result.money == second.interest
        assert "30 days" in parts["interest"].text
        assert f"({first.name}: value_date)" in parts["interest"].text
        assert "INTEREST PRINCIPAL" in parts["principal"].text
    for stranger in (OTHER_CHECKER, STRANGER):
        assert reason(partial(explained, room, second.name, stranger))[0] == "NOT_FOUND"
    assert room.violations() == []
    with room.database.read() as connection:
        assert len(derivation_walk.walk(connection, EXPLAINING)) == 3 + 2 * 3


def test_a_payoff_is_derived_on_request(room: Room) -> None:
    """DV2: what repays a loan today stands nowhere, and is explained all the same, to its bank and its borrower."""
    loan = active(room)
    room.now_us += 90 * DAY_US
    payoff = room.read("GetPayoff", CHECKER, name=loan.name)
    told = explained(room, loan.name, EXPORTER_CALLER, "payoff")
    assert told["payoff.interest"].derivation.result.money == payoff.interest
    assert told["payoff.total"].derivation.result.money == payoff.total
    assert told["payoff.interest"].number == 0
    assert reason(lambda: explained(room, loan.name, OTHER_CHECKER))[0] == "NOT_FOUND"


def test_a_changed_leaf_and_a_changed_field_are_named(room: Room) -> None:
    """DV1: a leaf that was changed in its row is named, and so is a field that isn't what its derivation gives."""
    made = offered(room, opened(room).name)
    assert room.violations() == []
    with room.database.write() as connection:
        place = derivation_walk.plant(connection, made.name, "interest")
    assert any(text.startswith(f"{place}: day_amount") for text in room.violations())
    with room.database.write() as connection:
        connection.execute(sa.update(tables.offers).values(all_in_cost_minor_units=1))
    assert f"derivations: {made.name} all_in_cost is USD 0.01, its derivation gives USD 970.00" in room.violations()


def test_a_derivation_that_gives_another_result_is_never_kept(room: Room) -> None:
    """DV1: such a tree is a mistake of the program; the transaction ends with it."""
    made = offered(room, opened(room).name)
    with room.database.read() as connection:
        (stored,) = derivation_store.load(connection, made.name, "interest")
    wrong = dataclasses.replace(stored.derivation, result=Money("USD", 1))
    entry = derivation_store.Entry(made.name, "interest", wrong)
    with room.database.write() as connection:
        submission = Submission(SERVICE.operation("CreateOffer"), MAKER, None, "", room.now_us, b"seed")
        transaction = submission.transaction(connection, business_date.present(connection, room.now_us))
        with pytest.raises(AssertionError, match=r"gives USD 870\.00, not USD 0\.01"):
            derivation_store.put(transaction, EXPLAINING.rules, [entry])
