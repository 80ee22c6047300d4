"""Shared by JSON API and pages: the caller behind a request, its language, refusals, spans, the edge."""

import contextlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from urllib.parse import urlsplit

import grpc
from google.protobuf import json_format
from opentelemetry import trace
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis import status, telemetry
from chassis.clock import Clock
from chassis.errors import LANGUAGES, DomainError
from chassis.ids import RandomBytes, system_random
from chassis.server import Internal
from gateway.backends import Backends
from gateway.bodies import Bodies
from gateway.connections import source_of
from gateway.directory.directory import Directory
from gateway.directory.model import Principal
from gateway.errors import CrossSiteRequest, FramingAmbiguous, HostUnknown, VerbNotAllowed
from gateway.limits import LIMITS, Limits
from gateway.store import Store
from gateway.traces.gauges import Gauges

logger = logging.getLogger(__name__)

SESSION_COOKIE = "aval_session"
LANGUAGE_COOKIE = "aval_language"
REQUEST_HEADER = "x-aval-request"
SAFE_VERBS = ("GET", "HEAD", "OPTIONS")
HEALTH = "/healthz"
STATIC = "/static/"
YEAR_SECONDS = 365 * 24 * 3600
BRAKED_SECONDS = 5

# As google.rpc.Code maps them.
HTTP_STATUS: Mapping[grpc.StatusCode, int] = {
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.INVALID_ARGUMENT: HTTPStatus.BAD_REQUEST,
    grpc.StatusCode.DEADLINE_EXCEEDED: HTTPStatus.GATEWAY_TIMEOUT,
    grpc.StatusCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS: HTTPStatus.CONFLICT,
    grpc.StatusCode.PERMISSION_DENIED: HTTPStatus.FORBIDDEN,
    grpc.StatusCode.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    grpc.StatusCode.RESOURCE_EXHAUSTED: HTTPStatus.TOO_MANY_REQUESTS,
    grpc.StatusCode.FAILED_PRECONDITION: HTTPStatus.BAD_REQUEST,
    grpc.StatusCode.ABORTED: HTTPStatus.CONFLICT,
    grpc.StatusCode.OUT_OF_RANGE: HTTPStatus.BAD_REQUEST,
    grpc.StatusCode.UNIMPLEMENTED: HTTPStatus.NOT_IMPLEMENTED,
    grpc.StatusCode.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}
# Where HTTP has a word of its own.
HTTP_STATUS_BY_REASON: Mapping[str, int] = {
    "MESSAGE_TOO_LARGE": 413,
    "BLOB_TOO_LARGE": 413,
    "TOO_MANY_FIELDS": 413,
    "VERB_NOT_ALLOWED": 405,
    "HOST_UNKNOWN": 421,
}


@dataclass(frozen=True)
class Rooms:
    """The parts that a web endpoint has at hand. `https`: pages are reached over TLS only, whatever a request says."""

    directory: Directory
    backends: Backends
    store: Store
    clock: Clock
    limits: Limits = LIMITS
    https: bool = False
    gauges: Gauges = field(default_factory=Gauges, kw_only=True)

    @cached_property
    def bodies(self) -> Bodies:
        """Returns the reader of bodies."""
        return Bodies(self.limits)

    def is_secure(self, scope: Scope) -> bool:
        """Whether the caller came over TLS."""
        return self.https or scope["scheme"] == "https"


def http_status(error: DomainError) -> int:
    """The HTTP status of a refusal."""
    return status_of(error.code, error.reason)


def status_of(code: grpc.StatusCode, reason: str) -> int:
    """The HTTP status of a code and a reason."""
    return int(HTTP_STATUS_BY_REASON.get(reason) or HTTP_STATUS.get(code, HTTPStatus.INTERNAL_SERVER_ERROR))


def language_of(request: Request) -> str:
    """Returns the language of the switch, else the one the browser asks for."""
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    if chosen in LANGUAGES:
        return chosen
    return status.language_of([("accept-language", request.headers.get("accept-language", ""))])


async def signed_in(rooms: Rooms, request: Request, in_use: bool = True) -> Principal:
    """Returns the principal of the session, which stays open longer unless it is only looked at. Raises NotSignedIn."""
    return await rooms.directory.principal_of(request.cookies.get(SESSION_COOKIE), in_use)


def source(request: Request) -> str:
    """Where the request came from, as attempts are counted."""
    return source_of(request.client.host) if request.client else ""


