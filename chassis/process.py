"""A service as a process of its own: it serves until it is told to stop or its parent is gone."""

import asyncio
import gc
import os
import signal
import sys
import threading
from typing import NoReturn

import uvloop

from chassis import logs, metrics, private, telemetry
from chassis.certificates import NoServerCertificate
from chassis.migrations import UnfitStore
from chassis.node import Node
from chassis.service import Service
from chassis.settings import Settings

# Inherited from a supervisor: the pipe's end tells that the supervisor is gone, even by kill -9.
LIFELINE = "AVAL_LIFELINE"
SWITCH_SECONDS = 0.0005


def follow_lifeline() -> None:
    """Ends this process at once when the supervisor's end of the pipe is closed."""
    descriptor = os.environ.get(LIFELINE)
    if descriptor is None:
        return

    def wait() -> None:
        while os.read(int(descriptor), 1):
            pass
        os._exit(0)

    threading.Thread(target=wait, name="lifeline", daemon=True).start()


async def until_stopped() -> None:
    """Waits until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()


def tune_memory() -> None:
    """Keeps what stands at the start; rows by the thousand shall not set off a search for cycles each time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def tune_threads() -> None:
    """Lets threads hand over sooner.

    The writer comes back from the database to a busy interpreter at each round trip: it shall not wait 5 ms.
    """
    sys.setswitchinterval(SWITCH_SECONDS)


def refuse_to_start(name: str, error: Exception) -> NoReturn:
    """Ends the process with the reason, in a way that says that starting it again won't help."""
    print(f"{name} doesn't start: {error}", file=sys.stderr, flush=True)  # noqa: T201
    sys.exit(os.EX_CONFIG)


def main(service: Service) -> None:
    """Serves by the environment's settings."""
    os.umask(private.UMASK)
    tune_memory()
    tune_threads()
    logs.start(service.name)
    follow_lifeline()
    stop_telemetry = telemetry.start(service.name)
    metrics.start(service.name)
    settings = Settings.from_environment(os.environ)

    async def serve() -> None:
        node = Node(service, settings)
        port = await node.start()
        print(f"{service.name} listens on port {port}", flush=True)  # noqa: T201
        await until_stopped()
        await node.stop()

    try:
        uvloop.run(serve())
    except (UnfitStore, NoServerCertificate) as error:
        refuse_to_start(service.name, error)
    stop_telemetry()
    sys.exit(0)
