"""Calls as the gateway forwards them: over its certificate, with an assertion of who the caller is."""

from typing import Any

from google.protobuf.message import Message

from chassis.channel import Channels
from chassis.clock import Clock
from chassis.contracts import contract
from chassis.identity import ASSERTION_KEY, Caller, Signer


class AssertingClient:
    """For whoever holds the gateway's keys: tests, and a local platform's own commands."""

    def __init__(self, channels: Channels, signer: Signer, clock: Clock) -> None:
        self._channels, self._signer, self._clock = channels, signer, clock

    async def call(self, service: str, method: str, request: Message, caller: Caller) -> Any:
        """The response. RemoteError if the call is refused."""
        assertion = self._signer.assertion(caller, service, self._clock.now_us())
        metadata = [(ASSERTION_KEY, assertion), ("accept-language", caller.language)]
        callee = contract(service)
        raw = await self._channels.call(service, callee.path(method), request.SerializeToString(), metadata)
        return callee.response(method).FromString(raw)
