"""The platform as processes: four services and the gateway's two, restarted when they die, gone when we are."""

import asyncio
import os
import sys
import time
from collections.abc import Mapping, Sequence

from chassis import keyring
from chassis.certificates import Authority
from chassis.clock import SystemClock
from chassis.ports import free_port, is_free
from chassis.process import LIFELINE
from chassis.settings import Settings
from cli.layout import Addresses, CannotRun, Layout
from gateway.settings import DOOR, PAGES

SERVICES = ("declarations", "settlement", "credit_insurance", "loans")
GATEWAY = "gateway"
# The gateway's processes, in the order in which they stop: spans go to the one that serves pages.
GATEWAY_PARTS = (DOOR, PAGES)
HTTP_PORT = 8080
DOOR_PORT = 7443
FIRST_RESTART_SECONDS = 0.2
LONGEST_RESTART_SECONDS = 10.0
STOP_SECONDS = 10.0
READY_SECONDS = 60.0


def prepare_certificates(layout: Layout) -> Authority:
    """Makes the development authority with certificates, signing keys and key rings of all processes."""
    authority = Authority(layout.certificates)
    for name in (*SERVICES, GATEWAY):
        authority.issue(f"services/{name}")
        authority.signing_key(f"services/{name}")
        keyring.prepare(layout.keys, name, SystemClock().now_us())
    return authority


def settings_of(layout: Layout, service: str, listen: str, addresses: Addresses) -> Settings:
    """Returns the settings of a service's process."""
    keys = keyring.file_of(layout.keys, service)
    return Settings(addresses.database, listen, layout.certificates, addresses.services, keys)


def choose_addresses(database: str, fixed_ports: bool) -> Addresses:
    """Returns ports on loopback: the usual ones for a person's platform where they are free, any others otherwise."""
    used: set[int] = set()

    def choose(wanted: int = 0) -> str:
        port = wanted if fixed_ports and wanted and is_free(wanted) else free_port()
        while port in used:
            port = free_port()
        used.add(port)
        return f"127.0.0.1:{port}"

    services = {name: choose() for name in SERVICES}
    return Addresses(choose(HTTP_PORT), choose(DOOR_PORT), choose(), services, database, os.getpid())


class CannotStart(CannotRun):
    """A process said that starting it again won't help."""


class Child:
    """One process: started, watched, started again."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], lifeline: int) -> None:
        """`command`: the module and its arguments."""
        self.name, self._command, self._lifeline = name, command, lifeline
        self._environment = {**os.environ, **environment, LIFELINE: str(lifeline)}
        self.process: asyncio.subprocess.Process | None = None
        self.ready = asyncio.Event()
        self.restarts = 0
        self._stopping = False

    async def run(self) -> None:
        """Runs until stopped. A child that dies soon after its start is started again ever more slowly.

        Raises CannotStart.
        """
        delay = FIRST_RESTART_SECONDS
        while not self._stopping:
            started = time.monotonic()
            await self._start()
            if self._stopping:
                return
            if self.process is not None and self.process.returncode == os.EX_CONFIG:
                raise CannotStart(f"{self.name} can't work on this store; it said why above")
            lived = time.monotonic() - started
            delay = (
                FIRST_RESTART_SECONDS if lived > LONGEST_RESTART_SECONDS else min(delay * 2, LONGEST_RESTART_SECONDS)
            )
            self.restarts += 1
            print(f"{self.name} ended; starting it again", file=sys.stderr, flush=True)
            await asyncio.sleep(delay)

    async def _start(self) -> None:
        """Lives one life: ready at its first line of output."""
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *self._command,
            env=self._environment,
            pass_fds=(self._lifeline,),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            if b"listens" in line:
                self.ready.set()
        await self.process.wait()
        self.ready.clear()

    async def stop(self) -> None:
        """Ends it politely, then not."""
        self._stopping = True
        if self.process is None or self.process.returncode is not None:
            return
        self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), STOP_SECONDS)
        except TimeoutError:
            self.process.kill()


class Supervisor:
    """All processes of a local platform."""

    def __init__(self, layout: Layout, addresses: Addresses) -> None:
        self.layout, self.addresses = layout, addresses
        # Never written to: when we are gone, by whatever death, its other end reads the end of file.
        lifeline, self._held = os.pipe()
        os.set_inheritable(lifeline, True)
        self._lifeline = lifeline
        services = {name: self._child(name, name, [f"services.{name}"]) for name in SERVICES}
        parts = {part: self._child(part, GATEWAY, [GATEWAY, part]) for part in GATEWAY_PARTS}
        self.children = {**services, **parts}
        self._runs: list[asyncio.Task[None]] = []

    def _child(self, name: str, identity: str, command: Sequence[str]) -> Child:
        return Child(name, command, self._environment(identity), self._lifeline)

    def _environment(self, name: str) -> dict[str, str]:
        addresses = self.addresses
        listen = addresses.services.get(name, addresses.door)
        settings = settings_of(self.layout, name, listen, addresses)
        environment = settings.to_environment() | self._telemetry(name)
        environment |= {
            "AVAL_HTTP_LISTEN": addresses.http,
            "AVAL_DOOR_LISTEN": addresses.door,
            "AVAL_OTLP_LISTEN": addresses.traces,
            "PYTHONUNBUFFERED": "1",
            # What strangers send at the door isn't repeated in the log.
            "GRPC_VERBOSITY": os.environ.get("GRPC_VERBOSITY", "ERROR"),
            # Threads share their memory pools: a process keeps less that it doesn't use.
            "MALLOC_ARENA_MAX": "2",
        }
        return environment

    def _telemetry(self, name: str) -> dict[str, str]:
        """Spans go to the built-in receiver unless the environment names another backend."""
        if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
            return {}
        certificates = self.layout.certificates
        return {
            "OTEL_EXPORTER_OTLP_TIMEOUT": "2",
            "OTEL_METRIC_EXPORT_INTERVAL": "15000",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"https://{self.addresses.traces}",
            "OTEL_EXPORTER_OTLP_CERTIFICATE": str(certificates / "ca.crt"),
            "OTEL_EXPORTER_OTLP_CLIENT_KEY": str(certificates / f"services_{name}.key"),
            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": str(certificates / f"services_{name}.crt"),
        }

    async def start(self) -> None:
        """Starts all and waits until all are ready.

        Raises TimeoutError if they never are, CannotStart if one can't be.
        """
        self._runs = [asyncio.create_task(child.run()) for child in self.children.values()]
        ready = asyncio.create_task(self._ready())
        async with asyncio.timeout(READY_SECONDS):
            await asyncio.wait([ready, *self._runs], return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        for run in self._runs:
            if run.done():
                run.result()
        self.layout.announce(self.addresses)

    async def _ready(self) -> None:
        for child in self.children.values():
            await child.ready.wait()

    async def stop(self) -> None:
        """Stops the services first: their last spans go to the gateway's receiver."""
        await asyncio.gather(*(self.children[name].stop() for name in SERVICES))
        for part in GATEWAY_PARTS:
            await self.children[part].stop()
        for run in self._runs:
            run.cancel()
        await asyncio.gather(*self._runs, return_exceptions=True)
        os.close(self._held)
        os.close(self._lifeline)
