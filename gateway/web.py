"""What JSON API and pages share: the caller behind a request, its language, bodies, refusals, spans."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

import grpc
from google.protobuf import json_format
from opentelemetry import trace
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis import status, telemetry
from chassis.clock import Clock
from chassis.errors import LANGUAGES, DomainError
from chassis.ids import RandomBytes, system_random
from chassis.server import LARGEST_MESSAGE, Internal, MessageTooLarge
from gateway.backends import Backends
from gateway.directory.directory import Directory
from gateway.directory.model import SESSION_HOURS, Principal
from gateway.errors import CallerGone, CrossSiteRequest
from gateway.store import Store

logger = logging.getLogger(__name__)

SESSION_COOKIE = "aval_session"
LANGUAGE_COOKIE = "aval_language"
REQUEST_HEADER = "x-aval-request"
SAFE_VERBS = ("GET", "HEAD", "OPTIONS")
# Base64 makes bytes a third longer.
LARGEST_BODY = LARGEST_MESSAGE * 4 // 3 + 65_536
UNTRACED = ("/healthz", "/events", "/static/")

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
HTTP_STATUS_BY_REASON = {"MESSAGE_TOO_LARGE": 413, "VERB_NOT_ALLOWED": 405}


@dataclass(frozen=True)
class Rooms:
    """What a web endpoint has at hand."""

    directory: Directory
    backends: Backends
    store: Store
    clock: Clock


def http_status(error: DomainError) -> int:
    """The HTTP status of a refusal."""
    return int(HTTP_STATUS_BY_REASON.get(error.reason) or HTTP_STATUS.get(error.code, 500))


def language_of(request: Request) -> str:
    """What the switch says, else what the browser asks for."""
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    if chosen in LANGUAGES:
        return chosen
    return status.language_of([("accept-language", request.headers.get("accept-language", ""))])


async def signed_in(rooms: Rooms, request: Request) -> Principal:
    """Whose session the request carries. NotSignedIn."""
    return await rooms.directory.principal_of(request.cookies.get(SESSION_COOKIE))


def set_session(request: Request, response: Response, token: str) -> None:
    """Hands out the session's cookie: not for scripts, not for other sites, over TLS only where there is TLS."""
    secure = request.url.scheme == "https"
    response.set_cookie(
        SESSION_COOKIE, token, max_age=SESSION_HOURS * 3600, httponly=True, samesite="lax", secure=secure
    )


async def body_of(request: Request) -> bytes:
    """The body, up to the limit. MessageTooLarge, CallerGone."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST_BODY:
                raise MessageTooLarge(size=len(body), limit=LARGEST_BODY)
    except ClientDisconnect as gone:
        raise CallerGone from gone
    return bytes(body)


def check_same_site(request: Request) -> None:
    """CrossSiteRequest unless the change comes from this site, or from a program that says so."""
    if request.method in SAFE_VERBS:
        return
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise CrossSiteRequest
    if origin is None and request.headers.get(REQUEST_HEADER) is None:
        raise CrossSiteRequest


def json_refusal(error: DomainError, language: str) -> JSONResponse:
    """A google.rpc.Status as JSON: code, reason, message in the caller's language, details."""
    message = status.to_status(error, language)
    details = [json_format.MessageToDict(detail) for detail in message.details]
    content = {"code": message.code, "reason": error.reason, "message": error.text(language), "details": details}
    return JSONResponse(content, http_status(error))


def incident(error: Exception, where: str, random: RandomBytes = system_random) -> Internal:
    """What is told of an exception that nobody expected; the log has the rest under its number."""
    number = random(8).hex()
    logger.error("incident %s in %s", number, where, exc_info=error)
    return Internal(incident=number)


def name_span(request: Request) -> None:
    """Names the request's span by its route, not by what its path names."""
    path = request.url.path
    for name, value in request.path_params.items():
        path = path.replace(str(value), "{" + name + "}")
    span = trace.get_current_span()
    span.update_name(f"{request.method} {path}")
    if number := re.search(r"[0-9]{18}", str(request.url)):
        span.set_attribute("aval.declaration.number", number[0])


class Edge:
    """The outermost layer: a span for each request, and nothing unexpected gets further."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http" or scope["path"].startswith(UNTRACED):
            await self._app(scope, receive, send)
            return
        metadata = {telemetry.TRACEPARENT: Headers(scope=scope).get(telemetry.TRACEPARENT, "")}
        with telemetry.server_span(_first_name(scope), metadata) as span:
            await self._app(scope, receive, _noting_status(send, span))


def _first_name(scope: Scope) -> str:
    """Until the endpoint gives the span its route's name."""
    return f"{scope['method']} /{scope['path'].split('/')[1]}"


def _noting_status(send: Send, span: trace.Span) -> Send:
    async def noting(message: "dict[str, object]") -> None:
        if message["type"] == "http.response.start":
            code = int(str(message["status"]))
            span.set_attribute("http.response.status_code", code)
            if code >= HTTPStatus.BAD_REQUEST:
                span.set_status(trace.StatusCode.ERROR)
        await send(message)

    return noting  # type: ignore[return-value]
