"""Calls to other services: mutual TLS, the callee's name checked, the caller's trace, on behalf of a tenant."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

import grpc
from aval.events.v1 import events_pb2

from chassis import identity, telemetry
from chassis.certificates import Credentials, server_name
from chassis.errors import ServiceUnavailable
from chassis.identity import Caller
from chassis.status import from_rpc_error

CALL_SECONDS = 10.0
MOST_BYTES = 64 * 1024 * 1024
OPTIONS: list[tuple[str, int | str]] = [
    ("grpc.max_receive_message_length", MOST_BYTES),
    ("grpc.max_send_message_length", MOST_BYTES),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.lb_policy_name", "round_robin"),
]

Metadata = list[tuple[str, str]]


def channel_credentials(credentials: Credentials) -> grpc.ChannelCredentials:
    """For a client that shows its certificate."""
    return grpc.ssl_channel_credentials(credentials.authority, credentials.key, credentials.certificate)


def options_for(service: str) -> list[tuple[str, int | str]]:
    """The options of a channel to a process, wherever it listens: no other certificate than its own will do."""
    return [*OPTIONS, ("grpc.ssl_target_name_override", server_name(service))]


class Channels:
    """One channel to each service. Open and close it inside the loop."""

    def __init__(self, credentials: Credentials, addresses: Mapping[str, str]) -> None:
        secured = channel_credentials(credentials)
        self._channels = {
            name: grpc.aio.secure_channel(address, secured, options=options_for(name))
            for name, address in addresses.items()
        }

    def __getitem__(self, service: str) -> grpc.aio.Channel:
        if service not in self._channels:
            raise ServiceUnavailable(service=service)
        return self._channels[service]

    @property
    def names(self) -> list[str]:
        """The services that can be reached."""
        return list(self._channels)

    async def call(self, service: str, path: str, request: bytes, metadata: Metadata) -> bytes:
        """One call, bytes to bytes. RemoteError with the other side's reason."""
        method = self[service].unary_unary(path)
        with telemetry.client_span(path.lstrip("/")) as span:
            traced = [*metadata, *telemetry.trace_metadata(span)]
            try:
                return bytes(await method(request, metadata=traced, timeout=CALL_SECONDS))
            except grpc.RpcError as error:
                raise from_rpc_error(error) from error

    async def upload(self, service: str, path: str, parts: AsyncIterator[bytes], metadata: Metadata) -> bytes:
        """Makes a call of many requests and one answer, bytes to bytes. Raises RemoteError with the other's reason."""
        with telemetry.client_span(path.lstrip("/")) as span:
            call = self[service].stream_stream(path)(metadata=[*metadata, *telemetry.trace_metadata(span)])
            try:
                (answer,) = [answer async for answer in both_ways(call, parts)]
                return bytes(answer)
            except grpc.RpcError as error:
                raise from_rpc_error(error) from error

    async def watch(
        self, service: str, path: str, request: events_pb2.WatchRequest
    ) -> AsyncGenerator[events_pb2.WatchResponse]:
        """Another service's events, as a service. RemoteError when the stream breaks."""
        method = self[service].unary_stream(
            path,
            request_serializer=events_pb2.WatchRequest.SerializeToString,
            response_deserializer=events_pb2.WatchResponse.FromString,
        )
        try:
            async for response in method(request):
                yield response
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error

    async def close(self) -> None:
        """Ends all channels."""
        for channel in self._channels.values():
            await channel.close()


def on_behalf_of(caller: Caller, tenant: str, business_date: str = "") -> Metadata:
    """Returns the metadata by which a service says for whom it calls, and of which business date (ISO) the call is."""
    metadata = [(identity.ON_BEHALF_OF, caller.principal), (identity.ON_BEHALF_OF_TENANT, tenant)]
    return [*metadata, (identity.BUSINESS_DATE, business_date)] if business_date else metadata


async def both_ways(call: Any, requests: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Gives the answers of a stream whose requests flow once the other side has accepted it.

    A write into a call that the other side is just refusing would hide the refusal behind an INTERNAL
    of the library's own.
    """
    await call.initial_metadata()
    pump = asyncio.create_task(_pump(requests, call))
    try:
        async for answer in call:
            yield answer
    finally:
        pump.cancel()


async def _pump(requests: AsyncIterator[bytes], call: Any) -> None:
    """Hands requests on; a call that has ended tells its end to the reading side."""
    try:
        async for request in requests:
            await call.write(request)
        await call.done_writing()
    except (grpc.RpcError, asyncio.InvalidStateError):
        return
