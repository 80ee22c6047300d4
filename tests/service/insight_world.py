"""A register without its servers: requests and sweeps go through the writer's own batches into a real store."""

import datetime
import itertools
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from aval.declarations.v1 import declarations_pb2
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from google.type import date_pb2, decimal_pb2

from chassis import writer
from chassis.clock import MICROSECONDS
from chassis.command import Operation, Submission, Transaction
from chassis.database import Database
from chassis.identity import Caller, service_caller
from chassis.money import Money, to_proto
from chassis.service import Reading
from services.declarations.insight.fold import commands as fold_commands
from services.declarations.insight.norms import commands as norms_commands
from services.declarations.insight.portrait import commands as portrait_commands
from services.declarations.service import SERVICE
from tests.support import begin, seeded_random

Declaration = declarations_pb2.Declaration
NOW = datetime.datetime(2026, 11, 23, 4, tzinfo=datetime.UTC)
NOW_US = int(NOW.timestamp()) * MICROSECONDS
ENTERPRISES = ("enterprises/91411023MAXY00112A", "enterprises/91410105MAXY002277")
WINDOW = Caller("windows/henan/system", "windows/henan", frozenset({"WINDOW"}))
REGULATOR = Caller("regulators/4600/ren", "regulators/4600", frozenset({"REGULATOR"}))
EXPORTER = Caller(f"{ENTERPRISES[0]}/lin", ENTERPRISES[0], frozenset({"EXPORTER"}))
RIVAL = Caller(f"{ENTERPRISES[1]}/wu", ENTERPRISES[1], frozenset({"EXPORTER"}))
BANK = Caller("banks/LMHFCNB0/mei", "banks/LMHFCNB0", frozenset({"BANK_MAKER"}))


def number(index: int, direction: int = 0) -> str:
    """A customs number."""
    return f"46012026{direction}{index:09}"


def goods(code: str = "6704200000", quantity: str = "10", cents: int = 100_00, unit: str = "011") -> Any:
    """A line of goods; cents: of one unit."""
    line = declarations_pb2.DeclarationLine(
        line_number=1, commodity_code=code, goods_name="WIGS", unit=unit, origin_country="CHN"
    )
    line.quantity.CopyFrom(decimal_pb2.Decimal(value=quantity))
    line.total.CopyFrom(to_proto(Money("USD", int(quantity) * cents)))
    return line


def row(
    index: int,
    *lines: Any,
    enterprise: str = ENTERPRISES[0],
    day: str = "2026-11-02",
    direction: int = 0,
    **fields: Any,
) -> Declaration:
    """A declaration of goods, one line if none is given."""
    fields = {"trade_mode": "0110", "transport_mode": "2", "destination_country": "USA", "buyer_name": "ACME"} | fields
    declared = Declaration(declaration_number=number(index, direction), enterprise=enterprise, **fields)
    on = datetime.date.fromisoformat(day)
    declared.export_date.CopyFrom(date_pb2.Date(year=on.year, month=on.month, day=on.day))
    declared.lines.extend(lines or [goods()])
    for place, line in enumerate(declared.lines, 1):
        line.line_number = place
    declared.declared_value.CopyFrom(to_proto(Money("USD", sum(line.total.minor_units for line in declared.lines))))
    return declared


class Register:
    """The declarations service's functions on a store."""

    def __init__(self, store: Database) -> None:
        self.store, self.now_us = store, NOW_US
        self._random, self._notices = seeded_random(7), itertools.count(1)
        begin(store, SERVICE.migrations, self._random, SERVICE.prepare)

    def ask(self, method: str, request: Any, caller: Caller = WINDOW) -> Any:
        """The answer of a method; a refusal is raised."""
        if method in SERVICE.reads:
            with self.store.read() as connection:
                return SERVICE.reads[method](Reading(connection, caller, self.now_us), request)
        request.request_id = str(uuid.uuid4())
        return self._run(SERVICE.operation(method), request, caller)

    def _run(self, operation: Operation, request: Message, caller: Caller) -> Any:
        request_id = getattr(request, "request_id", "")
        submission = Submission(operation, caller, request, request_id, self.now_us, self._random(16))
        outcome = writer.run_batch(self.store, [submission])[submission]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def declare(self, *rows: Declaration) -> None:
        """Declarations or amendments, each of which is taken."""
        request = declarations_pb2.BatchCreateDeclarationsRequest(declarations=rows)
        verdicts = self.ask("BatchCreateDeclarations", request).verdicts
        assert {verdict.outcome for verdict in verdicts} == {declarations_pb2.IntakeVerdict.ACCEPTED}, verdicts

    def amend(self, changed: Declaration) -> None:
        """A later amendment than all before."""
        changed.amend_time.FromSeconds(1_793_000_000 + next(self._notices))
        self.declare(changed)

    def receive(self, *receipts: tuple[str, str]) -> None:
        """Receipts (customs number, channel code), each later than those before."""
        request = declarations_pb2.BatchCreateReceiptsRequest()
        for customs_number, code in receipts:
            receipt = request.receipts.add(declaration_number=customs_number, channel_code=code)
            receipt.notice_time.FromSeconds(1_793_600_000 + next(self._notices))
        self.ask("BatchCreateReceipts", request)

    def sweep(self, work: Callable[[Transaction], bool]) -> bool:
        """One run of a sweep."""
        found: list[bool] = []

        def run(transaction: Transaction, _request: Message) -> Message:
            found.append(work(transaction))
            return Empty()

        self._run(Operation("sweep", Empty, run=run, keeps_requests=False), Empty(), service_caller("declarations"))
        return found[-1]

    def settle(self) -> None:
        """Everything derived, as far as the clock lets it."""
        for work in (fold_commands.follow, norms_commands.seed, norms_commands.publish, portrait_commands.assess):
            while self.sweep(work):
                pass

    def rows(self, query: Any) -> Sequence[Any]:
        """The rows of a query."""
        with self.store.read() as connection:
            return connection.execute(query).all()
