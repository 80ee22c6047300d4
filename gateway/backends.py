"""The services as the gateway's own rooms call them: with messages, for a signed-in caller."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Any

import grpc
from aval.blobs.v1 import blobs_pb2
from aval.events.v1 import events_pb2
from google.protobuf.message import Message
from opentelemetry import trace

from chassis import telemetry
from chassis.channel import Channels, Metadata
from chassis.contracts import contract
from chassis.errors import ServiceUnavailable
from chassis.identity import ASSERTION_KEY, Caller
from chassis.service import GET_BLOB, UPLOAD_BLOB, WATCH
from chassis.status import RemoteError, from_rpc_error
from gateway.assertions import Assertions


@contextlib.contextmanager
def _reaching(service: str) -> Iterator[None]:
    """Says of a service that can't be reached that it can't; other refusals stay the service's own."""
    try:
        yield
    except (RemoteError, grpc.RpcError) as error:
        refusal = error if isinstance(error, RemoteError) else from_rpc_error(error)
        if refusal.reason == grpc.StatusCode.UNAVAILABLE.name:
            raise ServiceUnavailable(service=service) from error
        raise refusal from error


class Backends:
    """Calls and streams on behalf of callers."""

    def __init__(self, channels: Channels, assertions: Assertions) -> None:
        self._channels, self._assertions = channels, assertions

    @property
    def names(self) -> list[str]:
        """The services that can be reached."""
        return self._channels.names

    def _metadata(self, caller: Caller, service: str) -> Metadata:
        return [(ASSERTION_KEY, self._assertions.of(caller, service)), ("accept-language", caller.language)]

    async def call(self, service: str, method: str, request: Message, caller: Caller) -> Any:
        """One call. RemoteError as the service refused; ServiceUnavailable where it can't be reached."""
        if service not in self._channels.names:
            raise ServiceUnavailable(service=service)
        callee = contract(service)
        metadata = self._metadata(caller, service)
        with _reaching(service):
            raw = await self._channels.call(service, callee.path(method), request.SerializeToString(), metadata)
        return callee.response(method).FromString(raw)

    async def upload(self, service: str, parts: AsyncIterator[blobs_pb2.BlobPart], caller: Caller) -> blobs_pb2.Blob:
        """Sends a document in parts. Raises RemoteError as the service refused, ServiceUnavailable."""
        sent = (part.SerializeToString() async for part in parts)
        path, metadata = contract(service).path(UPLOAD_BLOB), self._metadata(caller, service)
        with _reaching(service):
            return blobs_pb2.Blob.FromString(await self._channels.upload(service, path, sent, metadata))

    async def download(
        self, service: str, request: blobs_pb2.GetBlobRequest, caller: Caller
    ) -> AsyncGenerator[blobs_pb2.BlobPart, None]:
        """Gives the parts of a document. Raises RemoteError as the service refused, ServiceUnavailable."""
        call = self._channels[service].unary_stream(
            contract(service).path(GET_BLOB), request_serializer=type(request).SerializeToString,
            response_deserializer=blobs_pb2.BlobPart.FromString,
        )  # fmt: skip
        stream = call(request, metadata=self._metadata(caller, service))
        try:
            with _reaching(service):
                async for part in stream:
                    yield part
        finally:
            stream.cancel()

    async def watch(
        self, service: str, request: events_pb2.WatchRequest, caller: Caller
    ) -> AsyncGenerator[events_pb2.WatchResponse, None]:
        """The caller's events of a service. RemoteError when the stream breaks."""
        callee = contract(service)
        stream = self._channels[service].unary_stream(
            callee.path(WATCH), request_serializer=type(request).SerializeToString,
            response_deserializer=events_pb2.WatchResponse.FromString,
        )  # fmt: skip
        metadata = self._metadata(caller, service)
        if parent := telemetry.traceparent_of(trace.get_current_span()):
            metadata.append((telemetry.TRACEPARENT, parent))
        try:
            async for response in stream(request, metadata=metadata):
                yield response
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error
