"""Connections of pages and JSON: counted by source and in all, and cut when they keep the server waiting.

A connection has so many seconds for its request's head, for its body, and to take an answer; the limits count
from the beginning of each, so that a byte now and then gains nothing.
"""

import asyncio
import enum
import ipaddress
from collections import Counter
from collections.abc import Container, Mapping
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

from gateway.limits import Limits

# So long an answer that came before its request was whole is left for the caller to read.
LINGER_SECONDS = 2
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
IPV6_NETWORK_BITS = 64
# Where bodies are documents, which take longer than messages.
BLOBS = "/blobs/"


def source_of(address: str) -> str:
    """The source that an address belongs to: itself; of IPv6 the network of 64 bits that a subscriber has.

    2001:db8::1 is of 2001:db8::/64, 192.0.2.7 of 192.0.2.7, ::ffff:192.0.2.7 of 192.0.2.7.
    """
    try:
        found = ipaddress.ip_address(address.split("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        mapped = found.ipv4_mapped
        return str(mapped or ipaddress.ip_network((found, IPV6_NETWORK_BITS), strict=False))
    return str(found)


class Places:
    """How many are there at a time: at most so many in all, and of a source."""

    def __init__(self, in_all: int, per_source: int, exempt: Container[str] = ()) -> None:
        """`exempt`: sources that stand for many, such as a TLS edge."""
        self._in_all, self._per_source, self._exempt = in_all, per_source, exempt
        self._by_source: Counter[str] = Counter()

    def enter(self, source: str) -> bool:
        """Takes a place; False if there is none."""
        is_full = self._by_source.total() >= self._in_all
        if is_full or (self._by_source[source] >= self._per_source and source not in self._exempt):
            return False
        self._by_source[source] += 1
        return True

    def leave(self, source: str) -> None:
        """Gives the place back."""
        self._by_source[source] -= 1
        if not self._by_source[source]:
            del self._by_source[source]


class Waiting(enum.Enum):
    """What the server waits for."""

    HEAD = "the head of a request"
    BODY = "the body of a request"
    UPLOAD = "a document, which is longer than any message"
    REST = "the rest of a request that was answered"
    NOTHING = "nothing: it works, or the connection is idle, which uvicorn limits"


def _seconds(limits: Limits) -> Mapping[Waiting, int]:
    return {
        Waiting.HEAD: limits.head_seconds,
        Waiting.BODY: limits.body_seconds,
        Waiting.UPLOAD: limits.upload_seconds,
        Waiting.REST: LINGER_SECONDS,
    }


class LimitedProtocol(H11Protocol):
    """One connection. Made by `protocol_of`, which gives it the limits."""

    places: ClassVar[Places]
    limits: ClassVar[Limits]

    _source: str | None = None
    _waiting = Waiting.NOTHING
    _timer: asyncio.TimerHandle | None = None
    _unread_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Counts it, or refuses it where there are too many."""
        super().connection_made(transport)
        source = source_of(self.client[0]) if self.client else ""
        if not self.places.enter(source):
            transport.write(BUSY)
            transport.close()
            return
        self._source = source
        self._wait_for(Waiting.HEAD)

    def connection_lost(self, exc: Exception | None) -> None:
        """Gives its place back."""
        if self._source is not None:
            self.places.leave(self._source)
            self._source = None
        self._wait_for(Waiting.NOTHING)
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Takes bytes, and sees what is still missing."""
        super().data_received(data)
        self._wait_for(self._missing() or Waiting.HEAD)

    def on_response_complete(self) -> None:
        """Goes on with the next request."""
        super().on_response_complete()
        self._wait_for(self._missing() or Waiting.NOTHING)

    def _missing(self) -> Waiting | None:
        """What a request that was begun is waiting for; None before the next one's head."""
        if self.cycle is None:
            return None
        if self.cycle.response_complete:
            return Waiting.REST if self.cycle.more_body else None
        if not self.cycle.more_body:
            return Waiting.NOTHING
        return Waiting.UPLOAD if self.cycle.scope["path"].startswith(BLOBS) else Waiting.BODY

    def _wait_for(self, waiting: Waiting) -> None:
        """The limit counts from when the waiting began, not from the last byte."""
        if waiting is self._waiting:
            return
        self._waiting = waiting
        if self._timer:
            self._timer.cancel()
            self._timer = None
        seconds = _seconds(self.limits).get(waiting)
        if seconds is not None and not self.transport.is_closing():
            self._timer = self.loop.call_later(seconds, self.transport.abort)

    def pause_writing(self) -> None:
        """The caller reads too slowly: it has so long to catch up."""
        super().pause_writing()
        self._unread_timer = self.loop.call_later(self.limits.unread_answer_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """The caller has caught up."""
        if self._unread_timer:
            self._unread_timer.cancel()
            self._unread_timer = None
        super().resume_writing()


def protocol_of(limits: Limits, edges: Container[str]) -> type[LimitedProtocol]:
    """The protocol of a server's connections, which share their places."""
    attributes: dict[str, Any] = {
        "limits": limits,
        "places": Places(limits.connections_in_all, limits.connections_per_source, edges),
    }
    return type("ServersProtocol", (LimitedProtocol,), attributes)
