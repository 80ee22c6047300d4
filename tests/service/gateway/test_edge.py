"""The edge of pages and JSON: what no request may be, what every answer says, and where a trace begins."""

import asyncio
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from aval.declarations.v1 import declarations_pb2 as pb
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from chassis import telemetry
from gateway.json_api.routes import routes
from gateway.traces import model
from gateway.traces import store as trace_store
from gateway.traces.model import Span
from gateway.web import host_name
from tests.gateway_world import CONSENT, World, call, declare, pages_of
from tests.service.gateway.test_connections import connected

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
# A path of each kind of endpoint, and what it takes.
PATHS = {
    "/session": {"GET", "HEAD", "POST", "DELETE"},
    "/session:endAll": {"POST"},
    "/openapi.json": {"GET", "HEAD"},
    "/healthz": {"GET", "HEAD"},
    "/sign-in": {"GET", "HEAD", "POST"},
    "/sign-out": {"POST"},
    "/events": {"GET", "HEAD"},
    "/static/aval.css": {"GET", "HEAD"},
    "/downloads/declarations.csv": {"GET", "HEAD"},
    "/operations/traces": {"GET", "HEAD"},
    "/v1/declarations": {"GET", "HEAD"},
    "/v1/consents": {"GET", "HEAD", "POST"},
    "/v1/receipts:batchCreate": {"POST"},
}


@pytest.mark.parametrize("path", PATHS)
async def test_a_verb_that_a_path_does_not_take_is_told_what_it_takes(world: World, path: str) -> None:
    async with world.signed_in() as client:
        for verb in VERBS:
            answer = await client.request(verb, path) if verb not in PATHS[path] else None
            if answer is not None:
                assert answer.status_code == 405, verb
                assert set(answer.headers["allow"].split(", ")) == PATHS[path], verb


@pytest.mark.parametrize("path", sorted({route.template for route in routes() if "{" not in route.template}))
async def test_every_route_tells_its_verbs(world: World, path: str) -> None:
    taken = {route.verb for route in routes() if route.template == path}
    async with world.browser() as client:
        answer = await client.request("TRACE", path)
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) - {"HEAD"} >= taken


async def test_what_can_be_read_has_a_head(world: World) -> None:
    name = await declare(world, "462020260000000071")
    async with world.signed_in() as client:
        for path in (f"/v1/{name}", f"/{name}", "/session", "/openapi.json", "/downloads/declarations.csv", "/events"):
            head = await client.head(path)
            assert (head.status_code, head.content) == (200, b""), path
        whole = await client.get(f"/v1/{name}")
        assert (await client.head(f"/v1/{name}")).headers["content-length"] == whole.headers["content-length"]


@pytest.mark.parametrize(
    "path", ["/session", "/v1/declarations", "/v1/nothing", "/openapi.json", "/sign-in", "/nothing"]
)
async def test_no_answer_is_kept_or_guessed(world: World, path: str) -> None:
    async with world.signed_in() as client:
        answer = await client.get(path)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "strict-transport-security" not in answer.headers
        style = await client.get("/static/aval.css")
        assert style.headers["x-content-type-options"] == "nosniff"
        assert "no-store" not in style.headers.get("cache-control", "")


async def test_behind_tls_browsers_stay_with_tls(world: World) -> None:
    https = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"}
    async with pages_of(world, https=True) as always, pages_of(world, http_edges=("127.0.0.1",)) as behind:
        for address, headers in ((always, {}), (behind, https)):
            async with httpx.AsyncClient(base_url=f"http://{address}", headers=headers) as client:
                answer = await client.get("/sign-in")
                assert answer.headers["strict-transport-security"] == "max-age=31536000"
                assert "Secure" in answer.headers["set-cookie"]
    # Whoever isn't an edge says nothing of where it came from.
    async with httpx.AsyncClient(base_url=f"http://{world.addresses.http}", headers=https) as client:
        answer = await client.get("/sign-in")
        assert "strict-transport-security" not in answer.headers
        assert "Secure" not in answer.headers["set-cookie"]


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "", "0x7f.1"])
async def test_a_host_that_is_not_ours_is_refused(world: World, host: str) -> None:
    async with world.browser() as client:
        for path in ("/sign-in", "/v1/declarations"):
            answer = await client.get(path, headers={"Host": host})
            assert answer.status_code == 421
            assert answer.json()["reason"] == "HOST_UNKNOWN"
        assert (await client.get("/healthz", headers={"Host": host})).status_code == 200


