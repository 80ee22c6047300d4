"""The built-in receiver: standard OTLP over the platform's mutual TLS, from its own processes only."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from chassis import identity, server, telemetry
from chassis.certificates import Credentials
from chassis.clock import Clock
from gateway.limits import LIMITS, Limits
from gateway.store import Store
from gateway.traces import store
from gateway.traces.model import Span

SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"
STATUSES = {trace_pb2.Status.STATUS_CODE_OK: "OK", trace_pb2.Status.STATUS_CODE_ERROR: "ERROR"}
BATCHES_BETWEEN_PRUNINGS = 200


class Receiver:
    """Keeps what the exporters send; an export is answered after its spans are committed."""

    def __init__(self, credentials: Credentials, keep: Store, clock: Clock, limits: Limits = LIMITS) -> None:
        self._keep, self._clock, self._limits, self._batches = keep, clock, limits, 0
        self._server = grpc.aio.server(options=server.OPTIONS)
        handler = grpc.unary_unary_rpc_method_handler(
            self._export,
            request_deserializer=trace_service_pb2.ExportTraceServiceRequest.FromString,
            response_serializer=trace_service_pb2.ExportTraceServiceResponse.SerializeToString,
        )
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Export": handler}),))
        self._credentials = server.server_credentials(credentials)

    async def start(self, listen: str) -> int:
        """Listens on host:port; the bound port."""
        port: int = self._server.add_secure_port(listen, self._credentials)
        await self._server.start()
        return port

    async def stop(self) -> None:
        """Takes what is under way, then closes."""
        await self._server.stop(1.0)

    async def _export(self, request: Any, context: Any) -> Any:
        if not identity.peer_name(context.auth_context()).startswith("services/"):
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "spans come from the platform's processes")
        now_us = self._clock.now_us()
        await self._keep.write(store.add, list(spans_of(request)), now_us)
        self._batches += 1
        if self._batches % BATCHES_BETWEEN_PRUNINGS == 0:
            await self._keep.write(store.prune, now_us, self._limits)
        return trace_service_pb2.ExportTraceServiceResponse()


def spans_of(request: Any) -> Iterator[Span]:
    """The spans of an export."""
    for resource_spans in request.resource_spans:
        service = str(_attributes(resource_spans.resource.attributes).get("service.name", ""))
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                yield _span(service, span)


def _span(service: str, span: Any) -> Span:
    events = [
        {"name": event.name, "time_ns": str(event.time_unix_nano), "attributes": _attributes(event.attributes)}
        for event in span.events
    ]
    content = {"attributes": _attributes(span.attributes), "events": events, "callers": list(_callers(span))}
    return Span(
        span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex(), service, span.name,
        span.start_time_unix_nano, span.end_time_unix_nano, STATUSES.get(span.status.code, "UNSET"),
        json.dumps(content, ensure_ascii=False),
    )  # fmt: skip


def _callers(span: Any) -> Iterator[str]:
    """The traces of callers that a span is linked to."""
    for link in span.links:
        if _attributes(link.attributes).get(telemetry.LINK) == telemetry.CALLER:
            yield link.trace_id.hex()


def _attributes(found: Iterable[common_pb2.KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in found}


def _value(value: common_pb2.AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    if kind == "bytes_value":
        return value.bytes_value.hex()
    return getattr(value, kind) if kind else None
