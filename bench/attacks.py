"""Attacks of strangers on pages and JSON, a process of its own: forms, sign-ins, connections that say nothing.

python -m bench.attacks, its plan as JSON on standard input, what came of it as JSON on standard output.
"""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import uvloop

FORM = b"a=&" * 1_600_000
NAMES = json.dumps({str(index): "" for index in range(400_000)}, separators=(",", ":")).encode()
SENDERS = 8
SIGN_INS = 20
SILENT = 600
READ_BYTES = 65_536
# Longer than any of the limits on a connection that says nothing.
SILENT_SECONDS = 25.0


@dataclass(frozen=True, slots=True)
class Attack:
    """An attack of ATTACKS on a host:port, for so many seconds."""

    kind: str
    address: str
    seconds: float


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _connect(address: str, source: str = "") -> Connection:
    host, port = address.rsplit(":", 1)
    return await asyncio.open_connection(host, int(port), local_addr=(source, 0) if source else None)


def request(path: str, content: bytes, media_type: str) -> bytes:
    """Returns a POST that ends its connection."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Aval-Request: 1\r\n"
        f"Content-Type: {media_type}\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


async def send(address: str, content: bytes, source: str = "") -> str:
    """Sends a request. Returns the status of the answer; empty where the connection is cut first."""
    with contextlib.suppress(OSError):
        reader, writer = await _connect(address, source)
        try:
            writer.write(content)
            # A server that refuses early answers before it has read everything.
            draining = asyncio.ensure_future(writer.drain())
            answer = await reader.read(READ_BYTES)
            draining.cancel()
            return answer.split(b" ", 2)[1].decode() if answer.startswith(b"HTTP/") else ""
        finally:
            writer.transport.abort()
    return ""


async def _repeatedly(attack: Attack, senders: int, content: Callable[[int], bytes]) -> dict[str, int]:
    """Sends so many at a time, each again as soon as it was answered. Returns how often each status came."""
    end = time.monotonic() + attack.seconds
    statuses: dict[str, int] = {}
    numbers = iter(range(10**9))

    async def sender() -> None:
        while time.monotonic() < end:
            status = await send(attack.address, content(next(numbers)))
            statuses[status or "cut"] = statuses.get(status or "cut", 0) + 1

    await asyncio.gather(*(sender() for _ in range(senders)))
    return statuses


async def forms(attack: Attack) -> dict[str, Any]:
    """Sends eight forms of 4.8 MB at a time, by nobody."""
    sent = request("/sign-in", FORM, "application/x-www-form-urlencoded")
    return await _repeatedly(attack, SENDERS, lambda _: sent)


async def names(attack: Attack) -> dict[str, Any]:
    """Sends eight JSON sign-ins with 400,000 names at a time."""
    sent = request("/session", NAMES, "application/json")
    return await _repeatedly(attack, SENDERS, lambda _: sent)


def sign_in_request(login: str, password: str) -> bytes:
    """Returns a JSON sign-in."""
    return request("/session", json.dumps({"login": login, "password": password}).encode(), "application/json")


async def sign_ins(attack: Attack) -> dict[str, Any]:
    """Sends twenty sign-ins by made-up names at a time."""
    return await _repeatedly(attack, SIGN_INS, lambda number: sign_in_request(f"nobody.{number}", "guess"))


SILENCES = (
    b"",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Half: ",
    b"POST /session HTTP/1.1\r\nHost: localhost\r\nX-Aval-Request: 1\r\nContent-Length: 1000\r\n\r\n{",
)


async def silence(attack: Attack) -> dict[str, Any]:
    """Opens 600 connections that send no byte, half a head or half a body. Returns how many are open at the end."""
    opened: list[Connection] = []
    for index in range(SILENT):
        with contextlib.suppress(OSError):
            reader, writer = await _connect(attack.address)
            writer.write(SILENCES[index % len(SILENCES)])
            opened.append((reader, writer))
    await asyncio.sleep(max(attack.seconds, SILENT_SECONDS))
    open_still = sum([await _is_open(reader) for reader, _ in opened])
    for _, writer in opened:
        writer.transport.abort()
    return {"opened": len(opened), "open": open_still}


async def _is_open(reader: asyncio.StreamReader) -> bool:
    """Whether the other side hasn't closed it; an answer that came before is read first."""
    with contextlib.suppress(OSError):
        while True:
            try:
                if not await asyncio.wait_for(reader.read(READ_BYTES), 0.001):
                    return False
            except TimeoutError:
                return True
    return False


async def nothing(attack: Attack) -> dict[str, Any]:
    """Does nothing: the figure to compare with."""
    await asyncio.sleep(attack.seconds)
    return {}


ATTACKS: Mapping[str, Callable[[Attack], Awaitable[dict[str, Any]]]] = {
    "nothing": nothing,
    "eight forms of 4.8 MB": forms,
    "eight JSON sign-ins of 400,000 names": names,
    "600 silent connections": silence,
    "600 connections without a TLS handshake": silence,
    "20 sign-ins at a time": sign_ins,
}


async def _main() -> dict[str, Any]:
    attack = Attack(**json.load(sys.stdin))
    return await ATTACKS[attack.kind](attack)


if __name__ == "__main__":
    print(json.dumps(uvloop.run(_main())))
