"""Bills that no ledger could move: given up, with the bill open again, never asked for ever."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from aval.declarations.v1 import records_pb2
from aval.settlement.v1 import settlement_pb2 as pb
from aval.type.v1 import derivation_pb2

from chassis import migrations, tasks
from chassis.command import Submission, Transaction
from chassis.database import Database
from chassis.errors import NotFound
from chassis.identity import Caller
from chassis.ids import Identifiers, system_random
from chassis.money import LARGEST, Money, to_proto
from chassis.service import Reading
from chassis.writer import run_batch
from ledger import store as ledger_store
from ledger.model import Transfer
from services.settlement.account import store as account_store
from services.settlement.account.model import Account, Kind
from services.settlement.bill_payment import model
from services.settlement.explaining import EXPLAINING
from services.settlement.service import SERVICE
from tests import derivation_walk
from tests.support import NOW_US, ring
from trade.calendars import day_in_china

BANK, PAYER, OPERATOR = "banks/LMHFCNB0", "enterprises/91411023MAXY00112A", "enterprises/91410105MAXY002277"
EXPORTER = Caller(f"{PAYER}/lin", PAYER, frozenset({"EXPORTER"}), second_factor=True)
BILL = "records/0194f3a0-0000-7000-8000-000000000001"


class World:
    """Settlement's store; the register's answers are given by the test."""

    def __init__(self, url: str) -> None:
        self.store = Database(url, SERVICE.name, ring())
        migrations.upgrade(self.store, SERVICE.migrations, system_random, SERVICE.prepare)

    def account(self, owner: str, units: int, currency: str = "CNY") -> Account:
        """A current account with so much on it."""
        with self.store.write() as connection:
            ids, date = Identifiers(NOW_US, uuid.uuid4().bytes), day_in_china(NOW_US)
            transaction = Transaction(connection, EXPORTER, NOW_US, ids, business_date=date)
            nostro = account_store.own(transaction, BANK, currency, Kind.NOSTRO)
            account = account_store.ensure(transaction, BANK, owner, currency, Kind.CURRENT)
            ledger_store.post(transaction, Transfer(str(uuid.uuid4()), nostro.id, account.id, units, code="test"))
        return account

    def _submit(self, operation: Any, request: Any, request_id: str = "") -> Any:
        submission = Submission(operation, EXPORTER, request, request_id, NOW_US, uuid.uuid4().bytes)
        outcome = run_batch(self.store, [submission])[submission]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def pay(self, account: Account) -> str:
        """A payment of the bill, waiting for the register's answer to its claim."""
        request = pb.PayBillRequest(request_id=str(uuid.uuid4()))
        request.payment.bill, request.payment.debit_account = BILL, account.name
        return str(self._submit(SERVICE.operation("PayBill"), request, request.request_id).name)

    def answer(self, payment: str, outcome: tasks.Outcome) -> tasks.Task | None:
        """The register's answer to what the payment owes; what it owes then."""
        (task,) = self.tasks(payment)
        operation = tasks.settle_operation(SERVICE.sagas)
        submission = tasks.settlement(operation, task, outcome, NOW_US, uuid.uuid4().bytes)
        failure = run_batch(self.store, [submission])[submission]
        if isinstance(failure, Exception):
            raise failure
        return next(iter(self.tasks(payment)), None)

    def tasks(self, resource: str) -> list[tasks.Task]:
        """Returns the tasks that a payment owes."""
        with self.store.read() as connection:
            return [task for task in tasks.due(connection, NOW_US) if task.resource == resource]

    def read(self, payment: str) -> Any:
        """A payment as its payer sees it."""
        with self.store.read() as connection:
            reading = Reading(connection, EXPORTER, NOW_US)
            return SERVICE.reads["GetBillPayment"](reading, pb.GetBillPaymentRequest(name=payment))

    def violations(self) -> list[str]:
        """Returns what verification finds wrong."""
        with self.store.read() as connection:
            return [*SERVICE.violations(connection), *tasks.violations(connection, SERVICE.sagas)]


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """A store of its own."""
    made = World(database_url)
    yield made
    made.store.close()


def claimed(payee: str, amount: Money, late_fee: Money | None = None) -> records_pb2.Record:
    """The register's answer to a claim."""
    record = records_pb2.Record(name=BILL, enterprise=PAYER)
    record.bill.payee = payee
    record.bill.amount.CopyFrom(to_proto(amount))
    if late_fee is not None:
        record.bill.late_fee.amount.CopyFrom(to_proto(late_fee))
    return record


def yuan(units: int) -> Money:
    """Fen."""
    return Money("CNY", units)


