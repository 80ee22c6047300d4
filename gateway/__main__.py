"""The gateway as a process."""

import asyncio
import os
import sys

import uvloop

from chassis import logs, process, telemetry
from chassis.certificates import NoServerCertificate
from gateway.server import Gateway
from gateway.settings import GatewaySettings


def main() -> None:
    """Serves by the environment's settings."""
    logs.start("gateway")
    process.follow_lifeline()
    stop_telemetry = telemetry.start("gateway")
    settings = GatewaySettings.from_environment(os.environ)

    async def serve() -> None:
        gateway = Gateway(settings)
        addresses = await gateway.start()
        print(f"gateway listens on http {addresses.http}, door {addresses.door}", flush=True)  # noqa: T201
        await process.until_stopped()
        # Its own spans go to its own receiver: flushed while that still listens.
        await asyncio.to_thread(stop_telemetry)
        await gateway.stop()

    try:
        uvloop.run(serve())
    except NoServerCertificate as error:
        process.refuse_to_start("gateway", error)
    sys.exit(0)


if __name__ == "__main__":
    main()
