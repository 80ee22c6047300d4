"""A register of lists on a real store, driven through its functions; and lists made up for it."""

import datetime
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2, pool_pb2, retail_pb2
from google.type import decimal_pb2

from chassis import business_date, eventlog, writer
from chassis.command import Submission, Transaction
from chassis.database import Database
from chassis.identity import Caller
from chassis.ids import Identifiers
from chassis.keyring import KeyRing, generate
from chassis.money import Money, to_proto
from chassis.service import Reading
from services.declarations.assets.pool import commands as pool_commands
from services.declarations.assets.pool import reads as pool_reads
from services.declarations.intake.takers import lists as takers_lists
from services.declarations.intake.takers import reports as takers_reports
from services.declarations.intake.takers import results as takers_results
from services.declarations.intake.takers import summaries as takers_summaries
from services.declarations.service import SERVICE
from services.declarations.window.retail.list import store as list_store
from services.declarations.window.retail.list.model import RetailList, list_id
from tests.support import seeded_random

WINDOW = Caller("windows/henan/system", "windows/henan", frozenset({"WINDOW"}))
MERCHANT, RIVAL = "91411023MAXY00112A", "91410105MAXY002277"
ENTERPRISE = f"enterprises/{MERCHANT}"
EXPORTER = Caller(f"{ENTERPRISE}/lin", ENTERPRISE, frozenset({"EXPORTER"}))
DAY_US = 86_400_000_000
# 2026-11-02 10:00 in Beijing.
NOW_US = int(datetime.datetime(2026, 11, 2, 2, tzinfo=datetime.UTC).timestamp()) * 1_000_000
COUNTRIES = ("USA", "DEU", "FRA", "GBR", "JPN")
PLATFORMS = ("4101D00001", "4101D00002")


def cny(minor_units: int) -> Any:
    """An amount on the wire, in fen."""
    return to_proto(Money("CNY", minor_units))


def list_row(number: int, value: int = 100_00, **fields: Any) -> retail_pb2.RetailList:
    """A list as the window sends it; `fields` replace what is usual."""
    row = retail_pb2.RetailList(
        direction=retail_pb2.EXPORT,
        enterprise_number=f"COP{number:09}",
        order_number=f"ORDER{number:09}",
        platform_code=PLATFORMS[number % len(PLATFORMS)],
        merchant_code=MERCHANT,
        carrier_code="4101980001",
        waybill_number=f"WAYBILL{number:09}",
        customs_office="4612",
        trade_mode="9610",
        country=COUNTRIES[number % len(COUNTRIES)],
        value=cny(value),
    )
    row.envelope.change = retail_pb2.NEW
    row.envelope.send_time.FromMicroseconds(NOW_US - 5 * DAY_US)
    line = row.lines.add(line_number=1, goods_name="WIG", commodity_code="6704200000", total=cny(value))
    line.quantity.CopyFrom(decimal_pb2.Decimal(value="1"))
    for name, content in fields.items():
        if name == "change":
            row.envelope.change = content
        elif name == "send_us":
            row.envelope.send_time.FromMicroseconds(content)
        else:
            setattr(row, name, content)
    return row


def list_number(number: int) -> str:
    """The number that customs gives a list."""
    return f"46122026E{number:09}"


def receipt_row(number: int, code: str, notice_us: int = NOW_US - DAY_US, **fields: Any) -> retail_pb2.RetailReceipt:
    """A receipt that names its list by the enterprise's number and gives it customs' own."""
    said = {"enterprise_number": f"COP{number:09}", "list_number": list_number(number)} | fields
    receipt = retail_pb2.RetailReceipt(status_code=code, **said)
    receipt.notice_time.FromMicroseconds(notice_us)
    return receipt


def name_of(number: int, merchant: str = MERCHANT) -> str:
    """The id of a list of list_row."""
    return list_id("EXPORT", merchant, f"COP{number:09}")


