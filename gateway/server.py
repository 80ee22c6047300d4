"""The running gateway: its store, and those of its parts that the settings name.

The banks' door is a process of its own; pages, JSON and the receiver of spans are another.
"""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

from chassis.certificates import Credentials
from chassis.channel import Channels
from chassis.clock import Clock, SystemClock
from chassis.database import Database
from chassis.identity import GATEWAY, Signer
from chassis.ids import RandomBytes, system_random
from chassis.keyring import KeyFile
from gateway.application import application
from gateway.assertions import Assertions
from gateway.backends import Backends
from gateway.connections import protocol_of
from gateway.directory.directory import Directory
from gateway.door.door import Door
from gateway.door.identification import Identification
from gateway.settings import GatewaySettings
from gateway.store import Store, open_database
from gateway.traces.gauges import Gauges
from gateway.traces.receiver import Receiver
from gateway.web import Rooms

# Live pages' streams are cut after this; browsers come back by themselves.
GRACE_SECONDS = 2
BACKLOG = 2048


@dataclass(frozen=True, slots=True)
class Addresses:
    """The gateway's addresses, host:port each; empty where that part isn't here."""

    http: str
    door: str
    otlp: str

    def told(self) -> str:
        """Returns the addresses for people, such as "http 127.0.0.1:8080, otlp 127.0.0.1:4317"."""
        parts = {"http": self.http, "door": self.door, "otlp": self.otlp}
        return ", ".join(f"{name} {address}" for name, address in parts.items() if address)


class _WebServer(uvicorn.Server):
    """Uvicorn within our loop: signals are the process' own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Captures none of them."""
        yield


class Gateway:
    """A process of the gateway. `start` gives its addresses; `stop` finishes what was begun."""

    def __init__(
        self, settings: GatewaySettings, clock: Clock | None = None, random: RandomBytes = system_random
    ) -> None:
        self._settings, self._clock, self._random = settings, clock or SystemClock(), random
        self._door: Door | None = None
        self._receiver: Receiver | None = None
        self._gauges = Gauges()
        self._web: _WebServer | None = None

    async def start(self) -> Addresses:
        """Migrates the store and opens the ports that the settings name. Raises UnfitStore."""
        settings = self._settings
        keys = KeyFile(settings.key_ring, self._random)
        self.database: Database = await asyncio.to_thread(open_database, settings.database, self._random, keys)
        self._store = Store(self.database)
        credentials = Credentials.load(settings.certificates, GATEWAY)
        signer = Signer((settings.certificates / "services_gateway.signing").read_bytes())
        self._channels = Channels(credentials, settings.services)
        assertions = Assertions(signer, self._clock)
        self._directory = Directory(self._store, self._clock, settings.limits)
        self.identification = Identification(self._directory, assertions, self._clock)
        backends = Backends(self._channels, assertions)
        return Addresses(
            door=await self._open_door(credentials),
            otlp=await self._receive_spans(credentials),
            http=await self._serve_web(backends),
        )

    async def _open_door(self, credentials: Credentials) -> str:
        """Opens the door's port where one is set."""
        listen = self._settings.door_listen
        if not listen:
            return ""
        self._door = Door(credentials, self._channels, self.identification, self._settings.streams_per_tenant)
        return _address(listen, await self._door.start(listen))

    async def _receive_spans(self, credentials: Credentials) -> str:
        """Opens the receiver's port where one is set."""
        listen = self._settings.otlp_listen
        if not listen:
            return ""
        self._receiver = Receiver(credentials, self._store, self._clock, self._settings.limits, gauges=self._gauges)
        return _address(listen, await self._receiver.start(listen))

    async def _serve_web(self, backends: Backends) -> str:
        """Opens the port of pages and JSON where one is set."""
        if not self._settings.http_listen:
            return ""
        self._rooms = Rooms(
            self._directory, backends, self._store, self._clock, self._settings.limits, self._settings.https,
            gauges=self._gauges,
        )  # fmt: skip
        host, port = self._settings.http_listen.rsplit(":", 1)
        listener = socket.create_server((host, int(port)), backlog=BACKLOG)
        self._web = _WebServer(_web_configuration(application(self._rooms, self._settings.hosts), self._settings))
        self._web_task = asyncio.create_task(self._web.serve([listener]))
        return f"{host}:{listener.getsockname()[1]}"

    async def stop(self) -> None:
        """Closes the ports, then what stands behind them."""
        if self._web:
            self._web.should_exit = True
            await self._web_task
            self._rooms.bodies.close()
        if self._door:
            await self._door.stop()
        if self._receiver:
            await self._receiver.stop()
        await self._channels.close()
        self._directory.close()
        self._store.close()


def _web_configuration(app: ASGIApp, settings: GatewaySettings) -> uvicorn.Config:
    limits, edges = settings.limits, settings.http_edges
    return uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", ws="none", server_header=False,
        http=protocol_of(limits, edges), h11_max_incomplete_event_size=limits.head_bytes,
        timeout_keep_alive=limits.idle_seconds, timeout_graceful_shutdown=GRACE_SECONDS, backlog=BACKLOG,
        # Whoever isn't an edge of ours says nothing about where a request came from.
        proxy_headers=bool(edges), forwarded_allow_ips=list(edges),
    )  # fmt: skip


def _address(listen: str, port: int) -> str:
    return f"{listen.rsplit(':', 1)[0]}:{port}"
