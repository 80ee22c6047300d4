"""Spans wait for a receiver that comes late: none is lost within the bound, and what is lost is counted and told."""

import asyncio
import contextlib
import logging
import pathlib
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider

from chassis.certificates import Authority, Credentials
from chassis.clock import SystemClock
from chassis.ids import system_random
from chassis.ports import free_port
from chassis.span_outbox import BATCH, MOST_KEPT, SpanOutbox, listens
from gateway.store import Store, open_database
from gateway.traces import store as trace_store
from gateway.traces.gauges import Gauges
from gateway.traces.receiver import Receiver
from tests.support import ring

PATIENCE_SECONDS = 20
MORE_THAN_A_BATCH = BATCH + 88


@pytest.fixture
def certificates(tmp_path: pathlib.Path) -> pathlib.Path:
    """The receiver's certificate, a service's, and a stranger's."""
    authority = Authority(tmp_path / "certificates")
    for name in ("services/gateway", "services/loans", "banks/LMHFCNB0/lmhf.system"):
        authority.issue(name)
    return tmp_path / "certificates"


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """The gateway's store, on each dialect."""
    store = Store(open_database(database_url, system_random, ring()))
    yield store
    store.close()


class Sender:
    """A process that makes spans for a receiver that may not be there."""

    def __init__(self, endpoint: str, most_kept: int) -> None:
        self._endpoint, self.looks = endpoint, 0
        self.outbox = SpanOutbox(OTLPSpanExporter(timeout=PATIENCE_SECONDS), self._look, most_kept)
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(self.outbox)

    def _look(self) -> bool:
        self.looks += 1
        return listens(self._endpoint)

    def send(self, names: range) -> None:
        """Ends a span of each name."""
        tracer = self.provider.get_tracer("test")
        for name in names:
            tracer.start_span(str(name)).end()


@pytest.fixture
def sender(certificates: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Sender]]:
    """`sender(port, most_kept, certificate)`: its endpoint and certificates stand in the standard variables."""
    senders: list[Sender] = []

    def make(port: int, most_kept: int = MOST_KEPT, certificate: str = "services_loans") -> Sender:
        endpoint = f"https://127.0.0.1:{port}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(certificates / "ca.crt"))
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_CLIENT_KEY", str(certificates / f"{certificate}.key"))
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", str(certificates / f"{certificate}.crt"))
        senders.append(Sender(endpoint, most_kept))
        return senders[-1]

    yield make
    for sender in senders:
        sender.provider.shutdown()


@contextlib.asynccontextmanager
async def receiver(certificates: pathlib.Path, store: Store, port: int) -> AsyncIterator[None]:
    """The gateway's receiver for as long as the block lasts."""
    receiving = Receiver(Credentials.load(certificates, "services/gateway"), store, SystemClock(), gauges=Gauges())
    await receiving.start(f"127.0.0.1:{port}")
    yield
    await receiving.stop()


def names(connection: object) -> set[int]:
    """The names of all spans that were received."""
    return {int(row.name) for row in connection.execute(trace_store.spans.select())}  # type: ignore[attr-defined]


async def until(is_so: Callable[[], bool]) -> None:
    """Waits until it is so."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def received(store: Store, count: int) -> set[int]:
    """The names of the spans once so many were received."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(kept := await store.read(names)) < count:
        assert time.monotonic() < deadline, f"{len(kept)} of {count} spans were received"
        await asyncio.sleep(0.05)
    return kept


def warnings_of_spans(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Returns the warnings of the outbox and the exporter; platforms of other tests may log beside them."""
    ours = ("chassis.span_outbox", "opentelemetry")
    warned = [record for record in caplog.records if record.levelno >= logging.WARNING]
    return [record.getMessage() for record in warned if record.name.startswith(ours)]


async def test_spans_from_before_the_receiver_listens_are_received(
    certificates: pathlib.Path, store: Store, sender: Callable[..., Sender], caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    early = sender(port)
    early.send(range(MORE_THAN_A_BATCH))
    await until(lambda: early.looks >= 2)
    async with receiver(certificates, store, port):
        assert await received(store, MORE_THAN_A_BATCH) == set(range(MORE_THAN_A_BATCH))
        early.send(range(MORE_THAN_A_BATCH, MORE_THAN_A_BATCH + 1))
        await received(store, MORE_THAN_A_BATCH + 1)
    assert early.outbox.lost == 0
    assert warnings_of_spans(caplog) == []


async def test_a_receiver_that_goes_and_comes_back_misses_nothing(
    certificates: pathlib.Path, store: Store, sender: Callable[..., Sender]
) -> None:
    """SP1: a receiver that goes and comes back misses nothing."""
    port = free_port()
    patient = sender(port)
    async with receiver(certificates, store, port):
        patient.send(range(10))
        await received(store, 10)
    looks = patient.looks
    patient.send(range(10, 20))
    await until(lambda: patient.looks >= looks + 2)
    async with receiver(certificates, store, port):
        assert await received(store, 20) == set(range(20))
    assert patient.outbox.lost == 0


async def test_beyond_the_bound_the_oldest_are_lost_and_counted(
    certificates: pathlib.Path, store: Store, sender: Callable[..., Sender], caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    crowded = sender(port, most_kept=10)
    crowded.send(range(50))
    # Ten are kept, and at most ten more are on their way to nobody.
    count = crowded.outbox.lost
    assert 30 <= count <= 40
    async with receiver(certificates, store, port):
        assert set(range(40, 50)) <= await received(store, 50 - count)
        await asyncio.to_thread(crowded.provider.shutdown)
    assert crowded.outbox.lost == count
    assert f"{count} spans were lost, {count} since the start" in [record.getMessage() for record in caplog.records]


async def test_a_process_that_stops_waits_for_no_receiver(
    sender: Callable[..., Sender], caplog: pytest.LogCaptureFixture
) -> None:
    stopping = sender(free_port())
    stopping.send(range(MORE_THAN_A_BATCH))
    began = time.monotonic()
    await asyncio.to_thread(stopping.provider.shutdown)
    assert time.monotonic() - began < 4
    assert stopping.outbox.lost == MORE_THAN_A_BATCH
    told = f"{MORE_THAN_A_BATCH} spans were lost, {MORE_THAN_A_BATCH} since the start"
    assert told in [record.getMessage() for record in caplog.records]


async def test_what_the_receiver_refuses_holds_nothing_up(
    certificates: pathlib.Path, store: Store, sender: Callable[..., Sender]
) -> None:
    port = free_port()
    stranger = sender(port, certificate="banks_LMHFCNB0_lmhf.system")
    async with receiver(certificates, store, port):
        stranger.send(range(3))
        await until(lambda: stranger.outbox.lost == 3)
        stranger.send(range(2))
        await until(lambda: stranger.outbox.lost == 5)
    assert await store.read(names) == set()


@pytest.mark.parametrize("form", ["http://127.0.0.1:{}", "https://localhost:{}", "127.0.0.1:{}"])
def test_an_endpoint_listens_once_its_port_is_open(form: str) -> None:
    port = free_port()
    assert not listens(form.format(port))
    with socket.create_server(("127.0.0.1", port)):
        assert listens(form.format(port))
