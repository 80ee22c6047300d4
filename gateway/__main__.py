"""The gateway's two processes: `python -m gateway door` and `python -m gateway pages`.

They share the store and nothing else: whatever is sent to the pages, the banks' door has a loop of its own.
"""

import asyncio
import logging
import os
import sys

import uvloop

from chassis import logs, private, process, telemetry
from chassis.certificates import NoServerCertificate
from chassis.migrations import UnfitStore
from gateway.server import Gateway
from gateway.settings import DOOR, PAGES, GatewaySettings


def main(part: str) -> None:
    """Serves the part by the environment's settings."""
    os.umask(private.UMASK)
    process.tune_threads()
    logs.start(f"gateway {part}")
    # A stranger's broken request is no news, and would fill the log.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    process.follow_lifeline()
    stop_telemetry = telemetry.start("gateway")
    settings = GatewaySettings.from_environment(os.environ).only(part)

    async def serve() -> None:
        gateway = Gateway(settings)
        addresses = await gateway.start()
        print(f"gateway {part} listens on {addresses.told()}", flush=True)  # noqa: T201
        await process.until_stopped()
        # Its own spans go to its own receiver: flushed while that still listens.
        await asyncio.to_thread(stop_telemetry)
        await gateway.stop()

    try:
        uvloop.run(serve())
    except (NoServerCertificate, UnfitStore) as error:
        process.refuse_to_start(f"gateway {part}", error)
    sys.exit(0)


if __name__ == "__main__":
    if sys.argv[1:] not in ([DOOR], [PAGES]):
        sys.exit(f"usage: python -m gateway {DOOR}|{PAGES}")
    main(sys.argv[1])
