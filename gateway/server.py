"""The running gateway: store, door, pages and JSON, and the receiver of spans, in one process and one loop."""

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
from gateway.application import application
from gateway.assertions import Assertions
from gateway.backends import Backends
from gateway.directory.directory import Directory
from gateway.door.door import Door
from gateway.door.identification import Identification
from gateway.settings import GatewaySettings
from gateway.store import Store, open_database
from gateway.traces.receiver import Receiver
from gateway.web import Rooms

# Live pages' streams are cut after this; browsers come back by themselves.
GRACE_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the gateway listens, host:port each; no receiver of spans: empty."""

    http: str
    door: str
    otlp: str


class _WebServer(uvicorn.Server):
    """Uvicorn within our loop: signals are the process' own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None of them."""
        yield


class Gateway:
    """One process of the gateway. `start` gives its addresses; `stop` finishes what was begun."""

    def __init__(
        self, settings: GatewaySettings, clock: Clock | None = None, random: RandomBytes = system_random
    ) -> None:
        self._settings, self._clock, self._random = settings, clock or SystemClock(), random
        self._receiver: Receiver | None = None

    async def start(self) -> Addresses:
        """Migrates the store and opens the ports."""
        settings = self._settings
        self.database: Database = await asyncio.to_thread(open_database, settings.database, self._random)
        self._store = Store(self.database)
        credentials = Credentials.load(settings.certificates, GATEWAY)
        signer = Signer((settings.certificates / "services_gateway.signing").read_bytes())
        self._channels = Channels(credentials, settings.services)
        assertions = Assertions(signer, self._clock)
        directory = Directory(self._store, self._clock)
        self.identification = Identification(directory, assertions, self._clock)
        self._door = Door(credentials, self._channels, self.identification, settings.streams_per_tenant)
        door = await self._door.start(settings.door_listen)
        otlp = await self._receive_spans(credentials)
        rooms = Rooms(directory, Backends(self._channels, assertions), self._store, self._clock)
        http = await self._serve_web(application(rooms))
        return Addresses(http, _address(settings.door_listen, door), otlp)

    async def _receive_spans(self, credentials: Credentials) -> str:
        """Opens the receiver's port where one is set."""
        listen = self._settings.otlp_listen
        if not listen:
            return ""
        self._receiver = Receiver(credentials, self._store, self._clock)
        return _address(listen, await self._receiver.start(listen))

    async def _serve_web(self, app: ASGIApp) -> str:
        host, port = self._settings.http_listen.rsplit(":", 1)
        listener = socket.create_server((host, int(port)), backlog=1024)
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", ws="none", server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )  # fmt: skip
        self._web = _WebServer(config)
        self._web_task = asyncio.create_task(self._web.serve([listener]))
        return f"{host}:{listener.getsockname()[1]}"

    async def stop(self) -> None:
        """Closes the ports, then what stands behind them."""
        self._web.should_exit = True
        await self._web_task
        await self._door.stop()
        if self._receiver:
            await self._receiver.stop()
        await self._channels.close()
        self._store.close()


def _address(listen: str, port: int) -> str:
    return f"{listen.rsplit(':', 1)[0]}:{port}"
