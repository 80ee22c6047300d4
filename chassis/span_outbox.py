"""Spans on their way to the receiver: kept in order until it takes them, bounded, with a count of what was lost."""

import logging
import socket
import threading
import urllib.request
from collections import deque
from collections.abc import Callable
from urllib.parse import urlsplit

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

# The oldest spans beyond this are lost.
MOST_KEPT = 8192
BATCH = 512
# Between two exports, and between two looks for a receiver that isn't there.
DELAY_SECONDS = 0.5
CONNECT_SECONDS = 1.0
STOP_SECONDS = 5.0
# Exports of one batch to a receiver that listens: what it refuses so often is lost.
ATTEMPTS = 3

logger = logging.getLogger(__name__)


def listens(endpoint: str) -> bool:
    """Whether something accepts connections at an endpoint: `https://localhost:4317`, a port left out is the scheme's.

    Behind a proxy nobody can tell, so that it counts as listening.
    """
    url = urlsplit(endpoint if "//" in endpoint else f"//{endpoint}")
    host = url.hostname or "localhost"
    if urllib.request.getproxies() and not urllib.request.proxy_bypass(host):
        return True
    try:
        socket.create_connection((host, url.port or (80 if url.scheme == "http" else 443)), CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


class SpanOutbox(SpanProcessor):
    """Exports ended spans from a thread of its own, and none before the receiver listens.

    A batch that fails is tried again: OpenTelemetry's BatchSpanProcessor would lose it.
    """

    def __init__(self, exporter: SpanExporter, is_listening: Callable[[], bool], most_kept: int = MOST_KEPT) -> None:
        self._exporter, self._is_listening, self._most_kept = exporter, is_listening, most_kept
        self._kept: deque[ReadableSpan] = deque()
        self._lock = threading.Lock()
        self._lost = 0
        self._told = 0
        self._is_due, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="spans", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> int:
        """Returns how many spans the receiver will never get."""
        return self._lost

    def on_end(self, span: ReadableSpan) -> None:
        """Keeps a span that is sampled; the oldest gives way where there are too many."""
        if not (span.context and span.context.trace_flags.sampled):
            return
        with self._lock:
            if len(self._kept) >= self._most_kept:
                self._kept.popleft()
                self._lost += 1
            self._kept.append(span)
            is_enough = len(self._kept) >= BATCH
        if is_enough:
            self._is_due.set()

    def shutdown(self) -> None:
        """Sends what is kept if the receiver listens, and ends."""
        self._stopping.set()
        self._is_due.set()
        self._thread.join(STOP_SECONDS)
        self._exporter.shutdown()

    def _work(self) -> None:
        while not self._stopping.is_set():
            self._is_due.wait(DELAY_SECONDS)
            self._is_due.clear()
            self._send()
        self._send()

    def _send(self) -> None:
        """Sends all that is kept, the oldest first, and tells what was lost."""
        while batch := self._take():
            if not (self._wait_for_receiver() and self._deliver(batch)):
                self._lose(len(batch))
        self._tell()

    def _take(self) -> list[ReadableSpan]:
        with self._lock:
            return [self._kept.popleft() for _ in range(min(BATCH, len(self._kept)))]

    def _wait_for_receiver(self) -> bool:
        """Waits until the receiver listens. False where it doesn't and the process stops."""
        while not self._is_listening():
            if self._stopping.wait(DELAY_SECONDS):
                return False
        return True

    def _deliver(self, batch: list[ReadableSpan]) -> bool:
        """Exports a batch, several times if need be. Returns whether the receiver took it."""
        for _ in range(ATTEMPTS):
            if self._exporter.export(batch) is SpanExportResult.SUCCESS:
                return True
            if not self._wait_for_receiver():
                return False
        return False

    def _lose(self, spans: int) -> None:
        with self._lock:
            self._lost += spans

    def _tell(self) -> None:
        if self._lost > self._told:
            logger.error("%d spans were lost, %d since the start", self._lost - self._told, self._lost)
            self._told = self._lost