def set_cookie(rooms: Rooms, request: Request, response: Response, name: str, value: str) -> None:
    """Hands out a cookie: not for scripts, not for other sites, over TLS only where there is TLS."""
    seconds = rooms.limits.session_hours * 3600
    secure = rooms.is_secure(request.scope)
    response.set_cookie(name, value, max_age=seconds, httponly=True, samesite="lax", secure=secure)


def set_session(rooms: Rooms, request: Request, response: Response, token: str) -> None:
    """Hands out a session."""
    set_cookie(rooms, request, response, SESSION_COOKIE, token)


def check_same_site(request: Request) -> None:
    """CrossSiteRequest unless the change comes from this site, or from a program that says so."""
    if request.method in SAFE_VERBS:
        return
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise CrossSiteRequest
    if origin is None and request.headers.get(REQUEST_HEADER) != "1":
        raise CrossSiteRequest


def json_refusal(error: DomainError, language: str) -> JSONResponse:
    """A google.rpc.Status as JSON: code, reason, message in the caller's language, details."""
    message = status.to_status(error, language)
    details = [json_format.MessageToDict(detail) for detail in message.details]
    content = {"code": message.code, "reason": error.reason, "message": error.text(language), "details": details}
    return JSONResponse(content, http_status(error), refusal_headers(error))


def refusal_headers(error: DomainError) -> dict[str, str]:
    """Returns the HTTP headers of a refusal: which verbs there are, or when to come again."""
    if isinstance(error, VerbNotAllowed):
        return {"Allow": error.metadata["allowed"]}
    if error.code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return {"Retry-After": error.metadata.get("seconds", str(BRAKED_SECONDS))}
    return {}


def incident(error: Exception, where: str, random: RandomBytes = system_random) -> Internal:
    """Returns the refusal for an exception that nobody expected; the log has the rest under its number."""
    number = random(8).hex()
    logger.error("incident %s in %s", number, where, exc_info=error)
    return Internal(incident=number)


@contextlib.contextmanager
def traced(request: Request, name: str, **attributes: str) -> Iterator[trace.Span]:
    """A span for a request whose route and caller are known; its name and attributes are ours, not the caller's."""
    with telemetry.edge_span(name, request.headers.get(telemetry.TRACEPARENT, "")) as span:
        span.set_attributes({name: value for name, value in attributes.items() if value})
        try:
            yield span
        except DomainError as error:
            note_status(span, http_status(error))
            raise


def note_status(span: trace.Span, code: int) -> None:
    """Says how a request was answered."""
    span.set_attribute("http.response.status_code", code)
    if code >= HTTPStatus.BAD_REQUEST:
        span.set_status(trace.StatusCode.ERROR)


class Edge:
    """The outermost layer: what no request may be, and what every answer says."""

    def __init__(self, app: ASGIApp, rooms: Rooms, hosts: frozenset[str]) -> None:
        """`hosts`: the names that a request's Host may have."""
        self._app, self._rooms, self._hosts = app, rooms, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        send = self._with_headers(scope, send)
        refusal = self._refusal_of(scope)
        if refusal is None:
            await self._app(scope, receive, send)
            return
        response = json_refusal(refusal, language_of(Request(scope)))
        # What follows on this connection can't be told from the body.
        response.headers["Connection"] = "close"
        await response(scope, receive, send)

    def _refusal_of(self, scope: Scope) -> DomainError | None:
        headers = Headers(scope=scope)
        if "content-length" in headers and "transfer-encoding" in headers:
            return FramingAmbiguous()
        host = headers.get("host", "")
        # The health of a process is asked for by its address.
        if host_name(host) not in self._hosts and scope["path"] != HEALTH:
            return HostUnknown(host=host)
        return None

    def _with_headers(self, scope: Scope, send: Send) -> Send:
        is_secure, is_static = self._rooms.is_secure(scope), scope["path"].startswith(STATIC)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("X-Content-Type-Options", "nosniff")
                if not is_static:
                    headers.setdefault("Cache-Control", "no-store")
                if is_secure:
                    headers.setdefault("Strict-Transport-Security", f"max-age={YEAR_SECONDS}")
            await send(message)

        return sending


def host_name(host: str) -> str:
    """A Host without its port, in lower case: "Localhost:8080" is "localhost", "[::1]:80" is "[::1]"."""
    return host.lower() if host.endswith("]") else host.lower().rpartition(":")[0] or host.lower()
