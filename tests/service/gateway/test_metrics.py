"""A service's process tells how old its owed calls are; an operator reads it at the gateway."""

import pathlib
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from aval.settlement.v1 import settlement_pb2

from chassis import keyring, tables
from chassis.certificates import Authority
from chassis.database import Database
from chassis.identity import service_caller
from gateway.settings import GatewaySettings
from gateway.traces.gauges import MOST_SERIES, Gauge, Gauges
from tests.gateway_world import OPERATOR
from tests.service.gateway.test_processes import prepare, sign_in, spawn, until

HOUR_US = 3_600_000_000


def owe(database: Database, parked: str | None, resource: str, peer: str, since_us: int) -> None:
    """Owes a call since a time, to a peer that nobody reaches."""
    row = {"resource": resource, "branch": "", "saga": "loan", "step": "disburse", "round": 1, "service": peer}
    row |= {"method": "Disburse", "request": settlement_pb2.DisburseRequest().SerializeToString(), "tenant": "banks/X"}
    row |= {"caller": service_caller("loans").to_text(), "traceparent": "", "business_date": "", "not_before_us": 0}
    row |= {"since_us": since_us, "due_us": since_us, "attempts": 0, "failure": None, "parked": parked}
    with database.write() as connection:
        connection.execute(sa.insert(tables.tasks).values(row))


@pytest.fixture
def processes(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GatewaySettings]:
    """The gateway's pages and loans as processes that tell their metrics twice a second."""
    settings = prepare(tmp_path)
    authority = Authority(settings.certificates)
    authority.issue("services/loans")
    authority.signing_key("services/loans")
    keyring.prepare(authority.folder, "loans", 0)
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "500")
    running = [
        spawn(settings, "services_gateway", "gateway", "pages"),
        spawn(settings, "services_loans", "services.loans"),
    ]
    yield settings
    for process in running:
        process.kill()
        process.wait()


async def ages(client: httpx.AsyncClient) -> dict[str, float]:
    """The seconds that an operator reads, by peer."""
    told = [metric for metric in await metrics(client) if metric["name"] == "aval.owed.age"]
    assert {metric["unit"] for metric in told} <= {"s"}
    return {metric["attributes"]["aval.peer"]: metric["value"] for metric in told}


async def metrics(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    """The metrics that an operator reads."""
    told: list[dict[str, Any]] = (await client.get("/operations/metrics.json")).json()["metrics"]
    return told


async def test_an_operator_reads_how_old_the_oldest_owed_call_to_each_peer_is(processes: GatewaySettings) -> None:
    headers = {"X-Aval-Request": "1", "Accept": "application/json"}
    async with httpx.AsyncClient(base_url=f"http://{processes.http_listen}", headers=headers) as client:
        await until(lambda: sign_in(client, "ruijia.li"))
        assert (await client.get("/operations/metrics.json")).status_code == 403
        await sign_in(client, OPERATOR)

        async def nothing_owed() -> bool:
            return await ages(client) == {"declarations": 0}

        await until(nothing_owed)
        owe_three(processes.database)

        async def owed() -> Any:
            return "settlement" in (told := await ages(client)) and told

        told = await until(owed)
        followed = {metric["name"]: metric for metric in await metrics(client) if "aval.source" in metric["attributes"]}
    assert {metric["attributes"]["aval.source"] for metric in followed.values()} == {"declarations"}
    # Nobody serves declarations here: it isn't known how far its log is, but that nothing of it comes.
    assert followed["aval.events.age"]["value"] > 0
    assert (followed["aval.events.behind"]["value"], followed["aval.events.parked"]["value"]) == (0, 0)
    assert told.keys() == {"declarations", "settlement"}
    assert told["declarations"] == 0
    assert 7200 <= told["settlement"] < 7260


def owe_three(address: str) -> None:
    """Owes settlement calls since one and two hours, and credit insurance one that is parked."""
    now_us = time.time_ns() // 1000
    database = Database(address, "loans")
    owe(database, None, "loans/1", "settlement", now_us - 2 * HOUR_US)
    owe(database, None, "loans/2", "settlement", now_us - HOUR_US)
    owe(database, "for a person", "loans/3", "credit_insurance", now_us - HOUR_US)
    database.close()


def gauge(peer: str, value: float) -> Gauge:
    return Gauge("loans", "aval.owed.age", "s", {"aval.peer": peer}, value, 1_767_225_600_000_000_000)


def test_the_newest_value_of_a_series_counts_and_there_are_so_many_series() -> None:
    gauges = Gauges()
    gauges.keep([gauge("settlement", 1.0), gauge("declarations", 2.0), gauge("settlement", 3.0)])
    assert [(kept.attributes["aval.peer"], kept.value) for kept in gauges.newest()] == [
        ("declarations", 2.0),
        ("settlement", 3.0),
    ]
    gauges.keep(gauge(str(number), 0.0) for number in range(MOST_SERIES))
    gauges.keep([gauge("settlement", 4.0)])
    assert len(gauges.newest()) == MOST_SERIES
    assert gauges.newest()[-1].to_json() == {
        "service": "loans",
        "name": "aval.owed.age",
        "unit": "s",
        "attributes": {"aval.peer": "settlement"},
        "value": 4.0,
        "time": "2026-01-01T00:00:00+00:00",
    }
