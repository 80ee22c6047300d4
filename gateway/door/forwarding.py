"""Calls that pass through the door as bytes, untouched: only who calls is added and what it forged removed."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import grpc
from opentelemetry import trace

from chassis import status, telemetry
from chassis.channel import Channels, both_ways
from chassis.errors import DomainError, ServiceUnavailable
from chassis.identity import ASSERTION_KEY
from gateway.contracts import PublicMethod, public_methods

# Nothing else of a caller's metadata reaches a service.
PASSED = ("accept-language", telemetry.TRACEPARENT)
LONGEST_UNARY_SECONDS = 60.0

Metadata = list[tuple[str, str | bytes]]
# The assertion for a service, of whoever is at the other end; a DomainError if it may not come in.
Identify = Callable[[Any, str], Awaitable[str]]


class Forwarding(grpc.GenericRpcHandler):  # type: ignore[misc]
    """A handler for each PUBLIC method; for all others there is none."""

    def __init__(self, channels: Channels, identify: Identify) -> None:
        self._channels, self._identify = channels, identify
        reachable = [method for method in public_methods() if method.service in channels.names]
        self._handlers = {method.path: self._handler(method) for method in reachable}

    def service(self, details: Any) -> grpc.RpcMethodHandler | None:
        """The handler of a path."""
        return self._handlers.get(details.method)

    def _handler(self, method: PublicMethod) -> grpc.RpcMethodHandler:
        channel, descriptor = self._channels[method.service], method.descriptor
        if descriptor.client_streaming:
            both_ways = _both_ways(channel.stream_stream(method.path))
            return grpc.stream_stream_rpc_method_handler(self._stream(method, both_ways))
        if descriptor.server_streaming:
            return grpc.unary_stream_rpc_method_handler(self._stream(method, channel.unary_stream(method.path)))
        return grpc.unary_unary_rpc_method_handler(self._unary(method, channel.unary_unary(method.path)))

    def _unary(self, method: PublicMethod, forward: Any) -> Any:
        name, service, identify = method.descriptor.full_name, method.service, self._identify

        async def handle(raw: bytes, context: Any) -> bytes:
            received = _passed(context)
            try:
                assertion = await identify(context, service)
            except DomainError as error:
                await refuse(context, error, service, received)
            with telemetry.edge_span(name, received.get(telemetry.TRACEPARENT, "")) as span:
                try:
                    metadata = _metadata(received, assertion, span)
                    seconds = context.time_remaining() or LONGEST_UNARY_SECONDS
                    return bytes(await forward(raw, metadata=metadata, timeout=seconds))
                except (grpc.RpcError, DomainError) as error:
                    failure = error
                    span.set_status(trace.StatusCode.ERROR)
            await refuse(context, failure, service, received)
            raise AssertionError

        return handle

    def _stream(self, method: PublicMethod, forward: Any) -> Any:
        name, service, identify = method.descriptor.full_name, method.service, self._identify

        async def handle(requests: Any, context: Any) -> AsyncIterator[bytes]:
            received = _passed(context)
            try:
                assertion = await identify(context, service)
            except DomainError as error:
                await refuse(context, error, service, received)
            # Not the current span while the stream waits: a generator's context is its caller's.
            span = telemetry.start_edge_span(name, received.get(telemetry.TRACEPARENT, ""))
            try:
                metadata = _metadata(received, assertion, span)
                async for response in forward(requests, metadata=metadata, timeout=context.time_remaining()):
                    yield response
                return
            except (grpc.RpcError, DomainError) as error:
                failure = error
                span.set_status(trace.StatusCode.ERROR)
            finally:
                span.end()
            await refuse(context, failure, service, received)

        return handle


def _both_ways(forward: Any) -> Any:
    """Returns a stream both ways that is called as one with a single request is."""

    def responses(requests: Any, metadata: Metadata, timeout: float | None) -> AsyncIterator[bytes]:
        return both_ways(forward(metadata=metadata, timeout=timeout), requests)

    return responses


def _passed(context: Any) -> dict[str, str]:
    return {key: value for key, value in context.invocation_metadata() if key in PASSED}


def _metadata(received: Mapping[str, str], assertion: str, span: trace.Span) -> Metadata:
    metadata: Metadata = [(ASSERTION_KEY, assertion)]
    if "accept-language" in received:
        metadata.append(("accept-language", received["accept-language"]))
    # The trace that began here, never the caller's own.
    if parent := telemetry.traceparent_of(span):
        metadata.append((telemetry.TRACEPARENT, parent))
    return metadata


async def refuse(context: Any, error: grpc.RpcError | DomainError, service: str, received: Mapping[str, str]) -> None:
    """Ends a call as the service ended it, its details unchanged; where it gave none, with ours."""
    if isinstance(error, grpc.RpcError) and _has_details(error):
        await context.abort(error.code(), error.details(), tuple(error.trailing_metadata()))
    refusal = error if isinstance(error, DomainError) else _own_refusal(error, service)
    message = status.to_status(refusal, status.language_of(received.items()))
    await context.abort(refusal.code, message.message, ((status.TRAILER, message.SerializeToString()),))


def _has_details(error: grpc.RpcError) -> bool:
    return any(key == status.TRAILER for key, _ in error.trailing_metadata() or ())


def _own_refusal(error: grpc.RpcError, service: str) -> DomainError:
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        return ServiceUnavailable(service=service)
    return status.from_rpc_error(error)
