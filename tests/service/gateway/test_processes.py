"""The gateway and a service as processes of their own: one trace across both; a service that is gone."""

import asyncio
import os
import pathlib
import signal
import subprocess
import sys
import time
import uuid
from typing import Any

import httpx
import pyotp

from chassis import keyring
from chassis.certificates import Authority
from chassis.ids import system_random
from chassis.keyring import KeyFile
from chassis.ports import free_port
from gateway.directory.directory import load_principals
from gateway.settings import GatewaySettings
from gateway.store import open_database
from tests.gateway_world import CONSENT, OPERATOR, PASSWORD, PRINCIPALS, SECRET

SECONDS = 20


async def until(check: Any) -> Any:
    """Returns the check's result as soon as there is one."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            if found := await check():
                return found
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline, "nothing came"
        await asyncio.sleep(0.05)


def prepare(folder: pathlib.Path) -> GatewaySettings:
    authority = Authority(folder / "certificates")
    for name in ("services/gateway", "services/declarations"):
        authority.issue(name)
        authority.signing_key(name)
    for name in ("declarations", "gateway"):
        keyring.prepare(authority.folder, name, 0)
    service, http, door, otlp = (f"127.0.0.1:{free_port()}" for _ in range(4))
    url = f"sqlite:///{folder / 'store'}"
    keys = KeyFile(keyring.file_of(authority.folder, "gateway"))
    database = open_database(url, system_random, keys)
    load_principals(database, PRINCIPALS)
    load_principals(database, PRINCIPALS)
    database.close()
    return GatewaySettings(url, authority.folder, {"declarations": service}, http, door, otlp)


def spawn(settings: GatewaySettings, certificate: str, *command: str) -> subprocess.Popen[bytes]:
    base = str(settings.certificates / certificate)
    telemetry = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"https://{settings.otlp_listen}",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": str(settings.certificates / "ca.crt"),
        "OTEL_EXPORTER_OTLP_CLIENT_KEY": f"{base}.key",
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": f"{base}.crt",
    }
    listen = {"AVAL_LISTEN": settings.services["declarations"]}
    ring = {"AVAL_KEYS": str(keyring.file_of(settings.certificates, certificate.removeprefix("services_")))}
    environment = {**os.environ, **settings.to_environment(), **listen, **ring, **telemetry}
    return subprocess.Popen([sys.executable, "-m", *command], env=environment, stdout=subprocess.DEVNULL)


async def test_a_trace_begins_at_the_click_and_goes_on_in_the_service(tmp_path: pathlib.Path) -> None:
    settings = prepare(tmp_path)
    gateway = spawn(settings, "services_gateway", "gateway", "pages")
    service = spawn(settings, "services_declarations", "services.declarations")
    try:
        headers = {"X-Aval-Request": "1", "Accept": "application/json"}
        async with httpx.AsyncClient(base_url=f"http://{settings.http_listen}", headers=headers) as client:
            await follow_a_trace(client)
            service.kill()
            service.wait()
            await sign_in(client, "ruijia.li")
            answer = await client.get("/v1/declarations")
            assert (answer.status_code, answer.json()["reason"]) == (503, "SERVICE_UNAVAILABLE")
        gateway.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(gateway.wait, SECONDS) == 0
    finally:
        for process in (gateway, service):
            process.kill()
            process.wait()


async def sign_in(client: httpx.AsyncClient, login: str) -> bool:
    code = {"oneTimeCode": pyotp.TOTP(SECRET).now()} if login == OPERATOR else {}
    answer = await client.post("/session", json={"login": login, "password": PASSWORD, **code})
    return answer.status_code == 201


async def follow_a_trace(client: httpx.AsyncClient) -> None:
    await until(lambda: sign_in(client, "ruijia.li"))
    key = {"Idempotency-Key": str(uuid.uuid4())}

    async def consent() -> bool:
        return (await client.post("/v1/consents", json=CONSENT, headers=key)).status_code == 200

    await until(consent)
    await sign_in(client, OPERATOR)

    async def both() -> Any:
        for entry in (await client.get("/operations/traces")).json()["traces"]:
            trace = (await client.get(f"/operations/traces/{entry['traceId']}.json")).json()
            names = [span["name"] for span in trace["spans"] if span["status"] != "ERROR"]
            if "POST /v1/consents" in names and set(trace["services"]) == {"gateway", "declarations"}:
                return trace
        return None

    trace = await until(both)
    spans = {span["spanId"]: span for span in trace["spans"]}
    (served,) = [
        span for span in trace["spans"] if span["service"] == "declarations" and "CreateConsent" in span["name"]
    ]
    forwarded = spans[served["parentSpanId"]]
    clicked = spans[forwarded["parentSpanId"]]
    assert [forwarded["service"], clicked["name"]] == ["gateway", "POST /v1/consents"]
    assert clicked["parentSpanId"] == ""
