"""The banks' door: one mutual-TLS port for all services."""

import grpc
from grpc_health.v1 import health, health_pb2_grpc

from chassis import server
from chassis.certificates import Credentials
from chassis.channel import Channels
from chassis.contracts import contract
from chassis.settings import STREAMS_PER_TENANT
from chassis.streams import Places
from gateway.contracts import SERVICES
from gateway.door.forwarding import Forwarding
from gateway.door.identification import Identification
from gateway.door.limits import MESSAGE_SECONDS, Limits
from gateway.door.reflection import add_reflection

GRACE_SECONDS = 2.0
# A connection's calls at a time: those beyond wait at the client.
OPTIONS = [*server.OPTIONS, ("grpc.max_concurrent_streams", 1000)]


class Door:
    """Opens and closes the port."""

    def __init__(
        self,
        credentials: Credentials,
        channels: Channels,
        identification: Identification,
        streams_per_tenant: int = STREAMS_PER_TENANT,
        message_seconds: float = MESSAGE_SECONDS,
    ) -> None:
        self._credentials = credentials
        self._names = [contract(service).descriptor.full_name for service in SERVICES if service in channels.names]
        self._health = health.aio.HealthServicer()
        limits = Limits(identification, Places(streams_per_tenant), message_seconds)
        self._server = grpc.aio.server(options=OPTIONS, interceptors=[limits])
        self._server.add_generic_rpc_handlers((Forwarding(channels, identification.assertion),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        add_reflection(self._server, [*self._names, health.SERVICE_NAME], SERVICES)

    async def start(self, listen: str) -> int:
        """Listens on host:port. Returns the bound port."""
        port: int = self._server.add_secure_port(listen, server.server_credentials(self._credentials))
        await self._server.start()
        await server.set_serving(self._health, self._names, True)
        return port

    async def stop(self) -> None:
        """Ends what is under way, after a grace."""
        await server.set_serving(self._health, self._names, False)
        await self._server.stop(GRACE_SECONDS)
