"""The operators' pages: traces by business key, one trace as a waterfall, the same as JSON; the newest metrics."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from chassis.errors import AccessDenied, NotFound
from gateway import web
from gateway.pages.page import Page
from gateway.traces import model, store
from gateway.traces.model import Span
from gateway.web import Rooms

DECLARATION = "aval.declaration.number"
OPERATOR = "OPERATOR"


class OperationsPages:
    """/operations/traces and what lies below it, and /operations/metrics.json, for operators."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    def routes(self) -> list[Route]:
        """Returns its routes."""
        return [
            Route("/operations/traces", self.traces, methods=["GET"]),
            Route("/operations/traces/{trace_id}.json", self.trace_json, methods=["GET"]),
            Route("/operations/traces/{trace_id}", self.trace, methods=["GET"]),
            Route("/operations/metrics.json", self.metrics, methods=["GET"]),
        ]

    async def _page(self, request: Request) -> Page:
        principal = await web.signed_in(self._rooms, request)
        if OPERATOR not in principal.roles:
            raise AccessDenied(method="/operations")
        return Page(self._rooms, request, principal)

    async def traces(self, request: Request) -> Response:
        """Shows the traces of a declaration, or of any other key (?attribute=…&value=…); without a key the newest."""
        page = await self._page(request)
        declaration = request.query_params.get("declaration", "").strip()
        attribute = request.query_params.get("attribute", DECLARATION)
        value = declaration or request.query_params.get("value", "")
        keep = self._rooms.store
        traces = await (keep.read(store.by_key, attribute, value) if value else keep.read(store.newest))
        if "application/json" in request.headers.get("accept", ""):
            return JSONResponse({"traces": [{"traceId": trace.trace_id, "name": trace.name} for trace in traces]})
        return page.show("traces.html", traces=traces, declaration=declaration)

    async def _spans(self, trace_id: str) -> list[Span]:
        spans = await self._rooms.store.read(store.trace, trace_id)
        if not spans:
            raise NotFound(resource=f"traces/{trace_id}")
        return spans

    async def trace(self, request: Request) -> Response:
        """Shows a trace as a waterfall."""
        page = await self._page(request)
        trace_id = request.path_params["trace_id"]
        spans = await self._spans(trace_id)
        start_ns = min(span.start_ns for span in spans)
        return page.show(
            "trace.html", trace_id=trace_id, bars=model.waterfall(spans), services=model.services_of(spans),
            start_ns=start_ns, whole_ns=max(max(span.end_ns for span in spans) - start_ns, 1),
        )  # fmt: skip

    async def trace_json(self, request: Request) -> Response:
        """Answers with a trace and its services."""
        await self._page(request)
        trace_id = request.path_params["trace_id"]
        return JSONResponse(model.to_json(trace_id, await self._spans(trace_id)))

    async def metrics(self, request: Request) -> Response:
        """Shows the newest value of each metric that the processes told this one."""
        await self._page(request)
        return JSONResponse({"metrics": [gauge.to_json() for gauge in self._rooms.gauges.newest()]})
