"""A call at the banks' door while strangers attack the pages: its p99 has to stay under half a second.

`aval bench doors` starts a platform of its own; `python -m bench.doors FOLDER [SECONDS]` measures one that runs.
"""

import asyncio
import json
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import grpc
from aval.declarations.v1 import declarations_pb2

from bench import attacks
from bench.attacks import ATTACKS, Attack
from bench.rows import Row, Scale, line
from chassis import channel
from chassis.certificates import Credentials
from chassis.contracts import contract
from cli.demo import world
from cli.layout import Addresses, Layout

GOAL_MILLISECONDS = 500
BETWEEN_CALLS_SECONDS = 0.05
LONGEST_SECONDS = 120.0
# A person elsewhere: another address of the loopback net.
ELSEWHERE = "127.0.0.2"
# Those that are done to the door itself; all others to pages and JSON.
AT_THE_DOOR = "600 connections without a TLS handshake"
SIGN_INS = "20 sign-ins at a time"


def run(scale: Scale, told: Callable[[Row], None]) -> None:
    """Starts a platform with the demo's world and measures it."""
    with tempfile.TemporaryDirectory(prefix="aval-doors-") as folder:
        command = [sys.executable, "-m", "cli.main", "up", "--demo", "--folder", folder]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            if not any("Serving" in text for text in iter(process.stdout.readline, "")):
                raise RuntimeError("the platform did not start")
            measure(pathlib.Path(folder), scale, told)
        finally:
            process.terminate()
            process.communicate()


def measure(folder: pathlib.Path, scale: Scale, told: Callable[[Row], None]) -> None:
    """Tells the rows of a platform that runs on a folder."""
    layout = Layout(folder)
    addresses = layout.running()
    if addresses is None:
        raise RuntimeError(f"nothing runs on {folder}")
    for kind in ATTACKS:
        asyncio.run(_measure(kind, layout, addresses, scale, told))


async def _measure(kind: str, layout: Layout, addresses: Addresses, scale: Scale, told: Callable[[Row], None]) -> None:
    attacked = addresses.door if kind == AT_THE_DOOR else addresses.http
    attack = Attack(kind, attacked, scale.seconds)
    attacking = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.attacks", stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    done = asyncio.create_task(attacking.communicate(json.dumps(asdict(attack)).encode()))
    people = [asyncio.create_task(_sign_in_elsewhere(addresses, done))] if kind == SIGN_INS else []
    calls = await _calls(layout, addresses, done)
    outcome = json.loads((await done)[0])
    told(Row(f"a call at the door, p99: {kind}", _p99(calls) * 1000, "ms", goal=GOAL_MILLISECONDS, goal_on="figure"))
    for person in people:
        told(Row(f"a sign-in from elsewhere, p99: {kind}", _p99(await person) * 1000, "ms", better="lower"))
    for what, count in outcome.items():
        told(Row(f"  {kind}: {what}", count, "connections" if "open" in what else "answers"))


def _p99(seconds: list[float]) -> float:
    return sorted(seconds)[int(len(seconds) * 0.99)]


async def _calls(layout: Layout, addresses: Addresses, done: "asyncio.Task[Any]") -> list[float]:
    """Returns the seconds of a bank's calls, one begun every 50 ms whether the others were answered or not."""
    person = world.person("banks/LMHFCNB0", "BANK_SYSTEM")
    credentials = channel.channel_credentials(Credentials.load(layout.certificates, person.certificate))
    request = declarations_pb2.ListDeclarationsRequest().SerializeToString()
    async with grpc.aio.secure_channel(addresses.door, credentials, options=channel.OPTIONS) as opened:
        call = opened.unary_unary(contract("declarations").path("ListDeclarations"))

        async def timed() -> float:
            start = time.perf_counter()
            await call(request, timeout=LONGEST_SECONDS, wait_for_ready=True)
            return time.perf_counter() - start

        await timed()
        return await _begun_regularly(timed, BETWEEN_CALLS_SECONDS, done)


async def _sign_in_elsewhere(addresses: Addresses, done: "asyncio.Task[Any]") -> list[float]:
    """Returns the seconds of a person's right sign-ins at another address, one after the other."""
    sent = attacks.sign_in_request(world.logins(["EXPORTER"])[0], world.PASSWORD)
    seconds = []
    while not done.done():
        start = time.perf_counter()
        status = await attacks.send(addresses.http, sent, ELSEWHERE)
        if status != "201":
            raise RuntimeError(f"the right sign-in was answered {status}")
        seconds.append(time.perf_counter() - start)
    return seconds


async def _begun_regularly(timed: Callable[[], Any], between_seconds: float, done: "asyncio.Task[Any]") -> list[float]:
    begun = []
    while not done.done():
        begun.append(asyncio.create_task(timed()))
        await asyncio.sleep(between_seconds)
    return list(await asyncio.gather(*begun))


def main(folder: str, seconds: str = "10") -> None:
    """Prints the table of a platform that runs on a folder."""
    measure(pathlib.Path(folder), Scale(float(seconds), 0), lambda row: print(line(row.to_json()), flush=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
