"""Processes of a benchmark: servers that say when they listen, load generators that print what they measured."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from bench.load import Plan
from chassis.settings import Settings


@contextlib.contextmanager
def serving(
    module: str, *arguments: str, settings: Settings, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Gives a server process for as long as the block lasts."""
    variables = {**os.environ, **settings.to_environment(), **(environment or {})}
    command = [sys.executable, "-m", module, *arguments]
    process = subprocess.Popen(command, env=variables, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        if b"listens" not in process.stdout.readline():
            raise RuntimeError(f"{module} did not start")
        yield process
    finally:
        process.terminate()
        process.wait()
        if process.stdout:
            process.stdout.close()


def measured(plan: Plan) -> dict[str, float]:
    """Runs the load generator of calls. Returns its figures."""
    return run_load("bench.load", plan)


def run_load(module: str, plan: Any) -> dict[str, float]:
    """Runs a load generator by its plan, a dataclass. Returns its figures."""
    done = subprocess.run(
        [sys.executable, "-m", module], input=json.dumps(asdict(plan)).encode(), stdout=subprocess.PIPE, check=True
    )
    result: dict[str, float] = json.loads(done.stdout)
    return result


def pgbench(binaries: pathlib.Path, url: str, seconds: float) -> float:
    """Returns the transactions a second of pgbench's own script: scale 10, 16 clients, prepared statements."""
    program = str(binaries / "pgbench")
    subprocess.run([program, "-i", "-q", "-s", "10", url], check=True, capture_output=True)
    options = ["-M", "prepared", "-c", "16", "-j", "2", "-T", str(max(int(seconds), 3))]
    done = subprocess.run([program, *options, url], check=True, capture_output=True, text=True)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("tps")]
    return float(line.split("=")[1].split()[0])
