"""How long others wait at the door while one bank holds hundreds of streams and replays its events without end.

    PYTHONPATH=.:build/gen .venv/bin/python -m bench.streams FOLDER [STREAMS] [SECONDS]

FOLDER is a demo's that serves (`aval up --demo --folder FOLDER`), after its story. The first run adds events to both
banks, so that there is something to replay. Prints latencies of another bank's unary calls and replays, without and
with the load, in milliseconds.
"""

import asyncio
import pathlib
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from aval.declarations.v1 import declarations_pb2
from aval.events.v1 import events_pb2

from chassis import status
from chassis.certificates import Credentials
from chassis.channel import OPTIONS, channel_credentials
from chassis.contracts import contract
from cli.demo import world
from cli.layout import Layout

GREEDY, OTHER = "banks/LMHFCNB0", "banks/YUHECNB0"
DECLARATIONS = contract("declarations")
EVENTS, TOGETHER = 4000, 50
RESPONSES = events_pb2.WatchResponse
# A refused stream asks again after so long, as a client that gives way does.
PAUSE_SECONDS = 0.5
LATEST_SECONDS = 30


def _channel(folder: pathlib.Path, tenant: str, role: str) -> grpc.aio.Channel:
    """Opens a connection of a tenant's own to the door."""
    layout = Layout(folder)
    addresses = layout.running()
    assert addresses, f"nothing serves on {folder}"
    credentials = Credentials.load(layout.certificates, world.person(tenant, role).certificate)
    options = [*OPTIONS, ("grpc.use_local_subchannel_pool", 1)]
    return grpc.aio.secure_channel(addresses.door, channel_credentials(credentials), options=options)


async def _call(channel: grpc.aio.Channel, method: str, request: Any) -> Any:
    forward = channel.unary_unary(DECLARATIONS.path(method))
    return DECLARATIONS.response(method).FromString(await forward(request.SerializeToString(), timeout=LATEST_SECONDS))


async def _replay(channel: grpc.aio.Channel) -> int:
    """Reads all events of the caller from the beginning. Returns how many."""
    request, count = events_pb2.WatchRequest(until_end=True).SerializeToString(), 0
    async for raw in channel.unary_stream(DECLARATIONS.path("Watch"))(request, timeout=4 * LATEST_SECONDS):
        count += len(RESPONSES.FromString(raw).events)
    return count


async def _fill(folder: pathlib.Path) -> int:
    """Gives both banks events, unless they have some. Returns how many the other has then.

    Each is a release of an id that stands for nothing, which appends an event for the bank alone.
    """
    for tenant in (GREEDY, OTHER):
        channel = _channel(folder, tenant, "BANK_SYSTEM")
        count = await _replay(channel)
        for _ in range(0, EVENTS - count, TOGETHER):
            await asyncio.gather(*(_call(channel, "ReleaseEncumbrance", _release()) for _ in range(TOGETHER)))
        count = await _replay(channel)
        await channel.close()
    return count


def _release() -> Any:
    name = f"encumbrances/{uuid.uuid4()}"
    return declarations_pb2.ReleaseEncumbranceRequest(request_id=str(uuid.uuid4()), name=name)


async def _timed(work: Callable[[], Awaitable[Any]], latencies: list[float]) -> None:
    start = time.perf_counter()
    await work()
    latencies.append((time.perf_counter() - start) * 1000)


async def _measure(folder: pathlib.Path, seconds: float) -> dict[str, list[float]]:
    """Returns the other bank's latencies, its calls one after the other beside its replays."""
    channel, until = _channel(folder, OTHER, "BANK_SYSTEM"), time.perf_counter() + seconds
    listing = declarations_pb2.ListEncumbrancesRequest(page_size=10)
    latencies: dict[str, list[float]] = {"unary call": [], "replay": []}

    async def keep(what: str, work: Callable[[], Awaitable[Any]]) -> None:
        while time.perf_counter() < until:
            await _timed(work, latencies[what])
            await asyncio.sleep(0.05)

    await asyncio.gather(
        keep("unary call", lambda: _call(channel, "ListEncumbrances", listing)),
        keep("replay", lambda: _replay(channel)),
    )
    await channel.close()
    return latencies


def _tell(when: str, measured: dict[str, list[float]]) -> None:
    for what, latencies in measured.items():
        ordered = sorted(latencies)
        median, p99 = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
        print(f"{when:40} {what:12} median {median:8.1f} ms   p99 {p99:8.1f} ms   of {len(ordered)}", flush=True)


async def _load(folder: pathlib.Path, streams: int) -> None:
    """Opens so many streams of one bank that replay again and again, until this process is ended."""
    channel = _channel(folder, GREEDY, "BANK_SYSTEM")
    ended: Counter[str] = Counter()

    async def greedy() -> None:
        while True:
            try:
                await _replay(channel)
                ended["replayed"] += 1
            except grpc.RpcError as error:
                ended[status.from_rpc_error(error).reason] += 1
                await asyncio.sleep(PAUSE_SECONDS)

    async def tell() -> None:
        while True:
            await asyncio.sleep(5)
            print(f"{'':40} of the greedy bank: {dict(ended)}", flush=True)

    await asyncio.gather(tell(), *(greedy() for _ in range(streams)))


def main(folder: pathlib.Path, streams: int, seconds: float) -> None:
    """Measures alone, then under the load of another process."""
    count = asyncio.run(_fill(folder))
    print(f"{count} events to replay", flush=True)
    _tell("alone", asyncio.run(_measure(folder, seconds)))
    # The greedy bank's own work is another machine's.
    command = ["nice", "-n", "10", sys.executable, "-m", "bench.streams", "--load", str(folder), str(streams)]
    load = subprocess.Popen(command)
    try:
        time.sleep(3)
        _tell(f"beside {streams} streams of another bank", asyncio.run(_measure(folder, seconds)))
    finally:
        load.kill()
        load.wait()


if __name__ == "__main__":
    if sys.argv[1] == "--load":
        asyncio.run(_load(pathlib.Path(sys.argv[2]), int(sys.argv[3])))
    else:
        folder, streams, seconds = (*sys.argv[1:], *("", "300", "20")[len(sys.argv) - 1 :])[:3]
        main(pathlib.Path(folder), int(streams), float(seconds))
