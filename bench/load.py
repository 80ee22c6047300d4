"""The load generator, a process of its own: callers that each wait for their answer before they call again.

python -m bench.load, its plan as JSON on standard input, its measurement as JSON on standard output.
"""

import asyncio
import json
import pathlib
import random
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import grpc
import uvloop
from aval.settlement.v1 import settlement_pb2

from chassis import channel
from chassis.certificates import Credentials
from chassis.contracts import contract
from chassis.ids import system_random, uuid7

WARM_UP_SECONDS = 0.5
# More than a server of two cores takes.
MOST_ROWS_A_SECOND = 60_000


@dataclass(frozen=True, slots=True)
class Plan:
    """The load: `batch` 1 is the unary call; `hot` lets all transfers credit one account."""

    address: str
    certificates: str
    assertion: str
    accounts: list[str]
    callers: int
    seconds: float
    batch: int
    hot: bool
    bare: bool


def transfer(plan: Plan) -> settlement_pb2.Transfer:
    """Returns a transfer of one fen between two of the accounts."""
    debit, credit = random.sample(plan.accounts, 2)
    if plan.hot:
        debit, credit = random.choice(plan.accounts[1:]), plan.accounts[0]
    message = settlement_pb2.Transfer(debit_account=debit, credit_account=credit, reference="bench")
    message.amount.currency_code = "CNY"
    message.amount.minor_units = 1
    return message


def _identifier() -> str:
    return str(uuid7(time.time_ns() // 1_000_000, system_random(10)))


def unary_request(plan: Plan) -> bytes:
    """Returns a CreateTransfer."""
    request = settlement_pb2.CreateTransferRequest(request_id=_identifier(), transfer=transfer(plan))
    return request.SerializeToString()


def batch_request(plan: Plan) -> bytes:
    """Returns a BatchCreateTransfers."""
    request = settlement_pb2.BatchCreateTransfersRequest(request_id=_identifier())
    for _ in range(plan.batch):
        each_transfer = request.transfers.add()
        each_transfer.CopyFrom(transfer(plan))
        each_transfer.transfer_id = _identifier()
    return request.SerializeToString()


def open_channel(plan: Plan) -> grpc.aio.Channel:
    """Opens a channel to the measured server."""
    if plan.bare:
        return grpc.aio.insecure_channel(plan.address, options=channel.OPTIONS)
    credentials = Credentials.load(pathlib.Path(plan.certificates), "services/gateway")
    options = channel.options_for("settlement")
    return grpc.aio.secure_channel(plan.address, channel.channel_credentials(credentials), options=options)


def _made_before(plan: Plan, make: Callable[[Plan], bytes]) -> list[bytes]:
    """Makes requests before the clock runs: making a thousand rows takes the generator longer than sending them."""
    if plan.batch == 1:
        return []
    return [make(plan) for _ in range(int(MOST_ROWS_A_SECOND * (plan.seconds + WARM_UP_SECONDS) / plan.batch))]


async def measure(plan: Plan) -> dict[str, Any]:
    """Returns calls and transfers a second after a warm-up, with latencies in milliseconds."""
    opened = open_channel(plan)
    name = "CreateTransfer" if plan.batch == 1 else "BatchCreateTransfers"
    call = opened.unary_unary(contract("settlement").path(name))
    make = unary_request if plan.batch == 1 else batch_request
    metadata = [("aval-assertion", plan.assertion)]
    made = _made_before(plan, make)
    start = time.perf_counter() + WARM_UP_SECONDS
    latencies: list[float] = []

    async def caller(send: Callable[[bytes], Awaitable[bytes]]) -> None:
        while (before := time.perf_counter()) < start + plan.seconds:
            await send(made.pop(0) if made else make(plan))
            if before >= start:
                latencies.append(time.perf_counter() - before)

    async def send(raw: bytes) -> bytes:
        answer: bytes = await call(raw, metadata=metadata)
        return answer

    await asyncio.gather(*(caller(send) for _ in range(plan.callers)))
    elapsed = time.perf_counter() - start
    await opened.close()
    latencies.sort()
    return {
        "per_second": len(latencies) * plan.batch / elapsed,
        "latency_ms_median": latencies[len(latencies) // 2] * 1000,
        "latency_ms_p99": latencies[int(len(latencies) * 0.99)] * 1000,
    }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(measure(Plan(**json.load(sys.stdin))))))
