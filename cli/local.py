"""The local platform's own hand: calls a service directly, with the keys of the folder it belongs to."""

import contextlib
from collections.abc import AsyncIterator

from chassis.certificates import Credentials
from chassis.channel import Channels
from chassis.client import AssertingClient
from chassis.clock import SystemClock
from chassis.identity import Caller, Signer
from chassis.migrations import UnfitStore
from chassis.node import Node
from chassis.ports import free_port
from chassis.settings import Settings
from cli.layout import CannotRun, Layout
from cli.supervisor import prepare_certificates
from services.declarations.service import SERVICE as DECLARATIONS

WINDOW = Caller("windows/henan/window.system", "windows/henan", frozenset({"WINDOW"}))


@contextlib.asynccontextmanager
async def client(layout: Layout, services: dict[str, str]) -> AsyncIterator[AssertingClient]:
    """Gives a client of the services at these addresses."""
    credentials = Credentials.load(layout.certificates, "services/gateway")
    channels = Channels(credentials, services)
    signer = Signer((layout.certificates / "services_gateway.signing").read_bytes())
    try:
        yield AssertingClient(channels, signer, SystemClock())
    finally:
        await channels.close()


@contextlib.asynccontextmanager
async def declarations(layout: Layout) -> AsyncIterator[AssertingClient]:
    """Gives a client of the declarations service: the running one, or else one of our own on the folder's store.

    Raises CannotRun.
    """
    running = layout.running()
    if running:
        async with client(layout, dict(running.services)) as service:
            yield service
        return
    prepare_certificates(layout)
    address = f"127.0.0.1:{free_port()}"
    settings = Settings(layout.database_in_use(), address, layout.certificates, {})
    node = Node(DECLARATIONS, settings)
    try:
        await node.start()
    except UnfitStore as error:
        raise CannotRun(str(error)) from error
    try:
        async with client(layout, {"declarations": address}) as service:
            yield service
    finally:
        await node.stop()