class RetailRegister:
    """The functions of the rooms, each call in a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now_us = NOW_US
        self._keys = KeyRing(generate(seeded_random(5), NOW_US), seeded_random(6))
        self._drawn = 0

    def run(self, function: Callable[..., Any], argument: Any, caller: Caller = WINDOW) -> Any:
        """One command, committed with its events."""
        with self.database.write() as connection:
            transaction = self.transaction(connection, caller)
            answer = function(transaction, argument) if argument is not None else function(transaction)
            eventlog.flush(connection, transaction.events)
        return answer

    def transaction(self, connection: sa.Connection, caller: Caller = WINDOW) -> Transaction:
        """Returns a command's transaction."""
        self._drawn += 1
        ids = Identifiers(self.now_us, self._drawn.to_bytes(8, "big"))
        date = business_date.present(connection, self.now_us)
        return Transaction(connection, caller, self.now_us, ids, business_date=date, keys=self._keys)

    def take(self, function: Callable[..., Any], rows: Sequence[Any]) -> list[str]:
        """The outcomes of rows, by name; a refused one with its reasons."""
        verdicts = self.run(function, [(str(index), row) for index, row in enumerate(rows)])
        return [outcome(verdict) for verdict in verdicts]

    def call(self, method: str, request: Any, caller: Caller = WINDOW) -> Any:
        """A method of the service, by the writer's own way into the store. Raises the refusal."""
        request.request_id = request.request_id or str(uuid.uuid4())
        operation, seed = SERVICE.operation(method), request.request_id.encode()
        asked = Submission(operation, caller, request, request.request_id, self.now_us, seed)
        answer = writer.run_batch(self.database, [asked])[asked]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def lists(self, *rows: retail_pb2.RetailList) -> list[str]:
        """Lists."""
        return self.take(takers_lists.take, rows)

    def receipts(self, *rows: retail_pb2.RetailReceipt) -> list[str]:
        """Receipts of lists."""
        return self.take(takers_lists.take_receipts, rows)

    def summaries(self, *rows: retail_pb2.RetailSummary) -> list[str]:
        """Summaries."""
        return self.take(takers_summaries.take, rows)

    def cancellations(self, *rows: retail_pb2.RetailCancellation) -> list[str]:
        """Applications to cancel or return lists."""
        return self.take(takers_lists.take_cancellations, rows)

    def reports(self, *rows: retail_pb2.RetailReport) -> list[str]:
        """Reports."""
        return self.take(takers_reports.take, rows)

    def results(self, *rows: retail_pb2.RetailSummaryResult) -> list[str]:
        """Results of summaries."""
        return self.take(takers_results.take, rows)

    def list(self, number: int, merchant: str = MERCHANT) -> RetailList:
        """A list as stored."""
        identifier = name_of(number, merchant)
        with self.database.read() as connection:
            return list_store.load(connection, [identifier])[identifier]

    def pool(self, **fields: Any) -> str:
        """A new pool, older lists gathered: its name."""
        request = pool_pb2.CreatePoolRequest(pool=pool_pb2.Pool(currency_code="CNY", **fields))
        name: str = self.run(pool_commands.create, request, EXPORTER).name
        while self.run(pool_commands.gather, None):
            pass
        return name

    def get_pool(self, name: str) -> pool_pb2.Pool:
        """A pool with its base explained."""
        with self.database.read() as connection:
            return pool_reads.get(
                Reading(connection, EXPORTER, self.now_us, self._keys), pool_pb2.GetPoolRequest(name=name)
            )

    def base(self, name: str) -> int:
        """A pool's base, in fen."""
        return int(self.get_pool(name).base.minor_units)

    def settle(self, pool: str, payment: str, *receipts: pool_pb2.PoolReceipt) -> Any:
        """Applies a payment company's payout."""
        request = pool_pb2.ApplyPoolSettlementRequest(pool=pool, payment=payment, receipts=receipts)
        return self.run(pool_commands.settle, request)

    def violations(self) -> Sequence[str]:
        """Returns what the service's own proof finds wrong."""
        with self.database.read() as connection:
            return SERVICE.violations(connection)


def outcome(verdict: declarations_pb2.IntakeVerdict) -> str:
    """A verdict in a word, or in its reasons."""
    if verdict.outcome == declarations_pb2.IntakeVerdict.REFUSED:
        return " ".join(sorted({problem.reason for problem in verdict.problems}))
    return declarations_pb2.IntakeVerdict.Outcome.Name(verdict.outcome)
