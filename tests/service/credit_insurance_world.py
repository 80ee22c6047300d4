"""Requests of the credit insurance tests, and the service's commands on a store of their own, without a network."""

import datetime
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from aval.credit_insurance.v1 import credit_insurance_pb2 as pb
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from chassis import rpc, tasks
from chassis.clock import MICROSECONDS
from chassis.command import Operation, Submission, Transaction
from chassis.database import Database
from chassis.errors import DomainError
from chassis.identity import Caller, service_caller
from chassis.ids import system_random
from chassis.money import Money, to_proto
from chassis.service import Reading
from chassis.writer import run_batch
from services.credit_insurance.service import SERVICE
from tests.support import begin

INSURER = "insurers/ZZZZ00HYXB2026000141"
OTHER_INSURER = "insurers/ZZZZ00ANDERE20260042"
ENTERPRISE = "enterprises/91411023MAXY00112A"
OTHER_ENTERPRISE = "enterprises/91410105MAXY002277"
BANK = "banks/LMHFCNB0"
OTHER_BANK = "banks/YUHECNB0"

MAKER = Caller(f"{INSURER}/luo", INSURER, frozenset({"INSURER_MAKER", "INSURER_CHECKER"}))
CHECKER = Caller(f"{INSURER}/tao", INSURER, frozenset({"INSURER_CHECKER"}))
EXPORTER = Caller(f"{ENTERPRISE}/lin", ENTERPRISE, frozenset({"EXPORTER"}))
OTHER_EXPORTER = Caller(f"{OTHER_ENTERPRISE}/zhou", OTHER_ENTERPRISE, frozenset({"EXPORTER"}))
OTHER_MAKER = Caller(f"{OTHER_INSURER}/li", OTHER_INSURER, frozenset({"INSURER_MAKER", "INSURER_CHECKER"}))
LENDER = service_caller("loans", tenant=BANK)
OTHER_LENDER = service_caller("loans", tenant=OTHER_BANK)
SETTLEMENT = service_caller("settlement")

START, END = datetime.date(2026, 1, 1), datetime.date(2027, 12, 31)
SHIPPED, DUE = datetime.date(2026, 11, 2), datetime.date(2027, 1, 31)
NOW_US = int(datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC).timestamp()) * MICROSECONDS


def usd(minor_units: int) -> Any:
    """An amount on the wire, in cents."""
    return to_proto(Money("USD", minor_units))


def number(index: int) -> str:
    """A declaration's resource name."""
    return f"declarations/46012026{index:010}"


def policy_request(maximum: int = 100_000_000, rate: str = "0.0065", **fields: Any) -> pb.CreatePolicyRequest:
    """A policy at 90 %; `rate` empty: by the table."""
    policy = pb.Policy(
        enterprise=ENTERPRISE,
        insured_ratio=rpc.decimal(Decimal("0.90")),
        maximum_liability=usd(maximum),
        start_date=rpc.date(START),
        end_date=rpc.date(END),
    )
    if rate:
        policy.premium_rate.value = rate
    policy.MergeFrom(pb.Policy(**fields))
    return pb.CreatePolicyRequest(request_id=str(uuid.uuid4()), policy=policy)


def limit_request(policy: str, amount: int, country: str = "USA") -> pb.RequestBuyerLimitRequest:
    """A limit on the demo's buyer."""
    return pb.RequestBuyerLimitRequest(
        policy=policy,
        buyer_name="CROWN AND CURL BEAUTY INC",
        buyer_country=country,
        amount=usd(amount),
        payment_term_days=90,
    )


def decision(
    limit: str, amount: int, refuse: bool = False, end_date: datetime.date = END
) -> pb.DecideBuyerLimitRequest:
    """The insurer's proposal."""
    dates = {"start_date": rpc.date(START), "end_date": rpc.date(end_date)}
    return pb.DecideBuyerLimitRequest(name=limit, refuse=refuse, amount=usd(amount), payment_term_days=90, **dates)


def shipment_request(limit: str, declaration: str, invoice: int, **fields: Any) -> pb.CreateCoveredShipmentRequest:
    """An invoice due 90 days after shipment."""
    shipment = pb.CoveredShipment(
        buyer_limit=limit,
        declaration=declaration,
        invoice_amount=usd(invoice),
        shipment_date=rpc.date(SHIPPED),
        due_date=rpc.date(DUE),
    )
    for name, value in fields.items():
        getattr(shipment, name).CopyFrom(value)
    return pb.CreateCoveredShipmentRequest(covered_shipment=shipment)