async def test_hosts_are_set(world: World) -> None:
    async with pages_of(world, http_hosts=("Aval.Example",)) as address, httpx.AsyncClient() as client:

        async def status(host: str) -> int:
            return (await client.get(f"http://{address}/sign-in", headers={"Host": host})).status_code

        for host in ("aval.example", "AVAL.example:443", "localhost", address):
            assert await status(host) == 200, host
        assert await status("other.example") == 421


@pytest.mark.parametrize(
    ("host", "name"),
    [("Localhost:8080", "localhost"), ("localhost", "localhost"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]"), ("", "")],
)
def test_a_host_s_name(host: str, name: str) -> None:
    assert host_name(host) == name


@pytest.mark.parametrize("order", [1, -1])
async def test_a_body_with_two_lengths_is_refused_and_its_connection_ends(world: World, order: int) -> None:
    lengths = [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"][::order]
    head = b"POST /session HTTP/1.1\r\nHost: localhost\r\nX-Aval-Request: 1\r\n" + b"".join(lengths) + b"\r\n"
    smuggled = b"0\r\n\r\nGET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with connected(world.addresses.http, head + smuggled) as (reader, _):
        answer = await asyncio.wait_for(reader.read(), 10)
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"FRAMING_AMBIGUOUS" in answer
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """Gives the spans of this process, all parts of the platform alike."""
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(telemetry, "tracer", provider.get_tracer("test"))
    yield exporter
    provider.shutdown()


def trace_id(span: ReadableSpan) -> str:
    assert span.context
    return f"{span.context.trace_id:032x}"


def callers(span: ReadableSpan) -> list[str]:
    return [
        f"{link.context.trace_id:032x}" for link in span.links if (link.attributes or {}).get("aval.link") == "caller"
    ]


@pytest.mark.parametrize(
    "path", ["/sign-in", "/v1/declarations", "/v1/nothing", "/declarations", "/forged name", "/session"]
)
async def test_nobody_leaves_no_span(world: World, spans: InMemorySpanExporter, path: str) -> None:
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    async with world.browser() as client:
        for verb in ("GET", "POST", "DELETE"):
            await client.request(verb, path, headers=headers)
        await client.post("/session", json={"login": "nobody.of.traces", "password": "guess"}, headers=headers)
    assert not spans.get_finished_spans()


@pytest.mark.parametrize("flag", ["00", "01"])
async def test_a_trace_begins_at_the_edge_and_is_linked_to_its_callers(
    world: World, spans: InMemorySpanExporter, flag: str
) -> None:
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-{flag}", "Idempotency-Key": str(uuid.uuid4())}
    async with world.signed_in() as client:
        assert (await client.post("/v1/consents", json=CONSENT, headers=headers)).status_code == 200
    await call(
        world.door("window/window.system"), "ListDeclarations", pb.ListDeclarationsRequest(),
        [("traceparent", headers["traceparent"])],
    )  # fmt: skip
    found = spans.get_finished_spans()
    roots = [span for span in found if span.parent is None and callers(span)]
    assert [span.name for span in roots] == [
        "POST /v1/consents",
        "aval.declarations.v1.DeclarationsService.ListDeclarations",
    ]
    assert all(callers(span) == [TRACE] for span in roots)
    assert TRACE not in {trace_id(span) for span in found}
    # What follows is of the trace that began here.
    inside = [span for span in found if span.name.endswith("CreateConsent") and span.parent]
    assert {trace_id(span) for span in inside} == {trace_id(roots[0])}


@pytest.mark.parametrize("traceparent", ["", "forged", f"00-{'0' * 32}-{PARENT}-01", f"ff-{TRACE}-{PARENT}-01"])
async def test_a_broken_trace_context_links_nothing(
    world: World, spans: InMemorySpanExporter, traceparent: str
) -> None:
    async with world.signed_in() as client:
        await client.get("/v1/declarations", headers={"traceparent": traceparent})
    (root,) = [span for span in spans.get_finished_spans() if span.name == "GET /v1/declarations"]
    assert not root.links


async def test_spans_have_names_of_ours_and_the_answer_s_status(world: World, spans: InMemorySpanExporter) -> None:
    name = await declare(world, "462020260000000072")
    spans.clear()
    async with world.signed_in() as client:
        await client.get(f"/{name}")
        await client.get("/declarations/GET")
        await client.get("/v1/declarations/forged")
        await client.get("/v1/declarations?pageSize=462020260000000099")
    roots = {span.name: span for span in spans.get_finished_spans() if span.parent is None}
    assert {"GET /declarations/{id}", "GET /v1/{name=declarations/*}", "GET /v1/declarations"} == set(roots)
    assert all("462020260000000099" not in span.to_json() for span in roots.values())
    statuses = {name: dict(span.attributes or {})["http.response.status_code"] for name, span in roots.items()}
    assert statuses["GET /v1/declarations"] == 400
    pages = [
        dict(span.attributes or {}) for span in spans.get_finished_spans() if span.name == "GET /declarations/{id}"
    ]
    assert pages[0]["aval.declaration.number"] == "462020260000000072"
    assert [page["http.response.status_code"] for page in pages] == [200, 400]


async def test_a_stranger_at_the_door_leaves_no_span(world: World, spans: InMemorySpanExporter) -> None:
    with pytest.raises(Exception, match=r"principal"):
        await call(world.door("banks/LMHFCNB0/unknown"), "ListDeclarations", pb.ListDeclarationsRequest())
    assert not spans.get_finished_spans()


def span_of(trace: str, span: str, start_ns: int, *linked: str) -> Span:
    content = '{"attributes": {}, "events": [], "callers": ["' + '", "'.join(linked) + '"]}' if linked else ""
    return Span(
        trace_id=trace,
        span_id=span,
        parent_span_id="",
        service="gateway",
        name=f"span {span}",
        start_ns=start_ns,
        end_ns=start_ns + 1,
        status="UNSET",
        content=content or EMPTY,
    )


EMPTY = '{"attributes": {}, "events": []}'


async def test_a_caller_finds_what_was_done_for_its_trace(world: World) -> None:
    mine, other, foreign = (uuid.uuid4().hex for _ in range(3))
    batch = [
        span_of(mine, "a1", 1, TRACE),
        span_of(mine, "a2", 2),
        span_of(other, "b1", 3, TRACE),
        span_of(foreign, "c1", 4),
    ]
    with world.gateway.database.write() as connection:
        trace_store.add(connection, batch, 1)
    with world.gateway.database.read() as connection:
        assert [span.span_id for span in trace_store.trace(connection, TRACE)] == ["a1", "a2", "b1"]
        assert [span.span_id for span in trace_store.trace(connection, mine)] == ["a1", "a2"]
    assert model.to_json(TRACE, batch)["traceId"] == TRACE


def asked(header: str) -> dict[str, Any]:
    return {"headers": {"Accept-Language": header}}


@pytest.mark.parametrize(
    ("header", "chinese"),
    [("fr, zh;q=0.8", True), ("zh;q=0.4, en", False), ("zh-TW", True), ("en-GB, zh", False), ("de", False)],
)
async def test_pages_speak_the_language_that_weighs_most(world: World, header: str, chinese: bool) -> None:
    async with world.browser() as client:
        page = await client.get("/sign-in", **asked(header))
        assert ("登录" in page.text) == chinese
        refusal = await client.get("/v1/nothing", **asked(header))
        assert ("此处没有" in refusal.json()["message"]) == chinese
