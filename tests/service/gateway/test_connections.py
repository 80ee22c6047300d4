"""Connections of pages and JSON: what keeps the server waiting is cut, and nobody takes all places."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.connections import LINGER_SECONDS, Places, source_of
from tests.gateway_world import World, pages_of

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
SHORT = {"head_seconds": 1, "body_seconds": 1, "idle_seconds": 1, "unread_answer_seconds": 1}
# Twice the limit and what a busy machine takes.
PATIENCE_SECONDS = 6.0


@contextlib.asynccontextmanager
async def connected(address: str, sent: bytes = b"", source: str = "127.0.0.1") -> AsyncIterator[Connection]:
    host, port = address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port), local_addr=(source, 0))
    try:
        writer.write(sent)
        yield reader, writer
    finally:
        writer.transport.abort()


async def seconds_until_cut(reader: asyncio.StreamReader) -> float:
    """How long the other side leaves it open. TimeoutError if it doesn't cut it."""
    start = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while await asyncio.wait_for(reader.read(65_536), PATIENCE_SECONDS):
            pass
    return time.monotonic() - start


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Half: ",
        b"POST /session HTTP/1.1\r\nHost: localhost\r\nX-Aval-Request: 1\r\nContent-Length: 100\r\n\r\n{",
        b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nX-Aval-Request: 1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        HEAD,
        HEAD + b"GET /he",
    ],
    ids=["no byte", "half a line", "half a head", "half a body", "half a chunk", "nothing more", "half a second head"],
)
async def test_who_keeps_the_server_waiting_is_cut(world: World, sent: bytes) -> None:
    async with pages_of(world, **SHORT) as address, connected(address, sent) as (reader, _):
        assert await seconds_until_cut(reader) < PATIENCE_SECONDS


@pytest.mark.parametrize(
    "begun",
    [
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
        b"POST /session HTTP/1.1\r\nHost: localhost\r\nX-Aval-Request: 1\r\nContent-Length: 100\r\n\r\n",
    ],
    ids=["head", "body"],
)
async def test_a_byte_now_and_then_gains_nothing(world: World, begun: bytes) -> None:
    async with pages_of(world, **SHORT) as address, connected(address, begun) as (reader, writer):
        cut = asyncio.create_task(seconds_until_cut(reader))
        while not cut.done():
            writer.write(b"a")
            await asyncio.sleep(0.1)
        assert await cut < PATIENCE_SECONDS


async def test_the_rest_of_an_answered_request_is_not_waited_for(world: World) -> None:
    sent = b"POST /v1/consents HTTP/1.1\r\nHost: localhost\r\nX-Aval-Request: 1\r\nContent-Length: 5000000\r\n\r\n{"
    async with pages_of(world, **SHORT) as address, connected(address, sent) as (reader, _):
        assert (await reader.readline()).startswith(b"HTTP/1.1 401")
        assert await seconds_until_cut(reader) < LINGER_SECONDS + PATIENCE_SECONDS


async def test_an_answer_that_nobody_takes_is_cut(world: World) -> None:
    sent = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100
    async with pages_of(world, **SHORT) as address, connected(address, sent) as (reader, writer):
        # What the other side says is left in the pipes: they are full soon.
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        async with asyncio.timeout(5 * PATIENCE_SECONDS):
            while not writer.transport.is_closing() and await _is_held(address):
                await asyncio.sleep(0.1)


async def _is_held(address: str) -> bool:
    """Whether the server still has a connection of ours beside the one that asks: the kernel's table tells."""
    port = int(address.split(":")[1])
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table][1:]
    established, local = "01", f":{port:04X}"
    return any(row[1].endswith(local) and row[3] == established for row in rows)


async def test_connections_of_a_source_and_in_all_have_a_limit(world: World) -> None:
    limits = {"connections_per_source": 3, "connections_in_all": 5}
    async with contextlib.AsyncExitStack() as stack:
        address = await stack.enter_async_context(pages_of(world, **limits))

        async def answered(source: str) -> bool:
            opened = connected(address, HEAD, source)
            reader, _ = await stack.enter_async_context(opened)
            return (await reader.readline()).startswith(b"HTTP/1.1 200")

        assert [await answered("127.0.0.1") for _ in range(4)] == [True, True, True, False]
        assert [await answered("127.0.0.2") for _ in range(3)] == [True, True, False]
        assert not await answered("127.0.0.3")


async def test_a_place_is_free_again_when_its_connection_ends(world: World) -> None:
    async with pages_of(world, connections_per_source=2) as address:
        for _ in range(10):
            async with connected(address, HEAD) as (reader, _):
                assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            async with asyncio.timeout(PATIENCE_SECONDS):
                while await _is_held(address):
                    await asyncio.sleep(0.01)


async def test_an_edge_stands_for_many(world: World) -> None:
    async with contextlib.AsyncExitStack() as stack:
        edges = pages_of(world, connections_per_source=1, http_edges=("127.0.0.1",))
        address = await stack.enter_async_context(edges)
        for _ in range(4):
            reader, _ = await stack.enter_async_context(connected(address, HEAD))
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")


async def test_whoever_is_served_is_not_cut(world: World) -> None:
    async with pages_of(world, **SHORT, connections_per_source=20) as address:
        limits = httpx.Limits(max_connections=10)
        async with httpx.AsyncClient(base_url=f"http://{address}", limits=limits, timeout=20) as client:
            answers = await asyncio.gather(*(client.get("/openapi.json") for _ in range(40)))
    assert {answer.status_code for answer in answers} == {200}


async def test_a_head_of_any_length_is_not_read(world: World) -> None:
    sent = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"a" * 40_000
    async with connected(world.addresses.http, sent) as (reader, _):
        assert (await reader.readline()).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::2:0:0:1", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("a unix socket", "a unix socket"),
    ],
)
def test_a_source_is_what_a_subscriber_has(address: str, source: str) -> None:
    assert source_of(address) == source


def test_places_are_counted_by_source_and_in_all() -> None:
    places = Places(in_all=3, per_source=2, exempt=("edge",))
    assert [places.enter("one") for _ in range(3)] == [True, True, False]
    assert [places.enter("edge") for _ in range(2)] == [True, False]
    places.leave("one")
    assert places.enter("edge")
    assert not places.enter("one")