@pytest.mark.parametrize(
    ("bill", "reason"),
    [
        (claimed(PAYER, yuan(10_000)), "PAYEE_IS_PAYER"),
        (claimed(OPERATOR, yuan(0)), "AMOUNT_UNPAYABLE"),
        (claimed(OPERATOR, yuan(-5)), "AMOUNT_UNPAYABLE"),
        (claimed(OPERATOR, yuan(LARGEST), yuan(1)), "AMOUNT_UNPAYABLE"),
        (claimed(OPERATOR, yuan(5), Money("USD", 5)), "CURRENCY_DIFFERS"),
        (claimed(OPERATOR, Money("XTS", 5)), "CURRENCY_DIFFERS"),
        (claimed("", yuan(5)), "PAYEE_UNKNOWN"),
        (claimed("insurer/X", yuan(5)), "PAYEE_UNKNOWN"),
        (claimed(OPERATOR, yuan(20_001)), "INSUFFICIENT_FUNDS"),
    ],
)
def test_a_bill_that_cant_be_paid_is_given_up_and_open_again(
    world: World, bill: records_pb2.Record, reason: str
) -> None:
    payment = world.pay(world.account(PAYER, 20_000))
    release = world.answer(payment, bill)
    assert release is not None
    assert (release.step, release.method) == ("release", "ReleaseBill")
    assert world.answer(payment, records_pb2.Record()) is None
    found = world.read(payment)
    assert (pb.BillPayment.State.Name(found.state), found.reason, found.transfer) == ("REFUSED", reason, "")
    assert world.violations() == []


def test_an_account_that_would_overflow_gives_the_bill_up(world: World) -> None:
    """The ledger's own refusal, whatever it is."""
    world.account(OPERATOR, LARGEST - 5)
    with pytest.raises(ledger_store.LedgerRefused):
        world.account(OPERATOR, 6)
    payer = world.account(PAYER, 5)
    with world.store.write() as connection:
        rows = {"units": LARGEST, "id": payer.id}
        raised = "UPDATE ledger_accounts SET credits_posted = :units WHERE CAST(id AS TEXT) = :id"
        assert connection.execute(sa.text(raised), rows).rowcount == 1
    payment = world.pay(payer)
    release = world.answer(payment, claimed(OPERATOR, yuan(6)))
    assert release is not None
    assert (release.step, world.read(payment).reason) == ("release", "LEDGER_REFUSED")


def test_a_bill_that_can_be_paid_is_paid_with_its_late_fee(world: World) -> None:
    payment = world.pay(world.account(PAYER, 20_000))
    confirm = world.answer(payment, claimed(OPERATOR, yuan(15_000), yuan(5_000)))
    assert confirm is not None
    assert confirm.step == "confirm"
    # The money has moved with the answer to the claim, before the register confirms.
    assert world.violations() == []
    assert world.answer(payment, records_pb2.Record()) is None
    assert world.read(payment).amount == to_proto(yuan(20_000))
    assert world.violations() == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("state = 'REFUSED'", "is REFUSED: 15000 moved, not 0"),
        ("amount_minor_units = 7", "is PAID: 15000 moved, not 7"),
        ("amount_currency = NULL, amount_minor_units = NULL", "is PAID: 15000 moved, not 0"),
    ],
)
def test_verification_names_a_payment_that_was_changed_by_hand(world: World, change: str, says: str) -> None:
    """M2: a payment whose state or amount isn't the money that moved is named."""
    payment = world.pay(world.account(PAYER, 20_000))
    world.answer(payment, claimed(OPERATOR, yuan(15_000)))
    world.answer(payment, records_pb2.Record())
    assert world.violations() == []
    with world.store.write() as connection:
        assert connection.execute(sa.text(f"UPDATE bill_payments SET {change}")).rowcount == 1
    assert any(says in text for text in world.violations())


@pytest.mark.parametrize(
    ("payee", "amounts", "reason"),
    [
        ("treasuries/4601", [yuan(1)], ""),
        (OPERATOR, [yuan(LARGEST)], ""),
        ("treasuries/4601", [yuan(0), yuan(0)], model.AMOUNT_UNPAYABLE),
        (PAYER, [yuan(0)], model.PAYEE_IS_PAYER),
    ],
)
def test_why_no_ledger_could_move_it(payee: str, amounts: list[Money], reason: str) -> None:
    payment = model.BillPayment(
        id="1", bill=BILL, bank=BANK, enterprise=PAYER, debit_account="a", currency="CNY", create_us=NOW_US
    )
    assert model.unpayable(payment, payee, amounts) == reason


def test_what_a_bill_costs_is_explained(world: World) -> None:
    """DV1: the amount that moved is the bill and its late fee; a leaf that was changed is named."""
    payment = world.pay(world.account(PAYER, 20_000))
    world.answer(payment, claimed(OPERATOR, yuan(10_000), yuan(120)))
    assert world.violations() == []
    with world.store.read() as connection:
        request = derivation_pb2.ExplainRequest(name=payment)
        (told,) = EXPLAINING.read(Reading(connection, EXPORTER, NOW_US), request).explanations
        assert derivation_walk.walk(connection, EXPLAINING) == [f"{payment} amount"]
        stranger = Caller(f"{OPERATOR}/li", OPERATOR, frozenset({"EXPORTER"}))
        with pytest.raises(NotFound):
            EXPLAINING.read(Reading(connection, stranger, NOW_US), request)
    assert told.derivation.result.money == to_proto(yuan(10_120))
    leaves = {argument.field.field for argument in told.derivation.inputs if argument.HasField("field")}
    assert leaves == {"bill.amount", "bill.late_fee.amount"}
    with world.store.write() as connection:
        place = derivation_walk.plant(connection, payment, "amount")
    assert any(text.startswith(place) for text in world.violations())
