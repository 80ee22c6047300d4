"""The JSON API: sessions, and every annotated method of the contracts."""

from typing import Any

from opentelemetry import trace
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as WebRoute

from chassis import telemetry
from chassis.identity import Caller
from gateway import openapi, web
from gateway.directory.binding import bound_to
from gateway.directory.model import Principal
from gateway.errors import RouteNotFound, VerbNotAllowed
from gateway.json_api import transcoding
from gateway.json_api.routes import Route, find
from gateway.web import Rooms

ONE_TIME_CODE = "aval-one-time-code"
IDEMPOTENCY_KEY = "idempotency-key"
VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


class JsonApi:
    """The endpoints under /v1, /session and /openapi.json."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    def routes(self) -> list[WebRoute]:
        """What it answers."""
        return [
            WebRoute("/session", self.sign_in, methods=["POST"]),
            WebRoute("/session", self.session, methods=["GET"]),
            WebRoute("/session", self.sign_out, methods=["DELETE"]),
            WebRoute("/openapi.json", self.openapi, methods=["GET"]),
            WebRoute("/v1/{rest:path}", self.call, methods=VERBS),
        ]

    async def sign_in(self, request: Request) -> Response:
        """Opens a session for {"login", "password"}."""
        web.check_same_site(request)
        data = transcoding.json_object(await web.body_of(request))
        login, password = str(data.get("login", "")), str(data.get("password", ""))
        opened = await self._rooms.directory.sign_in(login, password)
        response = JSONResponse(_described(opened.principal), 201)
        web.set_session(request, response, opened.token)
        return response

    async def session(self, request: Request) -> Response:
        """Whose session it is."""
        return JSONResponse(_described(await web.signed_in(self._rooms, request)))

    async def sign_out(self, request: Request) -> Response:
        """Ends the session."""
        web.check_same_site(request)
        await self._rooms.directory.sign_out(request.cookies.get(web.SESSION_COOKIE, ""))
        response = Response(status_code=204)
        response.delete_cookie(web.SESSION_COOKIE)
        return response

    async def openapi(self, _request: Request) -> Response:
        """The description of all of this."""
        return JSONResponse(openapi.document())

    async def call(self, request: Request) -> Response:
        """Any method that the protos give a route."""
        route, variables = find(request.method, request.scope["path"])
        if route is None:
            raise _no_route(request, variables)
        span = trace.get_current_span()
        span.update_name(f"{route.verb} {route.template}")
        web.check_same_site(request)
        principal = await web.signed_in(self._rooms, request)
        message: Any = await self._message(request, route, variables)
        telemetry.annotate(span, telemetry.business_keys(message.DESCRIPTOR), message)
        caller = await self._caller(request, route, principal, message)
        method = route.method
        answer = await self._rooms.backends.call(method.service, method.descriptor.name, message, caller)
        return Response(transcoding.to_json(answer), media_type="application/json")

    async def _message(self, request: Request, route: Route, variables: Any) -> Any:
        body = await web.body_of(request)
        message = transcoding.request_of(route, variables, request.query_params.multi_items(), body)
        if route.changes:
            transcoding.complete_request_id(message, request.headers.get(IDEMPOTENCY_KEY))
        return message

    async def _caller(self, request: Request, route: Route, principal: Principal, message: Any) -> Caller:
        """The session's caller; with a second factor where the method needs one and the code is right."""
        caller = principal.caller(web.language_of(request))
        code = request.headers.get(ONE_TIME_CODE)
        if not route.method.policy.second_factor or code is None:
            return caller
        act = bound_to(route.method.service, route.method.descriptor.name, message)
        await self._rooms.directory.check_code(principal.login, code, act)
        return principal.caller(caller.language, second_factor=True)


def _no_route(request: Request, allowed: Any) -> RouteNotFound | VerbNotAllowed:
    path = request.scope["path"]
    if allowed:
        return VerbNotAllowed(path=path, verb=request.method, allowed=", ".join(sorted(set(allowed))))
    return RouteNotFound(path=path)


def _described(principal: Principal) -> dict[str, Any]:
    return {
        "principal": principal.name,
        "tenant": principal.tenant,
        "roles": list(principal.roles),
        "nameEnglish": principal.name_english,
        "nameChinese": principal.name_chinese,
    }
