"""Calls as the gateway forwards them: over its certificate, with an assertion of who the caller is."""

from typing import Any

from google.protobuf.message import Message

from chassis.channel import Channels, Metadata
from chassis.clock import Clock
from chassis.contracts import contract
from chassis.identity import ASSERTION_KEY, Caller, Signer


class AssertingClient:
    """A client for whoever holds the gateway's keys: tests, and a local platform's own commands."""

    def __init__(self, channels: Channels, signer: Signer, clock: Clock) -> None:
        self._channels, self._signer, self._clock = channels, signer, clock

    async def call(self, service: str, method: str, request: Message, caller: Caller) -> Any:
        """Makes a call and returns the response. Raises RemoteError if it is refused."""
        callee = contract(service)
        metadata = self._metadata(service, caller)
        raw = await self._channels.call(service, callee.path(method), request.SerializeToString(), metadata)
        return callee.response(method).FromString(raw)

    def stream(self, service: str, method: str, caller: Caller) -> Any:
        """Opens a stream of batches, to be written and read by turns. Raises grpc.RpcError where it breaks."""
        callee = contract(service)
        opened = self._channels[service].stream_stream(
            callee.path(method),
            request_serializer=callee.request(method).SerializeToString,
            response_deserializer=callee.response(method).FromString,
        )
        return opened(metadata=self._metadata(service, caller))

    def _metadata(self, service: str, caller: Caller) -> Metadata:
        assertion = self._signer.assertion(caller, service, self._clock.now_us())
        return [(ASSERTION_KEY, assertion), ("accept-language", caller.language)]