def hold_request(declaration: str, amount: int, hold: str = "", bank: str = BANK) -> pb.HoldCoverRequest:
    """A lender's hold."""
    identifier = hold or str(uuid.uuid4())
    return pb.HoldCoverRequest(
        cover_hold_id=identifier, declaration=declaration, bank=bank, amount=usd(amount), loan="loans/loan-1"
    )


def _sweeping(sweep: Callable[[Transaction], bool]) -> Callable[[Transaction, Any], Message]:
    def run(transaction: Transaction, _request: Any) -> Message:
        sweep(transaction)
        return Empty()

    return run


class World:
    """The service on a store of its own; outcomes of its calls are given by the test."""

    def __init__(self, url: str = "sqlite://") -> None:
        self.store = Database(url, SERVICE.name)
        begin(self.store, SERVICE.migrations, system_random, SERVICE.prepare)
        self.now_us = NOW_US

    def call(self, method: str, request: Any, caller: Caller) -> Any:
        """A command through the writer's own step. Raises the refusal."""
        request.request_id = request.request_id or str(uuid.uuid4())
        operation = SERVICE.operation(method)
        submission = Submission(operation, caller, request, request.request_id, self.now_us, uuid.uuid4().bytes)
        return self._answer(submission)

    def _answer(self, submission: Submission) -> Message:
        outcome = run_batch(self.store, [submission])[submission]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def read(self, method: str, request: Any, caller: Caller) -> Any:
        """A read."""
        with self.store.read() as connection:
            return SERVICE.reads[method](Reading(connection, caller, self.now_us), request)

    def task(self, resource: str) -> tasks.Task | None:
        """Returns the call that the resource owes."""
        with self.store.read() as connection:
            owed = [task for task in tasks.due(connection, self.now_us) if task.resource == resource]
        return owed[0] if owed else None

    def settle(self, resource: str, outcome: tasks.Outcome | Callable[[tasks.Task], Message]) -> None:
        """The owed call had this outcome, which may follow from the call."""
        task = self.task(resource)
        assert task is not None, f"{resource} owes nothing"
        outcome = outcome(task) if callable(outcome) else outcome
        operation = tasks.settle_operation(SERVICE.sagas)
        self._answer(tasks.settlement(operation, task, outcome, self.now_us, uuid.uuid4().bytes))

    def sweep(self) -> None:
        """Does what is due by the clock alone."""
        for sweep in SERVICE.sweeps:
            operation = Operation("sweep", Empty, run=_sweeping(sweep), keeps_requests=False)
            self._answer(Submission(operation, SETTLEMENT, Empty(), "", self.now_us, uuid.uuid4().bytes))

    def policy(self, maximum: int = 100_000_000, **options: Any) -> str:
        """A policy in force."""
        name = self.call("CreatePolicy", policy_request(maximum, **options), MAKER).name
        self.call("ApprovePolicy", pb.ApprovePolicyRequest(name=name), CHECKER)
        return str(name)

    def limit(self, policy: str, amount: int, country: str = "USA") -> str:
        """A buyer limit in force."""
        name = self.call("RequestBuyerLimit", limit_request(policy, amount, country), EXPORTER).name
        self.call("DecideBuyerLimit", decision(name, amount), MAKER)
        self.call("ApproveBuyerLimit", pb.ApproveBuyerLimitRequest(name=name), CHECKER)
        return str(name)

    def shipment(self, name: str, caller: Caller = EXPORTER) -> Any:
        """A shipment as it stands."""
        return self.read("GetCoveredShipment", pb.GetCoveredShipmentRequest(name=name), caller)

    def available(self, limit: str) -> int:
        """Returns what a limit has left."""
        message = self.read("GetBuyerLimit", pb.GetBuyerLimitRequest(name=limit), EXPORTER)
        return int(message.available.minor_units)

    def violations(self) -> list[str]:
        """Returns what verification finds wrong."""
        with self.store.read() as connection:
            return [*SERVICE.violations(connection), *tasks.violations(connection, SERVICE.sagas)]

    def events(self, resource: str) -> list[tuple[str, set[str]]]:
        """Type and tenants of a resource's events."""
        query = sa.text(
            "SELECT position, type, tenant FROM events LEFT JOIN event_tenants USING (position) "
            "WHERE resource = :resource ORDER BY position"
        )
        found: dict[int, tuple[str, set[str]]] = {}
        with self.store.read() as connection:
            for position, kind, tenant in connection.execute(query, {"resource": resource}):
                found.setdefault(position, (kind, set()))[1].add(tenant)
        return list(found.values())


def refusal(world: World, method: str, request: Any, caller: Caller) -> DomainError:
    """The refusal of a command, which must be refused."""
    try:
        answer = world.call(method, request, caller)
    except DomainError as error:
        return error
    raise AssertionError(f"{method} was not refused: {answer}")
