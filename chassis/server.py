"""The gRPC edge of every service: telemetry, errors, identity, fields, then the function behind the method.

Handlers are built from the contract's descriptor; there is no servicer class.
"""

import asyncio
import contextlib
import dataclasses
import datetime
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import DecodeError, Message
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from opentelemetry import trace

from chassis import fields, identity, status, telemetry
from chassis.blobs.uploads import Uploads
from chassis.certificates import Credentials
from chassis.channel import MOST_BYTES
from chassis.clock import Clock
from chassis.command import Seal, Submission, as_it_came
from chassis.database import Database
from chassis.errors import DomainError, InvalidFields, Problem
from chassis.identity import Caller, Verifier
from chassis.ids import RandomBytes
from chassis.notes import Notes
from chassis.service import GET_BLOB, UPLOAD_BLOB, WATCH, Reading, Service
from chassis.streams import Places
from chassis.watch import Watchers
from chassis.writer import Writer

logger = logging.getLogger(__name__)

LARGEST_MESSAGE = 4 * 1024 * 1024
READERS = 4
STREAM_WINDOW = 4
LINGER_SECONDS = 5.0
OPTIONS = [
    # Above ours, so that a message over the limit gets our refusal with its reason.
    ("grpc.max_receive_message_length", MOST_BYTES),
    ("grpc.max_send_message_length", MOST_BYTES),
    # Who doesn't finish the handshake is cut, and who no longer answers pings.
    ("grpc.server_handshake_timeout_ms", 5_000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.so_reuseport", 1),
    # The library cancels calls beyond a thousand that wait; the writer refuses with a reason instead.
    ("grpc.server.max_pending_requests", 30_000),
    ("grpc.server.max_pending_requests_hard_limit", 60_000),
]


class MessageTooLarge(DomainError):
    """The message has {size} bytes; at most {limit} are taken. Send fewer rows a message."""

    chinese = "消息大小为 {size} 字节，上限为 {limit} 字节，请减少每条消息的行数。"
    code = grpc.StatusCode.INVALID_ARGUMENT


class Internal(DomainError):
    """Something went wrong on our side; quote {incident} to support."""

    chinese = "系统内部错误，请向支持人员提供编号 {incident}。"
    code = grpc.StatusCode.INTERNAL


# Takes the caller and the business date that it gives, where it is a service; the request; and the span.
Act = Callable[[Caller, datetime.date | None, Any, trace.Span], Awaitable[Message]]
Answers = Callable[[Caller, Any], AsyncIterator[Message]]


class Endpoint:
    """One method: who may call it, what it takes, how its spans are named."""

    def __init__(self, method: MethodDescriptor, verifier: Verifier, clock: Clock, random: RandomBytes) -> None:
        self.policy = identity.policy_of(method)
        self.request_class = message_factory.GetMessageClass(method.input_type)
        self.keys = telemetry.business_keys(method.input_type)
        self.response_keys = telemetry.business_keys(method.output_type)
        self.span_name = method.full_name
        self._verifier, self._clock, self._random = verifier, clock, random

    def caller(self, context: Any, metadata: dict[str, Any]) -> Caller:
        """The authenticated caller, allowed to call this method."""
        peer = identity.peer_name(context.auth_context())
        caller = identity.caller_of(peer, metadata, self._verifier, self._clock.now_us())
        self.policy.check(caller)
        language = status.language_of(metadata.items())
        return caller if caller.language == language else dataclasses.replace(caller, language=language)

    def parse(self, raw: bytes, span: trace.Span) -> Any:
        """The valid request. MessageTooLarge, InvalidFields."""
        if len(raw) > LARGEST_MESSAGE:
            raise MessageTooLarge(size=len(raw), limit=LARGEST_MESSAGE)
        try:
            request = self.request_class.FromString(raw)
        except DecodeError as error:
            problem = Problem("", "MALFORMED", "The bytes are no such message.", "内容无法解析为该消息。")
            raise InvalidFields([problem]) from error
        fields.check(request, raw)
        telemetry.annotate(span, self.keys, request)
        return request

    def refusal(self, error: Exception) -> DomainError:
        """What the caller is told; an unknown exception tells an incident's number only."""
        if isinstance(error, DomainError):
            return error
        incident = self._random(8).hex()
        logger.exception("incident %s in %s", incident, self.span_name, exc_info=error)
        return Internal(incident=incident)

    async def abort(self, context: Any, error: Exception, metadata: dict[str, Any]) -> None:
        """The one place a call is refused."""
        refusal = self.refusal(error)
        message = status.to_status(refusal, status.language_of(metadata.items()))
        trailer = ((status.TRAILER, message.SerializeToString()),)
        await context.abort(refusal.code, message.message, trailer)


def _unary(endpoint: Endpoint, act: Act) -> grpc.RpcMethodHandler:
    async def handle(raw: bytes, context: Any) -> bytes:
        metadata = dict(context.invocation_metadata())
        with telemetry.server_span(endpoint.span_name, metadata) as span:
            try:
                caller = endpoint.caller(context, metadata)
                date = identity.date_of(caller, metadata)
                response = await act(caller, date, endpoint.parse(raw, span), span)
                telemetry.annotate(span, endpoint.response_keys, response)
                return response.SerializeToString()
            except Exception as error:
                failure = error
                span.set_status(trace.StatusCode.ERROR, getattr(error, "reason", type(error).__name__))
        await endpoint.abort(context, failure, metadata)
        raise AssertionError

    return grpc.unary_unary_rpc_method_handler(handle)


def _stream(endpoint: Endpoint, act: Act, places: Places) -> grpc.RpcMethodHandler:
    """A stream of requests, each answered in order, a few under way at once."""

    async def one(caller: Caller, raw: bytes, metadata: dict[str, Any]) -> bytes:
        with telemetry.server_span(endpoint.span_name, metadata) as span:
            date = identity.date_of(caller, metadata)
            return (await act(caller, date, endpoint.parse(raw, span), span)).SerializeToString()

    async def handle(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        metadata = dict(context.invocation_metadata())
        try:
            caller = endpoint.caller(context, metadata)
            with places.of(caller):
                # Tells the other side that its requests are awaited.
                await context.send_initial_metadata(())
                async for response in _in_order(requests, lambda raw: one(caller, raw, metadata)):
                    yield response
            return
        except Exception as error:
            failure = error
        await endpoint.abort(context, failure, metadata)

    return grpc.stream_stream_rpc_method_handler(handle)


async def _in_order(
    requests: AsyncIterator[bytes], answer: Callable[[bytes], Awaitable[bytes]]
) -> AsyncIterator[bytes]:
    """The answers in order, with at most STREAM_WINDOW requests under way."""
    under_way: asyncio.Queue[asyncio.Future[bytes] | None] = asyncio.Queue(STREAM_WINDOW)

    async def read() -> None:
        async for raw in requests:
            await under_way.put(asyncio.ensure_future(answer(raw)))
        await under_way.put(None)

    reader = asyncio.create_task(read())
    try:
        while (future := await under_way.get()) is not None:
            yield await future
    finally:
        reader.cancel()


def _answers(endpoint: Endpoint, answers: Answers) -> grpc.RpcMethodHandler:
    """A stream of answers to one request."""

    async def handle(raw: bytes, context: Any) -> AsyncIterator[bytes]:
        metadata = dict(context.invocation_metadata())
        try:
            caller = endpoint.caller(context, metadata)
            async for response in answers(caller, endpoint.parse(raw, trace.INVALID_SPAN)):
                yield response.SerializeToString()
            return
        except Exception as error:
            failure = error
        await endpoint.abort(context, failure, metadata)

    return grpc.unary_stream_rpc_method_handler(handle)


def _upload(endpoint: Endpoint, uploads: Uploads, places: Places) -> grpc.RpcMethodHandler:
    """A stream of parts, answered once it is whole."""

    async def take(parts: AsyncIterator[bytes], context: Any, metadata: dict[str, Any]) -> bytes:
        with telemetry.server_span(endpoint.span_name, metadata) as span:
            caller = endpoint.caller(context, metadata)
            with places.of(caller):
                # Tells the other side that its parts are awaited.
                await context.send_initial_metadata(())
                parsed = (endpoint.parse(raw, trace.INVALID_SPAN) async for raw in parts)
                return (await uploads.take(caller, parsed, span)).SerializeToString()

    async def handle(parts: AsyncIterator[bytes], context: Any) -> bytes:
        metadata = dict(context.invocation_metadata())
        try:
            return await take(parts, context, metadata)
        except Exception as error:
            failure = error
        await _drain(parts)
        await endpoint.abort(context, failure, metadata)
        raise AssertionError

    return grpc.stream_unary_rpc_method_handler(handle)


async def _drain(parts: AsyncIterator[bytes]) -> None:
    """Takes what a refused sender is still sending, for a while: a write that fails would hide the refusal from it."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            async for _part in parts:
                pass


class Handlers:
    """The functions behind a service's methods, bound to its store and writer."""

    def __init__(
        self,
        service: Service,
        store: Database,
        writer: Writer,
        watchers: Watchers,
        verifier: Verifier,
        clock: Clock,
        random: RandomBytes,
        seal: Seal,
        notes: Notes,
        places: Places,
    ) -> None:
        self._service, self._store, self._writer = service, store, writer
        self._watchers, self._verifier, self._clock, self._random = watchers, verifier, clock, random
        self._seal, self._notes, self._places = seal, notes, places
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        # One thread: several would only take the interpreter from each other and from the writer.
        self._preparer = ThreadPoolExecutor(1, thread_name_prefix="preparer")
        self._uploads = Uploads(store, writer, self._readers, clock, random)

    def generic(self) -> grpc.GenericRpcHandler:
        """All methods of the contract."""
        handlers = {method.name: self._handler(method) for method in self._service.contract.descriptor.methods}
        return grpc.method_handlers_generic_handler(self._service.contract.descriptor.full_name, handlers)

    def _handler(self, method: MethodDescriptor) -> grpc.RpcMethodHandler:
        endpoint = Endpoint(method, self._verifier, self._clock, self._random)
        if method.name == WATCH:
            return _answers(endpoint, self._watchers.stream)
        if method.name == UPLOAD_BLOB:
            return _upload(endpoint, self._uploads, self._places)
        if method.name == GET_BLOB:
            return _answers(endpoint, self._give)
        if method.name in self._service.streams:
            return _stream(endpoint, self._command(self._service.streams[method.name]), self._places)
        if method.name in self._service.commands:
            return _unary(endpoint, self._command(method.name))
        return _unary(endpoint, self._read(method.name))

    async def _give(self, caller: Caller, request: Any) -> AsyncIterator[Message]:
        with self._places.of(caller):
            async for part in self._uploads.give(caller, request):
                yield part

    def _command(self, name: str) -> Act:
        operation = self._service.operation(name)

        async def act(caller: Caller, date: datetime.date | None, request: Any, span: trace.Span) -> Message:
            now_us, traceparent = self._clock.now_us(), telemetry.traceparent_of(span)
            submission = Submission(
                operation=operation,
                caller=caller,
                request=request,
                request_id=request.request_id,
                now_us=now_us,
                seed=self._random(16),
                traceparent=traceparent,
                span=span,
                caller_date=date,
                seal=self._seal,
            )
            if operation.prepare is not as_it_came:
                await asyncio.get_running_loop().run_in_executor(self._preparer, lambda: submission.work)
            return await self._writer.submit(submission)

        return act

    def _read(self, name: str) -> Act:
        read = self._service.reads[name]

        def work(caller: Caller, date: datetime.date | None, request: Any) -> tuple[Message, Sequence[Any]]:
            with self._store.read() as connection:
                reading = Reading(connection, caller, self._clock.now_us(), self._store.keys, caller_date=date)
                return read(reading, request), reading.notes

        async def act(caller: Caller, date: datetime.date | None, request: Any, span: trace.Span) -> Message:
            loop = asyncio.get_running_loop()
            response, notes = await loop.run_in_executor(self._readers, work, caller, date, request)
            await self._notes.write(caller, notes, span)
            return response

        return act

    def close(self) -> None:
        """Ends the reading threads."""
        self._readers.shutdown(wait=True)
        self._preparer.shutdown(wait=True)


def server_credentials(credentials: Credentials) -> grpc.ServerCredentials:
    """For a server that demands a certificate of its authority. NoServerCertificate."""
    credentials.check_server()
    pair = [(credentials.key, credentials.certificate)]
    return grpc.ssl_server_credentials(pair, credentials.authority, require_client_auth=True)


def build_server(
    handlers: Iterable[grpc.GenericRpcHandler],
    names: Iterable[str],
    health_servicer: health.aio.HealthServicer,
) -> grpc.aio.Server:
    """A server with health and reflection for the named gRPC services."""
    server = grpc.aio.server(options=OPTIONS)
    server.add_generic_rpc_handlers(tuple(handlers))
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    return server


async def set_serving(servicer: health.aio.HealthServicer, names: Iterable[str], serving: bool) -> None:
    """What health checks are told."""
    kind = health_pb2.HealthCheckResponse
    for name in ("", *names):
        await servicer.set(name, kind.SERVING if serving else kind.NOT_SERVING)
