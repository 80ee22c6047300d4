"""`aval bench queries`: reading and searching among millions of declarations, through gRPC: latencies by kind.

The store is filled by COPY, its rows the same as those of `bench intake`.
"""

import asyncio
import itertools
import random
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import psycopg
from aval.declarations.v1 import declarations_pb2
from google.protobuf.message import Message

from bench.declarations import CHAPTERS, COUNTRIES, Maker, enterprises
from bench.intake import COPY_BATCH, SERVER, WINDOW, copy
from bench.posting import Bench, prepared
from bench.processes import serving
from bench.rows import Row, Scale
from chassis.certificates import Credentials
from chassis.channel import Channels
from chassis.client import AssertingClient
from chassis.clock import SystemClock
from chassis.identity import Caller
from chassis.ports import free_port
from chassis.settings import Settings
from chassis.testing import postgresql

CALLERS = (1, 4)
CONSENTS = 500
WARM_UP_CALLS = 50
# Of the 18 of a customs number.
PREFIX_DIGITS = 16
GOAL_MILLISECONDS = 20
BANK = Caller("banks/BENCHCN0/system", "banks/BENCHCN0", frozenset({"BANK_SYSTEM"}))
FEW = Caller("banks/BENCHCN1/system", "banks/BENCHCN1", frozenset({"BANK_SYSTEM"}))

Told = Callable[[Row], None]


@dataclass(frozen=True, slots=True)
class Query:
    """A kind of question, and the caller that asks it."""

    method: str
    make: Callable[[random.Random, int], Message]
    caller: Callable[[random.Random], Caller]


def exporter(chance: random.Random) -> Caller:
    """Returns somebody of one of the enterprises."""
    tenant = f"enterprises/{chance.choice(_ENTERPRISES)}"
    return Caller(f"{tenant}/clerk", tenant, frozenset({"EXPORTER"}))


_ENTERPRISES = enterprises()


def _get(chance: random.Random, rows: int) -> Message:
    number = Maker.identifier(chance.randrange(rows))
    return declarations_pb2.GetDeclarationRequest(name=f"declarations/{number}")


def _list(_chance: random.Random, _rows: int) -> Message:
    return declarations_pb2.ListDeclarationsRequest(page_size=50)


def _to_a_country(chance: random.Random, _rows: int) -> Message:
    request = declarations_pb2.ListDeclarationsRequest(page_size=50)
    request.filter.destination_countries.append(chance.choice(COUNTRIES))
    request.filter.chapters.append(chance.choice(CHAPTERS))
    return request


def _by_number(chance: random.Random, rows: int) -> Message:
    request = declarations_pb2.ListDeclarationsRequest(page_size=50)
    request.filter.number_prefix = Maker.identifier(chance.randrange(rows))[:PREFIX_DIGITS]
    return request


QUERIES: Mapping[str, Query] = {
    "get, the window": Query("GetDeclaration", _get, lambda _: WINDOW),
    "list 50, an exporter's own": Query("ListDeclarations", _list, exporter),
    "list 50, a bank with 500 consents": Query("ListDeclarations", _list, lambda _: BANK),
    "list 50, a bank with one consent": Query("ListDeclarations", _list, lambda _: FEW),
    "list 50, the window": Query("ListDeclarations", _list, lambda _: WINDOW),
    "search by country and chapter, an exporter's own": Query("ListDeclarations", _to_a_country, exporter),
    "search by country and chapter, the window": Query("ListDeclarations", _to_a_country, lambda _: WINDOW),
    "search by the number's beginning, the window": Query("ListDeclarations", _by_number, lambda _: WINDOW),
}


def run(scale: Scale, told: Told) -> None:
    """Fills PostgreSQL to the scale's rows and tells the latencies of each kind."""
    with prepared(scale.seconds, "declarations") as bench, postgresql(SERVER) as server:
        database = server.new_database()
        address = f"127.0.0.1:{free_port()}"
        settings = Settings(database, address, bench.authority.folder, {})
        with serving("services.declarations", settings=settings):
            seconds = _fill(database, scale.rows)
            told(Row(f"filled by COPY to {scale.rows:,} rows", scale.rows / seconds, "rows/s"))
            asyncio.run(_measure(bench, address, scale, told))


def _fill(database: str, rows: int) -> float:
    start, maker, now_us = time.perf_counter(), Maker(), SystemClock().now_us()
    for first in range(0, rows, COPY_BATCH):
        copy(database, [maker.stored(number, now_us) for number in range(first, min(rows, first + COPY_BATCH))])
    seconds = time.perf_counter() - start
    with psycopg.connect(database, autocommit=True) as connection:
        # As a store is that has come to rest; else it would be tidied up while it is measured.
        connection.execute("VACUUM (ANALYZE) declarations.declarations")
    return seconds


async def _measure(bench: Bench, address: str, scale: Scale, told: Told) -> None:
    credentials = Credentials.load(bench.authority.folder, "services/gateway")
    channels = Channels(credentials, {"declarations": address})
    client = AssertingClient(channels, bench.signer, SystemClock())
    await _consent(client)
    for (what, query), callers in itertools.product(QUERIES.items(), CALLERS):
        latencies = await _latencies(client, query, scale, callers)
        median, p99 = latencies[len(latencies) // 2], latencies[int(len(latencies) * 0.99)]
        where = f"{what}, at {scale.rows:,} rows, {callers} at once"
        told(Row(f"{where}: median", median, "ms", better="lower"))
        told(Row(f"{where}: p99", p99, "ms", None, GOAL_MILLISECONDS, "figure", "lower"))
    await channels.close()


async def _consent(client: AssertingClient) -> None:
    """Lets the one bank see so many enterprises, and the other one of them."""
    expire_us = SystemClock().now_us() + 10**12
    for code in _ENTERPRISES[:CONSENTS]:
        await _give(client, code, BANK.tenant, expire_us)
    await _give(client, _ENTERPRISES[0], FEW.tenant, expire_us)


async def _give(client: AssertingClient, code: str, institution: str, expire_us: int) -> None:
    request = declarations_pb2.CreateConsentRequest(request_id=str(uuid.uuid4()))
    request.consent.institution, request.consent.purpose = institution, "financing"
    request.consent.expire_time.FromMicroseconds(expire_us)
    tenant = f"enterprises/{code}"
    await client.call("declarations", "CreateConsent", request, Caller(tenant, tenant, frozenset({"EXPORTER"})))


async def _latencies(client: AssertingClient, query: Query, scale: Scale, callers: int) -> list[float]:
    """Returns the milliseconds, sorted, of as many calls as some callers make one after the other."""
    chance, milliseconds = random.Random(3), []
    end = time.perf_counter() + scale.seconds

    async def ask() -> None:
        while time.perf_counter() < end:
            request, caller = query.make(chance, scale.rows), query.caller(chance)
            before = time.perf_counter()
            await client.call("declarations", query.method, request, caller)
            milliseconds.append((time.perf_counter() - before) * 1000)

    await asyncio.gather(*(ask() for _ in range(callers)))
    return sorted(milliseconds[WARM_UP_CALLS:] or milliseconds)
