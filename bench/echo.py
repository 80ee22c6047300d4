"""Ceilings of the gRPC edge: a bare echo, and one behind the same TLS, identity, validation and tracing as a service.

python -m bench.echo bare|full, with a service's environment.
"""

import asyncio
import datetime
import os
import sys
from typing import Any

import grpc
import uvloop
from aval.settlement.v1 import settlement_pb2
from google.protobuf.message import Message
from opentelemetry import trace

from chassis import process, server, telemetry
from chassis.certificates import Credentials
from chassis.clock import SystemClock
from chassis.contracts import contract
from chassis.identity import Caller, Verifier
from chassis.ids import system_random
from chassis.settings import Settings

SERVICE = "settlement"
METHOD = "CreateTransfer"


async def _bare(raw: bytes, _context: Any) -> bytes:
    return raw


async def _answer(_caller: Caller, _date: datetime.date | None, request: Any, _span: trace.Span) -> Message:
    answer = settlement_pb2.Transfer()
    answer.CopyFrom(request.transfer)
    return answer


def _handler(kind: str, settings: Settings) -> Any:
    if kind == "bare":
        return grpc.unary_unary_rpc_method_handler(_bare)
    public_key = (settings.certificates / "services_gateway.pub").read_bytes()
    verifier = Verifier(public_key, SERVICE)
    method = contract(SERVICE).method(METHOD)
    endpoint = server.Endpoint(method, verifier, SystemClock(), system_random)
    return server._unary(endpoint, _answer)


async def main(kind: str) -> None:
    """Serves until stopped. The bare echo has no TLS either."""
    settings = Settings.from_environment(os.environ)
    listener = grpc.aio.server(options=server.OPTIONS)
    name = contract(SERVICE).descriptor.full_name
    handlers = grpc.method_handlers_generic_handler(name, {METHOD: _handler(kind, settings)})
    listener.add_generic_rpc_handlers((handlers,))
    if kind == "bare":
        listener.add_insecure_port(settings.listen)
    else:
        credentials = Credentials.load(settings.certificates, f"services/{SERVICE}")
        listener.add_secure_port(settings.listen, server.server_credentials(credentials))
    await listener.start()
    print("echo listens", flush=True)
    await process.until_stopped()
    await listener.stop(0)


if __name__ == "__main__":
    process.follow_lifeline()
    process.tune_memory()
    stop = telemetry.start(SERVICE)
    uvloop.run(main(sys.argv[1]))
    stop()
    asyncio.set_event_loop(None)
