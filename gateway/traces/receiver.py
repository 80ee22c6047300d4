"""The built-in receiver: standard OTLP over the platform's mutual TLS, from its own processes only."""

import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import grpc
from google.protobuf.message import Message
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from chassis import identity, server, telemetry
from chassis.certificates import Credentials
from chassis.clock import Clock
from gateway.limits import LIMITS, Limits
from gateway.store import Store
from gateway.traces import store
from gateway.traces.attributes import attributes_of
from gateway.traces.gauges import Gauges, gauges_of
from gateway.traces.model import Span

TRACES = "opentelemetry.proto.collector.trace.v1.TraceService"
METRICS = "opentelemetry.proto.collector.metrics.v1.MetricsService"
STATUSES = {trace_pb2.Status.STATUS_CODE_OK: "OK", trace_pb2.Status.STATUS_CODE_ERROR: "ERROR"}
BATCHES_BETWEEN_PRUNINGS = 200

Export = Callable[[Any], Awaitable[Message]]


class Receiver:
    """Keeps what the exporters send; an export of spans is answered after they are committed."""

    def __init__(
        self, credentials: Credentials, keep: Store, clock: Clock, limits: Limits = LIMITS, *, gauges: Gauges
    ) -> None:
        self._keep, self._clock, self._limits, self._batches = keep, clock, limits, 0
        self._gauges = gauges
        self._server = grpc.aio.server(options=server.OPTIONS)
        spans = _handler(self._take_spans, trace_service_pb2.ExportTraceServiceRequest)
        metrics = _handler(self._take_metrics, metrics_service_pb2.ExportMetricsServiceRequest)
        self._server.add_generic_rpc_handlers((_service(TRACES, spans), _service(METRICS, metrics)))
        self._credentials = server.server_credentials(credentials)

    async def start(self, listen: str) -> int:
        """Listens on host:port; the bound port."""
        port: int = self._server.add_secure_port(listen, self._credentials)
        await self._server.start()
        return port

    async def stop(self) -> None:
        """Takes what is under way, then closes."""
        await self._server.stop(1.0)

    async def _take_spans(self, request: Any) -> Message:
        now_us = self._clock.now_us()
        await self._keep.write(store.add, list(spans_of(request)), now_us)
        self._batches += 1
        if self._batches % BATCHES_BETWEEN_PRUNINGS == 0:
            await self._keep.write(store.prune, now_us, self._limits)
        return trace_service_pb2.ExportTraceServiceResponse()

    async def _take_metrics(self, request: Any) -> Message:
        self._gauges.keep(gauges_of(request))
        return metrics_service_pb2.ExportMetricsServiceResponse()


def _service(name: str, handler: grpc.RpcMethodHandler) -> grpc.GenericRpcHandler:
    return grpc.method_handlers_generic_handler(name, {"Export": handler})


def _handler(export: Export, request: type[Message]) -> grpc.RpcMethodHandler:
    """Returns the method that takes exports of the platform's processes, and refuses others'."""

    async def handle(message: Any, context: Any) -> Message:
        if not identity.peer_name(context.auth_context()).startswith("services/"):
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "telemetry comes from the platform's processes")
        return await export(message)

    return grpc.unary_unary_rpc_method_handler(
        handle, request_deserializer=request.FromString, response_serializer=lambda answer: answer.SerializeToString()
    )


def spans_of(request: Any) -> Iterator[Span]:
    """Yields the spans of an export."""
    for resource_spans in request.resource_spans:
        service = str(attributes_of(resource_spans.resource.attributes).get("service.name", ""))
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                yield _span(service, span)


def _span(service: str, span: Any) -> Span:
    events = [
        {"name": event.name, "time_ns": str(event.time_unix_nano), "attributes": attributes_of(event.attributes)}
        for event in span.events
    ]
    content = {"attributes": attributes_of(span.attributes), "events": events, "callers": list(_callers(span))}
    return Span(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_span_id=span.parent_span_id.hex(),
        service=service,
        name=span.name,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        status=STATUSES.get(span.status.code, "UNSET"),
        content=json.dumps(content, ensure_ascii=False),
    )


def _callers(span: Any) -> Iterator[str]:
    """Yields the traces of callers that a span is linked to."""
    for link in span.links:
        if attributes_of(link.attributes).get(telemetry.LINK) == telemetry.CALLER:
            yield link.trace_id.hex()
