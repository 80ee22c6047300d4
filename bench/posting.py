"""`aval bench posting`: durable double-entry transfers through gRPC, beside the echo and pgbench of the same run."""

import asyncio
import contextlib
import pathlib
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from aval.settlement.v1 import settlement_pb2

from bench.load import Plan
from bench.processes import measured, pgbench, serving
from bench.rows import Row, Scale
from chassis import keyring
from chassis.certificates import Authority, Credentials
from chassis.channel import Channels
from chassis.client import AssertingClient
from chassis.clock import SystemClock
from chassis.identity import Caller, Signer
from chassis.ports import free_port
from chassis.settings import Settings
from chassis.testing import postgresql

BANK = "banks/BENCHCN0"
TELLER = Caller(f"{BANK}/system", BANK, frozenset({"BANK_SYSTEM"}))
ACCOUNTS = 1000
CALLERS = 64
BATCH_CALLERS = 4
PER_CALL = 1000
EACH_ACCOUNT_FEN = 10**12

Told = Callable[[Row], None]


@dataclass(frozen=True, slots=True)
class Bench:
    """What one run stands on."""

    folder: pathlib.Path
    authority: Authority
    seconds: float

    def plan(self, address: str, accounts: list[str]) -> Plan:
        """The unary plan; others are variations of it."""
        assertion = self.signer.assertion(TELLER, "settlement", SystemClock().now_us())
        certificates = str(self.authority.folder)
        return Plan(
            address=address,
            certificates=certificates,
            assertion=assertion,
            accounts=accounts,
            callers=CALLERS,
            seconds=self.seconds,
            batch=1,
            hot=False,
            bare=False,
        )

    @property
    def signer(self) -> Signer:
        """The gateway's."""
        return Signer(self.authority.signing_key("services/gateway"))


@contextlib.contextmanager
def prepared(seconds: float, service: str = "settlement") -> Iterator[Bench]:
    """A folder with certificates, on the disk the project lies on: a memory disk would flatter fsync."""
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=pathlib.Path.cwd()) as folder:
        authority = Authority(pathlib.Path(folder) / "certificates")
        for name in (f"services/{service}", "services/gateway"):
            authority.issue(name)
            authority.signing_key(name)
        keyring.prepare(authority.folder, service, SystemClock().now_us())
        yield Bench(pathlib.Path(folder), authority, seconds)


async def open_accounts(bench: Bench, address: str) -> list[str]:
    """The accounts of a bank's customers, each with money on it."""
    credentials = Credentials.load(bench.authority.folder, "services/gateway")
    channels = Channels(credentials, {"settlement": address})
    client = AssertingClient(channels, bench.signer, SystemClock())
    names = await asyncio.gather(*(_open(client, number) for number in range(ACCOUNTS)))
    nostro = await _open(client, 0, "NOSTRO", BANK)
    request = settlement_pb2.BatchCreateTransfersRequest(request_id=str(uuid.uuid4()))
    for name in names:
        transfer = request.transfers.add(transfer_id=str(uuid.uuid4()), debit_account=nostro, credit_account=name)
        transfer.amount.currency_code, transfer.amount.minor_units = "CNY", EACH_ACCOUNT_FEN
    await client.call("settlement", "BatchCreateTransfers", request, TELLER)
    await channels.close()
    return list(names)


async def _open(client: AssertingClient, number: int, kind: str = "CURRENT", owner: str = "") -> str:
    account = settlement_pb2.Account(
        owner=owner or f"enterprises/91410100MABEN{number:05}", currency_code="CNY", kind=kind
    )
    request = settlement_pb2.OpenAccountRequest(request_id=str(uuid.uuid4()), account=account)
    opened: settlement_pb2.Account = await client.call("settlement", "OpenAccount", request, TELLER)
    return opened.name


def _echo(bench: Bench, kind: str) -> float:
    """Calls a second of an echo."""
    address = f"127.0.0.1:{free_port()}"
    settings = Settings("", address, bench.authority.folder, {})
    with serving("bench.echo", kind, settings=settings):
        plan = bench.plan(address, ["accounts/a", "accounts/b"])
        return measured(replace(plan, bare=kind == "bare"))["per_second"]


def _posting(bench: Bench, database: str) -> dict[str, float]:
    """Transfers a second by form: unary and batch, spread and hot."""
    address = f"127.0.0.1:{free_port()}"
    settings = Settings(database, address, bench.authority.folder, {})
    with serving("services.settlement", settings=settings):
        accounts = asyncio.run(open_accounts(bench, address))
        plan = bench.plan(address, accounts)
        batch = replace(plan, batch=PER_CALL, callers=BATCH_CALLERS)
        forms = {
            "unary, spread": plan,
            "unary, hot": replace(plan, hot=True),
            "1,000 a call, spread": batch,
            "1,000 a call, hot": replace(batch, hot=True),
        }
        return {form: measured(each_plan)["per_second"] for form, each_plan in forms.items()}


def run(scale: Scale, told: Told) -> None:
    """Tells each row as it is measured."""
    seconds = scale.seconds
    with prepared(seconds) as bench, postgresql({"min_wal_size": "1GB", "max_wal_size": "4GB"}) as server:
        bare, full = _echo(bench, "bare"), _echo(bench, "full")
        told(Row("bare echo, 64 callers", bare, "calls/s"))
        told(Row("echo with TLS, identity, validation, tracing", full, "calls/s", bare))
        ceiling = pgbench(server.binaries, server.new_database(), seconds)
        told(Row("pgbench, scale 10, 16 clients, prepared", ceiling, "transactions/s"))
        results = {}
        for dialect, database in (
            ("PostgreSQL", server.new_database()),
            ("SQLite", f"sqlite:///{bench.folder / 'store'}"),
        ):
            results[dialect] = _posting(bench, database)
            _tell(dialect, results[dialect], bare, full, ceiling, told)
        batch = "1,000 a call, spread"
        told(
            Row("SQLite batch ÷ PostgreSQL batch", results["SQLite"][batch], "transfers/s",
                results["PostgreSQL"][batch], 0.7, "ratio")
        )  # fmt: skip


def _tell(dialect: str, found: dict[str, float], bare: float, full: float, ceiling: float, told: Told) -> None:
    is_production = dialect == "PostgreSQL"
    unary, batch = found["unary, spread"], found["1,000 a call, spread"]
    told(Row(f"{dialect}: unary ÷ full echo", unary, "transfers/s", full, 0.8, "ratio"))
    told(Row(f"{dialect}: unary ÷ bare echo", unary, "transfers/s", bare))
    told(Row(f"{dialect}: unary ÷ pgbench", unary, "transfers/s", ceiling, 1.0 if is_production else None, "ratio"))
    told(
        Row(f"{dialect}: 1,000 a call ÷ pgbench", batch, "transfers/s", ceiling, 10 if is_production else None, "ratio")
    )
    told(Row(f"{dialect}: unary, hot account ÷ spread", found["unary, hot"], "transfers/s", unary, 0.9, "ratio"))
    hot = found["1,000 a call, hot"]
    told(Row(f"{dialect}: 1,000 a call, hot account ÷ spread", hot, "transfers/s", batch, 0.9, "ratio"))
