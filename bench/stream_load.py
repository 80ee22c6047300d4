"""The load generator of streams, a process of its own: declarations in batches, a few batches under way a stream.

python -m bench.stream_load, its plan as JSON on standard input, what it measured as JSON on standard output.
"""

import asyncio
import json
import pathlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import uvloop
from aval.declarations.v1 import declarations_pb2

from bench.declarations import Maker
from chassis import channel
from chassis.certificates import Credentials
from chassis.contracts import contract

UNDER_WAY = 4
Verdict = declarations_pb2.IntakeVerdict


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """The rows to send, and where: `count` from number `first`, `batch` a message, over several streams."""

    address: str
    certificates: str
    assertion: str
    first: int
    count: int
    batch: int
    streams: int


async def measure(plan: StreamPlan) -> dict[str, Any]:
    """Returns the seconds from the first request to the last answer, and how many rows of each outcome."""
    opened = [await _open(plan) for _ in range(plan.streams)]
    maker = Maker()
    requests = maker.requests(plan.first, plan.count, plan.batch)
    counts = [0] * len(Verdict.Outcome.keys())
    start = time.perf_counter()
    await asyncio.gather(*(_stream(entry, plan, requests, counts) for entry in opened))
    seconds = time.perf_counter() - start
    await asyncio.gather(*(entry.close() for entry in opened))
    return {
        "seconds": seconds,
        "per_second": plan.count / seconds,
        "accepted": counts[Verdict.ACCEPTED],
        "duplicates": counts[Verdict.DUPLICATE],
        "refused": counts[Verdict.REFUSED],
    }


async def _open(plan: StreamPlan) -> grpc.aio.Channel:
    """Opens a connection of its own, so that several processes behind one port share the streams."""
    credentials = Credentials.load(pathlib.Path(plan.certificates), "services/gateway")
    options = [*channel.options_for("declarations"), ("grpc.use_local_subchannel_pool", 1)]
    opened = grpc.aio.secure_channel(plan.address, channel.channel_credentials(credentials), options=options)
    await opened.channel_ready()
    return opened


async def _stream(opened: grpc.aio.Channel, plan: StreamPlan, requests: Iterator[bytes], counts: list[int]) -> None:
    """Sends requests over one stream: the next goes out once a place is free."""
    call = opened.stream_stream(contract("declarations").path("StreamDeclarations"))(
        metadata=[("aval-assertion", plan.assertion)]
    )
    places = asyncio.Semaphore(UNDER_WAY)

    async def send() -> None:
        for request in requests:
            await places.acquire()
            await call.write(request)
        await call.done_writing()

    sending = asyncio.create_task(send())
    async for raw in call:
        places.release()
        for verdict in declarations_pb2.BatchCreateDeclarationsResponse.FromString(raw).verdicts:
            counts[verdict.outcome] += 1
    await sending


if __name__ == "__main__":
    print(json.dumps(uvloop.run(measure(StreamPlan(**json.load(sys.stdin))))))
