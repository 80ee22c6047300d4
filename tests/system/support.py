"""A platform as a user starts it: `aval up --demo` in a process of its own, to be watched and killed."""

import contextlib
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import grpc
from click.testing import CliRunner
from google.protobuf.message import Message

from chassis import private
from chassis.certificates import Credentials
from chassis.channel import OPTIONS, channel_credentials
from chassis.contracts import contract
from cli.demo import story
from cli.layout import Layout
from cli.main import main
from cli.supervisor import GATEWAY_PARTS
from tests.support import Refusal, refusal_of

AVAL = str(pathlib.Path(sys.executable).parent / "aval")
PATIENCE_SECONDS = 120


class Up:
    """A running `aval up` on a folder, with the demo's story unless it shall do without."""

    def __init__(
        self,
        folder: pathlib.Path,
        *arguments: str,
        demo: bool = True,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        command = [AVAL, "up", *(["--demo"] if demo else []), "--folder", str(folder), *arguments]
        self.process = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []

    def wait_for(self, text: str) -> None:
        """Reads on until a line has the text. AssertionError with all lines if none comes."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if text in line:
                return
        raise AssertionError(f"no {text!r} in:\n{''.join(self.lines)}")

    def child(self, name: str) -> int:
        """The process id of one of its children: a service, or one of the gateway's parts, door or pages."""
        command = ["-m", "gateway", name] if name in GATEWAY_PARTS else ["-m", f"services.{name}"]
        (found,) = [child for child in self.children() if command_line(child)[-len(command) :] == command]
        return found

    def children(self) -> list[int]:
        """The process ids of all its children."""
        threads = pathlib.Path(f"/proc/{self.process.pid}/task").iterdir()
        return [int(name) for thread in threads for name in (thread / "children").read_text().split()]

    def kill(self) -> None:
        """kill -9 of `up` itself."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """As Ctrl-C does."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.communicate(timeout=PATIENCE_SECONDS)


@contextlib.contextmanager
def up(folder: pathlib.Path, *arguments: str, **options: Any) -> Iterator[Up]:
    """`aval up` for as long as the block lasts."""
    running = Up(folder, *arguments, **options)
    try:
        yield running
    finally:
        running.stop()
        if running.process.stdout:
            running.process.stdout.close()


def wait_until_gone(process_ids: list[int]) -> None:
    """Until none of the processes is left. AssertionError if one stays."""
    deadline = time.monotonic() + 10
    while left := [process_identifier for process_identifier in process_ids if is_alive(process_identifier)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


def command_line(process_id: int) -> list[str]:
    """Returns the command line that a process was started with."""
    return pathlib.Path(f"/proc/{process_id}/cmdline").read_text().rstrip("\0").split("\0")


def is_alive(process_id: int) -> bool:
    """Whether the process runs; one that only waits to be reaped doesn't."""
    try:
        return pathlib.Path(f"/proc/{process_id}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def kill(process_id: int) -> None:
    """kill -9."""
    os.kill(process_id, signal.SIGKILL)


def aval(*arguments: str) -> subprocess.CompletedProcess[str]:
    """One of the commands, to its end."""
    return subprocess.run([AVAL, *arguments], capture_output=True, text=True, timeout=PATIENCE_SECONDS)


def here(*arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit status and report of a command in this process, for who asks so often that an interpreter's start counts."""
    umask = os.umask(private.UMASK)
    try:
        done = CliRunner().invoke(main, [*arguments, "--json"])
    finally:
        os.umask(umask)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, json.loads(done.stdout)


def copy_stores(source: pathlib.Path, target: pathlib.Path) -> None:
    """Copies a folder of SQLite stores as they are now, whoever writes to them."""
    target.mkdir(parents=True)
    for file in source.glob("*.sqlite"):
        with (
            contextlib.closing(sqlite3.connect(file)) as original,
            contextlib.closing(sqlite3.connect(target / file.name)) as copy,
        ):
            original.backup(copy)


def verify(folder: pathlib.Path, *arguments: str) -> dict[str, Any]:
    """`aval verify --json` of a folder."""
    report: dict[str, Any] = json.loads(aval("verify", "--json", "--folder", str(folder), *arguments).stdout)
    return report


class Door:
    """A platform that runs on a folder, as those see it who come from outside."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.layout = Layout(folder)
        addresses = self.layout.running()
        assert addresses, f"nothing runs on {folder}"
        self.addresses = addresses
        self._channels: dict[str, grpc.Channel] = {}

    @property
    def certificates(self) -> pathlib.Path:
        """Where everyone's certificates are."""
        return self.layout.certificates

    @property
    def declaration_number(self) -> str:
        """The story's declaration."""
        kept = self.layout.read("story.json")
        return story.Script(**{key: kept[key] for key in ("story_id", "started_us", "date")}).declaration_number

    def channel(self, credentials: Credentials) -> grpc.Channel:
        """A connection that shows a certificate."""
        return grpc.secure_channel(self.addresses.door, channel_credentials(credentials), options=OPTIONS)

    def _known(self, certificate: str) -> grpc.Channel:
        if certificate not in self._channels:
            self._channels[certificate] = self.channel(Credentials.load(self.certificates, certificate))
        return self._channels[certificate]

    def raw(self, certificate: str, service: str, method: str, content: bytes, language: str = "en") -> bytes:
        """A call by whom a certificate names, bytes to bytes. grpc.RpcError."""
        call = self._known(certificate).unary_unary(contract(service).path(method))
        return bytes(call(content, metadata=[("accept-language", language)], timeout=PATIENCE_SECONDS))

    def call(self, certificate: str, service: str, method: str, request: Message) -> Any:
        """The answer. grpc.RpcError."""
        raw = self.raw(certificate, service, method, request.SerializeToString())
        return contract(service).response(method).FromString(raw)

    def refused(self, certificate: str, service: str, method: str, request: Message | bytes) -> Refusal:
        """The refusal of a call, of the same reason in both languages and without a leak."""
        content = request if isinstance(request, bytes) else request.SerializeToString()
        found = [self._refused(certificate, service, method, content, language) for language in ("en", "zh-CN")]
        assert found[0] == found[1]
        return found[0]

    def _refused(self, certificate: str, service: str, method: str, content: bytes, language: str) -> Refusal:
        try:
            answer = self.raw(certificate, service, method, content, language)
        except grpc.RpcError as error:
            return refusal_of(error, language)
        raise AssertionError(f"{method} of {certificate} was answered: {answer!r}")

    def close(self) -> None:
        """Ends all connections."""
        for channel in self._channels.values():
            channel.close()
