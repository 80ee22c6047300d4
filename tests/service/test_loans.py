"""The loans service on both databases: every command in its writer, the saga by the outcomes of its calls."""

import itertools
import pathlib
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from aval.credit_insurance.v1 import credit_insurance_pb2
from aval.declarations.v1 import declarations_pb2
from aval.loans.v1 import loans_pb2
from aval.settlement.v1 import settlement_pb2
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from google.protobuf.message import Message
from google.type import date_pb2, decimal_pb2

from chassis import migrations, money, signatures, tasks, testing
from chassis.command import Submission
from chassis.database import Database
from chassis.errors import DomainError
from chassis.identity import Caller, service_caller
from chassis.money import Money
from chassis.service import Reading
from chassis.writer import run_batch
from services.loans.loan import drawdown
from services.loans.service import SERVICE

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
SETTLEMENT = service_caller("settlement")


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
                sweep(submission.transaction(connection))

    def violations(self) -> list[str]:
        """What the service's own proof and its tasks' find."""
        with self.database.read() as connection:
            return [*SERVICE.violations(connection), *tasks.violations(connection, SERVICE.sagas)]

    def _seed(self) -> bytes:
        return f"seed {next(self._seeds)}".encode()

    def _run(self, submission: Submission) -> Any:
        outcome = run_batch(self.database, [submission])[submission]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@pytest.fixture(scope="module")
def postgresql_server() -> Iterator[testing.PostgreSQL]:
    with testing.postgresql({"fsync": "off", "full_page_writes": "off"}) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def room(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[Room]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}"
    else:
        url = request.getfixturevalue("postgresql_server").new_database()
    database = Database(url, "loans")
    migrations.upgrade(database, SERVICE.migrations, lambda count: b"x" * count, SERVICE.prepare)
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
    drawdown.VALUE: declaration,
    drawdown.RESERVE: declarations_pb2.Encumbrance,
    drawdown.COVER: credit_insurance_pb2.CoverHold,
    drawdown.CONFIRM: declarations_pb2.Encumbrance,
    drawdown.DISBURSE: settlement_pb2.DisburseResponse,
    drawdown.UNCOVER: credit_insurance_pb2.CoverHold,
    drawdown.RELEASE: declarations_pb2.Encumbrance,
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


def repay(room: Room, loan: str, amount: int, on: str, repayment_id: str = "") -> Any:
    """Fixes a repayment."""
    return room.call(
        "CreateRepayment",
        SETTLEMENT,
        repayment_id=repayment_id or str(uuid.uuid4()),
        loan=loan,
        payment="incomingPayments/1",
        amount=usd(amount),
        date=day(on),
    )


def repayment_id(repayment: Any) -> str:
    """The id in a repayment's name."""
    return str(repayment.name.removeprefix("repayments/"))


def test_an_offer_is_costed(room: Room) -> None:
    made = offered(room, opened(room).name)
    assert (made.interest, made.all_in_cost, made.day_count_basis) == (usd(870_00), usd(970_00), 360)
    # 970.00 / 79,900.00 x 360 / 90
    assert made.all_in_rate.value == "0.048561"


def test_a_loan_from_application_to_closure(room: Room) -> None:
    loan = active(room)
    assert loans_pb2.Loan.State.Name(loan.state) == "ACTIVE"
    assert (loan.outstanding, loan.start_date, loan.maturity_date) == (
        usd(80_000_00),
        day("2027-01-15"),
        day("2027-04-15"),
    )
    payoff = room.read("GetPayoff", CHECKER, name=loan.name, date=day("2027-04-15"))
    assert payoff.derivation == "USD 80,000.00 x 4.35 % x 90 / 360 = USD 870.00"
    assert (payoff.total, payoff.days) == (usd(80_870_00), 90)
    repayment = repay(room, loan.name, 200_000_00, "2027-04-15")
    assert (repayment.amount, repayment.interest) == (usd(80_870_00), usd(870_00))
    room.call("ConfirmRepayment", SETTLEMENT, repayment_id=repayment_id(repayment))
    assert work_off(room) == [f"uncover {DECLARATION}", "release"]
    closed = room.read("GetLoan", EXPORTER_CALLER, name=loan.name)
    assert loans_pb2.Loan.State.Name(closed.state) == "CLOSED"
    assert (closed.outstanding, closed.interest_paid, closed.encumbrance) == (usd(0), usd(870_00), "")
    assert room.violations() == []
