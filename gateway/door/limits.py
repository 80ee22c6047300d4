"""The limits of a stranger's call at the door: how long its message may take, and how many streams it may hold."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc

from chassis import identity, status
from chassis.errors import DomainError
from chassis.streams import Places
from gateway.door.identification import Identification

# From a call's headers to its whole message: long enough for 4 MiB on a slow line.
MESSAGE_SECONDS = 30.0
# A tenant's refused streams are answered one after the other, so long apart: asking again and again gains nothing.
REFUSAL_SECONDS = 0.02


class MessageMissing(DomainError):
    """The call ended without a whole message; send one."""

    chinese = "调用在完整消息到达之前已结束；请发送完整消息。"
    code = grpc.StatusCode.INVALID_ARGUMENT


class MessageLate(DomainError):
    """No whole message came within {seconds} seconds; send it at once with the call."""

    chinese = "{seconds} 秒内未收到完整消息；请随调用立即发送。"
    code = grpc.StatusCode.DEADLINE_EXCEEDED


Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler]]


class Limits(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Bounds every call at the door. The library alone would wait for a message for ever, and answer none without."""

    def __init__(self, identification: Identification, places: Places, message_seconds: float) -> None:
        self._identification, self._places, self._message_seconds = identification, places, message_seconds
        self._refusals: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler:
        """Returns the method's handler, within the limits; none where there is none."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        service = handler_call_details.method.rsplit("/", 1)[0]
        coding = (handler.request_deserializer, handler.response_serializer)
        if not (handler.request_streaming or handler.response_streaming):
            return grpc.stream_unary_rpc_method_handler(self._unary(handler.unary_unary), *coding)
        act = handler.stream_stream if handler.request_streaming else self._with_message(handler.unary_stream)
        return grpc.stream_stream_rpc_method_handler(self._stream(act, service), *coding)

    def _unary(self, act: Any) -> Any:
        async def handle(requests: AsyncIterator[Any], context: Any) -> Any:
            return await act(await self._message(requests, context), context)

        return handle

    def _with_message(self, act: Any) -> Any:
        """Returns a handler of one message that takes a stream of them: the message is read here, within its limit."""

        async def handle(requests: AsyncIterator[Any], context: Any) -> None:
            await _write(act(await self._message(requests, context), context), context)

        return handle

    async def _message(self, requests: AsyncIterator[Any], context: Any) -> Any:
        """Returns the call's one message; refuses the call that brings none."""
        try:
            async with asyncio.timeout(self._message_seconds):
                return await anext(requests)
        except StopAsyncIteration:
            await _refuse(context, MessageMissing())
        except TimeoutError:
            await _refuse(context, MessageLate(seconds=f"{self._message_seconds:g}"))

    def _stream(self, act: Any, service: str) -> Any:
        async def handle(requests: AsyncIterator[Any], context: Any) -> None:
            holder = await self._holder(context)
            try:
                with self._places.taken(holder, service):
                    await _write(act(requests, context), context)
                    return
            except DomainError as error:
                refusal = error
            async with self._refusals[holder]:
                await asyncio.sleep(REFUSAL_SECONDS)
            await _refuse(context, refusal)

        return handle

    async def _holder(self, context: Any) -> str:
        """Returns the caller's tenant; the name in its certificate where the directory knows no such principal."""
        try:
            return (await self._identification.caller(context)).tenant
        except DomainError:
            return identity.peer_name(context.auth_context())


async def _write(answers: Any, context: Any) -> None:
    """Sends what a handler yields; one that writes by itself is waited for."""
    if not hasattr(answers, "__aiter__"):
        await answers
        return
    async for answer in answers:
        await context.write(answer)


async def _refuse(context: Any, refusal: DomainError) -> None:
    message = status.to_status(refusal, status.language_of(context.invocation_metadata()))
    await context.abort(refusal.code, message.message, ((status.TRAILER, message.SerializeToString()),))
