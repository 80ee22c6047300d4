"""The JSON API: sessions, and every annotated method of the contracts."""

from collections.abc import Collection, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as WebRoute

from chassis import telemetry
from chassis.errors import AccessDenied
from chassis.identity import Caller
from gateway import openapi, web
from gateway.directory.binding import bound_to
from gateway.directory.directory import SignedIn
from gateway.directory.model import Principal
from gateway.errors import RouteNotFound, VerbNotAllowed
from gateway.json_api import sessions, transcoding
from gateway.json_api.routes import Route, find
from gateway.web import Rooms

ONE_TIME_CODE = "aval-one-time-code"
IDEMPOTENCY_KEY = "idempotency-key"
# All that HTTP has: what a path doesn't take is answered with what it takes.
VERBS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"]


class JsonApi:
    """The endpoints under /v1, /session and /openapi.json."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    def routes(self) -> list[WebRoute]:
        """Returns its routes."""
        return [
            WebRoute("/session", self.sign_in, methods=["POST"]),
            WebRoute("/session", self.session, methods=["GET"]),
            WebRoute("/session", self.sign_out, methods=["DELETE"]),
            WebRoute("/session:endAll", self.end_all, methods=["POST"]),
            WebRoute("/session:changePassword", self.change_password, methods=["POST"]),
            WebRoute("/openapi.json", self.openapi, methods=["GET"]),
            WebRoute("/v1/{rest:path}", self.call, methods=VERBS),
        ]

    async def _texts(self, request: Request, schema: Mapping[str, Any]) -> Mapping[str, str]:
        """Returns the texts of a small body. Raises InvalidFields, MessageTooLarge."""
        body = await self._rooms.bodies.small(request)
        return await self._rooms.bodies.parsed(sessions.texts_of, body, schema)

    async def sign_in(self, request: Request) -> Response:
        """Opens a session for {"login", "password"}, of operators also {"oneTimeCode"}."""
        web.check_same_site(request)
        given = await self._texts(request, sessions.SIGN_IN)
        opened = await self._rooms.directory.sign_in(
            given["login"], given["password"], given["oneTimeCode"], web.source(request)
        )
        return self._opened(request, opened, 201)

    def _opened(self, request: Request, opened: SignedIn, status: int) -> Response:
        response = JSONResponse(_described(opened.principal), status)
        web.set_session(self._rooms, request, response, opened.token)
        return response

    async def session(self, request: Request) -> Response:
        """Answers whose session it is."""
        return JSONResponse(_described(await web.signed_in(self._rooms, request)))

    async def sign_out(self, request: Request) -> Response:
        """Ends the session."""
        web.check_same_site(request)
        await self._rooms.directory.sign_out(request.cookies.get(web.SESSION_COOKIE, ""))
        return _ended()

    async def end_all(self, request: Request) -> Response:
        """Ends all sessions of whoever is signed in, this one too."""
        web.check_same_site(request)
        principal = await web.signed_in(self._rooms, request)
        await self._rooms.directory.end_sessions(principal.login)
        return _ended()

    async def change_password(self, request: Request) -> Response:
        """Takes {"password", "newPassword"}; ends all sessions and opens a new one."""
        web.check_same_site(request)
        principal = await web.signed_in(self._rooms, request)
        given = await self._texts(request, sessions.CHANGE_PASSWORD)
        opened = await self._rooms.directory.change_password(
            principal.login, given["password"], given["newPassword"], web.source(request)
        )
        return self._opened(request, opened, 200)

    async def openapi(self, _request: Request) -> Response:
        """Answers with the description of all of this."""
        return Response(openapi.text(), media_type="application/json")

    async def call(self, request: Request) -> Response:
        """Calls any method that the protos give a route. A span begins once the route and the caller are known."""
        verb = "GET" if request.method == "HEAD" else request.method
        route, variables = find(verb, request.scope["path"])
        if route is None:
            raise _no_route(request, variables)
        web.check_same_site(request)
        principal = await web.signed_in(self._rooms, request)
        with web.traced(request, f"{route.verb} {route.template}") as span:
            response = await self._call(request, route, variables, principal, span)
            web.note_status(span, response.status_code)
            return response

    async def _call(self, request: Request, route: Route, variables: Any, principal: Principal, span: Any) -> Response:
        method = route.method
        # Before anything is read: the service says the same afterwards.
        if method.policy.roles.isdisjoint(principal.roles):
            raise AccessDenied(method=method.policy.method)
        message: Any = await self._message(request, route, variables)
        telemetry.annotate(span, telemetry.business_keys(message.DESCRIPTOR), message)
        caller = await self._caller(request, route, principal, message)
        answer = await self._rooms.backends.call(method.service, method.descriptor.name, message, caller)
        return Response(transcoding.to_json(answer), media_type="application/json")

    async def _message(self, request: Request, route: Route, variables: Any) -> Any:
        bodies = self._rooms.bodies
        body, query = await bodies.message(request), request.query_params.multi_items()
        message = await bodies.parsed(transcoding.request_of, route, variables, query, body)
        if route.changes:
            transcoding.complete_request_id(message, request.headers.get(IDEMPOTENCY_KEY))
        return message

    async def _caller(self, request: Request, route: Route, principal: Principal, message: Any) -> Caller:
        """Returns the session's caller; with a second factor where the method needs one and the code is right."""
        caller = principal.caller(web.language_of(request))
        code = request.headers.get(ONE_TIME_CODE)
        if not route.method.policy.second_factor or code is None:
            return caller
        act = bound_to(route.method.service, route.method.descriptor.name, message)
        await self._rooms.directory.check_code(principal.login, code, act)
        return principal.caller(caller.language, second_factor=True)


def _ended() -> Response:
    response = Response(status_code=204)
    response.delete_cookie(web.SESSION_COOKIE)
    return response


def _no_route(request: Request, allowed: Any) -> RouteNotFound | VerbNotAllowed:
    path = request.scope["path"]
    return not_allowed(path, request.method, allowed) if allowed else RouteNotFound(path=path)


def not_allowed(path: str, verb: str, allowed: Collection[str]) -> VerbNotAllowed:
    """Returns the refusal of a verb; what can be read with GET can be asked for with HEAD."""
    verbs = {*allowed, "HEAD"} if "GET" in allowed else {*allowed}
    return VerbNotAllowed(path=path, verb=verb, allowed=", ".join(sorted(verbs)))


def _described(principal: Principal) -> dict[str, Any]:
    return {
        "principal": principal.name,
        "tenant": principal.tenant,
        "roles": list(principal.roles),
        "nameEnglish": principal.name_english,
        "nameChinese": principal.name_chinese,
    }
