"""`aval bench encumbrances`: 64 institutions reserve the value of one declaration, and of many, through gRPC."""

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from aval.declarations.v1 import declarations_pb2

from bench.encumbrance_load import ReservePlan
from bench.posting import Bench, prepared
from bench.processes import pgbench, run_load, serving
from bench.rows import Row, Scale
from chassis import rpc
from chassis.certificates import Credentials
from chassis.channel import Channels
from chassis.client import AssertingClient
from chassis.clock import MICROSECONDS, SystemClock
from chassis.identity import Caller
from chassis.money import Money
from chassis.ports import free_port
from chassis.settings import Settings
from chassis.testing import postgresql

ENTERPRISE = "enterprises/91411023MAXY00112A"
EXPORTER = Caller(f"{ENTERPRISE}/bench", ENTERPRISE, frozenset({"EXPORTER"}))
WINDOW = Caller("windows/bench/system", "windows/bench", frozenset({"WINDOW"}))
INSTITUTIONS = [f"banks/BENC{chr(65 + index // 26)}{chr(65 + index % 26)}N0" for index in range(64)]
MANY = 1024
PER_CALL = 1000
BATCH_CALLERS = 4
VALUE_CENTS = 10**13
RECEIPTS = "7LPR"

Told = Callable[[Row], None]


@dataclass(frozen=True, slots=True)
class Form:
    """The way in which institutions reserve, and the assets of each."""

    name: str
    pari_passu: bool
    assets: list[list[str]]


def run(scale: Scale, told: Told) -> None:
    """Tells each row as it is measured."""
    with prepared(scale.seconds, "declarations") as bench, postgresql({"max_wal_size": "4GB"}) as server:
        ceiling = pgbench(server.binaries, server.new_database(), scale.seconds)
        told(Row("pgbench, scale 10, 16 clients, prepared", ceiling, "transactions/s"))
        _run(bench, "PostgreSQL", server.new_database(), ceiling, told)
        _run(bench, "SQLite", f"sqlite:///{bench.folder / 'store'}", ceiling, told)


def _run(bench: Bench, dialect: str, database: str, ceiling: float, told: Told) -> None:
    address = f"127.0.0.1:{free_port()}"
    settings = Settings(database, address, bench.authority.folder, {})
    with serving("services.declarations", settings=settings):
        forms = asyncio.run(_prepare(bench, address))
        for batch in (1, PER_CALL):
            call = "unary, 64 callers" if batch == 1 else f"{batch:,} a call"
            for mode in ("exclusive", "pari passu"):
                many = _measured(bench, address, forms[mode, "many"], batch)
                entry = _measured(bench, address, forms[mode, "one"], batch)
                _check(mode, entry)
                told(Row(f"{dialect}: {call}, {mode}, many declarations ÷ pgbench", many["per_second"],
                         "reservations/s", ceiling))  # fmt: skip
                told(Row(f"{dialect}: {call}, {mode}, one declaration ÷ many", entry["per_second"],
                         "reservations/s", many["per_second"], 0.9, "ratio"))  # fmt: skip


def _check(mode: str, figures: dict[str, float]) -> None:
    """Checks that there is one winner where one may hold, and that all win where all rank equally."""
    if mode == "pari passu" and figures["refused"]:
        raise RuntimeError(f"{figures['refused']} reservations that rank equally were refused")
    if mode == "exclusive" and not figures["refused"]:
        raise RuntimeError("nobody was refused where one may hold")


def _measured(bench: Bench, address: str, form: Form, batch: int) -> dict[str, float]:
    """Returns the figures of one load; an assertion lasts minutes, so each load has its own."""
    count = len(INSTITUTIONS) if batch == 1 else BATCH_CALLERS
    now_us = SystemClock().now_us()
    assertions = [bench.signer.assertion(_system(name), "declarations", now_us) for name in INSTITUTIONS[:count]]
    folder = str(bench.authority.folder)
    plan = ReservePlan(address, folder, assertions, form.assets[:count], form.pari_passu, bench.seconds, batch)
    return run_load("bench.encumbrance_load", plan)


def _system(institution: str) -> Caller:
    return Caller(f"{institution}/system", institution, frozenset({"BANK_SYSTEM"}))


async def _prepare(bench: Bench, address: str) -> dict[tuple[str, str], Form]:
    """Makes declarations with final evidence and consents for all; one declaration for all, or some for each."""
    credentials = Credentials.load(bench.authority.folder, "services/gateway")
    channels = Channels(credentials, {"declarations": address})
    client = AssertingClient(channels, bench.signer, SystemClock())
    await asyncio.gather(*(_consent(client, institution) for institution in INSTITUTIONS))
    forms = {}
    for number, mode in enumerate(("exclusive", "pari passu")):
        names = [name for part in range(2) for name in await _declare(client, number * 2 + part, MANY // 2 + 1)]
        shared, own = names[0], names[1:]
        ones = [own[index :: len(INSTITUTIONS)] for index in range(len(INSTITUTIONS))]
        each_form = Form(mode, mode != "exclusive", [[shared]] * len(INSTITUTIONS))
        forms[mode, "one"], forms[mode, "many"] = each_form, replace(each_form, assets=ones)
    await channels.close()
    for form in forms.values():
        _measured(replace(bench, seconds=0.5), address, form, 1)
    return forms


async def _consent(client: AssertingClient, institution: str) -> None:
    consent = declarations_pb2.Consent(institution=institution, purpose="bench")
    consent.expire_time.FromMicroseconds(SystemClock().now_us() + 86_400 * MICROSECONDS)
    request = declarations_pb2.CreateConsentRequest(request_id=str(uuid.uuid4()), consent=consent)
    await client.call("declarations", "CreateConsent", request, EXPORTER)


async def _declare(client: AssertingClient, part: int, count: int) -> list[str]:
    """Declares goods of one request, which the window has closed. Returns the declarations' names."""
    numbers = [f"460120260{part * 10**6 + index:09}" for index in range(count)]
    rows = [_row(number) for number in numbers]
    batch = declarations_pb2.BatchCreateDeclarationsRequest(request_id=str(uuid.uuid4()), declarations=rows)
    answer: Any = await client.call("declarations", "BatchCreateDeclarations", batch, WINDOW)
    if any(verdict.problems for verdict in answer.verdicts):
        raise RuntimeError(str(answer.verdicts[0]))
    for hour, code in enumerate(RECEIPTS):
        receipts = declarations_pb2.BatchCreateReceiptsRequest(request_id=str(uuid.uuid4()))
        for number in numbers:
            receipt = receipts.receipts.add(declaration_number=number, channel_code=code)
            receipt.notice_time.FromSeconds(int(time.time()) - 36_000 + hour * 3600)
        await client.call("declarations", "BatchCreateReceipts", receipts, WINDOW)
    return [f"declarations/{number}" for number in numbers]


def _row(number: str) -> declarations_pb2.Declaration:
    row = declarations_pb2.Declaration(
        declaration_number=number, enterprise=ENTERPRISE, trade_mode="0110", transport_mode="2",
        destination_country="USA",
    )  # fmt: skip
    row.declared_value.currency_code, row.declared_value.minor_units = "USD", VALUE_CENTS
    line = row.lines.add(line_number=1, commodity_code="6704200000", goods_name="WIGS", origin_country="CHN")
    line.quantity.CopyFrom(rpc.decimal(Decimal(1)))
    line.unit_price.CopyFrom(rpc.decimal(Money("USD", VALUE_CENTS).major()))
    line.total.CopyFrom(row.declared_value)
    return row
