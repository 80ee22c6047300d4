"""The load generator of reservations, a process of its own: institutions that each wait for their answer.

python -m bench.encumbrance_load, its plan as JSON on standard input, its measurement as JSON on standard output.
"""

import asyncio
import json
import pathlib
import random
import sys
import time
from dataclasses import dataclass
from typing import Any

import grpc
import uvloop
from aval.declarations.v1 import declarations_pb2

from bench.load import WARM_UP_SECONDS
from chassis import channel
from chassis.certificates import Credentials
from chassis.contracts import contract
from chassis.ids import system_random, uuid7

# More than a server of two cores takes.
MOST_ROWS_A_SECOND = 30_000


@dataclass(frozen=True, slots=True)
class ReservePlan:
    """The load: an assertion for each institution, and its assets; `batch` 1 is the unary call."""

    address: str
    certificates: str
    assertions: list[str]
    assets: list[list[str]]
    pari_passu: bool
    seconds: float
    batch: int


def _identifier() -> str:
    return str(uuid7(time.time_ns() // 1_000_000, system_random(10)))


def reservation(plan: ReservePlan, institution: int) -> declarations_pb2.ReserveEncumbranceRequest:
    """Returns a request for one cent of an asset of the institution."""
    request = declarations_pb2.ReserveEncumbranceRequest(request_id=_identifier(), encumbrance_id=_identifier())
    held = request.encumbrance
    held.asset_class, held.pari_passu, held.reference = "RECEIVABLE", plan.pari_passu, "bench"  # type: ignore[assignment]
    item = held.items.add(asset=random.choice(plan.assets[institution]))
    item.amount.currency_code, item.amount.minor_units = "USD", 1
    return request


def made(plan: ReservePlan, institution: int) -> bytes:
    """Returns a request of the plan's form."""
    if plan.batch == 1:
        return reservation(plan, institution).SerializeToString()
    rows = [reservation(plan, institution) for _ in range(plan.batch)]
    return declarations_pb2.BatchReserveEncumbrancesRequest(request_id=_identifier(), requests=rows).SerializeToString()


class Counted:
    """Counts of what was granted and refused."""

    def __init__(self, plan: ReservePlan) -> None:
        self._plan = plan
        self.granted = self.refused = 0

    def take(self, raw: bytes) -> None:
        """Counts an answer."""
        if self._plan.batch == 1:
            self.granted += 1
            return
        for verdict in declarations_pb2.BatchReserveEncumbrancesResponse.FromString(raw).verdicts:
            self.granted += verdict.HasField("encumbrance")
            self.refused += verdict.HasField("problem")


async def measure(plan: ReservePlan) -> dict[str, Any]:
    """Returns attempts a second after a warm-up, granted and refused alike, and the latency in milliseconds."""
    credentials = Credentials.load(pathlib.Path(plan.certificates), "services/gateway")
    options = channel.options_for("declarations")
    opened = grpc.aio.secure_channel(plan.address, channel.channel_credentials(credentials), options=options)
    name = "ReserveEncumbrance" if plan.batch == 1 else "BatchReserveEncumbrances"
    call = opened.unary_unary(contract("declarations").path(name))
    before_hand = _made_before(plan)
    counted, latencies = Counted(plan), list[float]()
    start = time.perf_counter() + WARM_UP_SECONDS

    async def institution(number: int, assertion: str) -> None:
        ready = before_hand[number]
        while (before := time.perf_counter()) < start + plan.seconds:
            try:
                raw = ready.pop() if ready else made(plan, number)
                counted.take(await call(raw, metadata=[("aval-assertion", assertion)]))
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
                    raise
                counted.refused += 1
            if before >= start:
                latencies.append(time.perf_counter() - before)

    await asyncio.gather(*(institution(number, assertion) for number, assertion in enumerate(plan.assertions)))
    elapsed = time.perf_counter() - start
    await opened.close()
    latencies.sort()
    return {
        "per_second": len(latencies) * plan.batch / elapsed,
        "granted": counted.granted,
        "refused": counted.refused,
        "latency_ms_p99": latencies[int(len(latencies) * 0.99)] * 1000,
    }


def _made_before(plan: ReservePlan) -> list[list[bytes]]:
    """Makes batches before the clock runs: making a thousand rows takes the generator longer than sending them."""
    if plan.batch == 1:
        return [[] for _ in plan.assertions]
    count = int(MOST_ROWS_A_SECOND * (plan.seconds + WARM_UP_SECONDS) / plan.batch / len(plan.assertions)) + 1
    return [[made(plan, number) for _ in range(count)] for number in range(len(plan.assertions))]


if __name__ == "__main__":
    print(json.dumps(uvloop.run(measure(ReservePlan(**json.load(sys.stdin))))))
