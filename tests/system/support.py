"""A platform as a user starts it: `aval up --demo` in a process of its own, to be watched and killed."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

AVAL = str(pathlib.Path(sys.executable).parent / "aval")
PATIENCE_SECONDS = 120


class Up:
    """A running `aval up --demo` on a folder."""

    def __init__(self, folder: pathlib.Path, *arguments: str) -> None:
        command = [AVAL, "up", "--demo", "--folder", str(folder), *arguments]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
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
        """The process id of one of its children."""
        module = "gateway" if name == "gateway" else f"services.{name}"
        listing = subprocess.run(
            ["ps", "-o", "pid=,args=", "--ppid", str(self.process.pid)], capture_output=True, text=True, check=True
        )
        (found,) = [line for line in listing.stdout.splitlines() if line.rstrip().endswith(f"-m {module}")]
        return int(found.split()[0])

    def children(self) -> list[int]:
        """The process ids of all its children."""
        listing = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True, check=False
        )
        return [int(line) for line in listing.stdout.split()]

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
def up(folder: pathlib.Path, *arguments: str) -> Iterator[Up]:
    """`aval up --demo` for as long as the block lasts."""
    running = Up(folder, *arguments)
    try:
        yield running
    finally:
        running.stop()
        if running.process.stdout:
            running.process.stdout.close()


def wait_until_gone(process_ids: list[int]) -> None:
    """Until none of the processes is left. AssertionError if one stays."""
    deadline = time.monotonic() + 10
    while left := [one for one in process_ids if is_alive(one)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


def is_alive(process_id: int) -> bool:
    """Whether the process runs; one that only waits to be reaped doesn't."""
    try:
        return pathlib.Path(f"/proc/{process_id}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def kill(process_id: int) -> None:
    """kill -9."""
    os.kill(process_id, signal.SIGKILL)


def verify(folder: pathlib.Path, *arguments: str) -> dict[str, Any]:
    """`aval verify --json` of a folder."""
    done = subprocess.run(
        [AVAL, "verify", "--json", "--folder", str(folder), *arguments], capture_output=True, text=True
    )
    report: dict[str, Any] = json.loads(done.stdout)
    return report
