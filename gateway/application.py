"""The web application: JSON API, pages, and what happens when something goes wrong in them."""

import pathlib
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Match, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from chassis.errors import DomainError
from gateway import web
from gateway.blobs import Blobs
from gateway.connections import BLOBS
from gateway.downloads import Downloads
from gateway.errors import RouteNotFound
from gateway.json_api.api import JsonApi, not_allowed
from gateway.pages import page
from gateway.pages.events import LiveEvents
from gateway.pages.exporter import ExporterPages
from gateway.pages.operations import OperationsPages
from gateway.web import Edge, Rooms

STATIC = pathlib.Path(__file__).parent / "pages" / "static"
# What programs read; everything else is for people.
FOR_PROGRAMS = ("/v1/", "/session", "/events", "/downloads/", BLOBS, "/openapi.json")
Refuse = Callable[[Request, Exception], Awaitable[Response]]


async def healthz(_request: Request) -> Response:
    """Whether the process serves."""
    return PlainTextResponse("ok")


def _is_for_programs(request: Request) -> bool:
    path = request.scope["path"]
    asked = request.headers.get("accept", "")
    return path.startswith(FOR_PROGRAMS) or path.endswith(".json") or "application/json" in asked


def _refuse(rooms: Rooms) -> Refuse:
    """A refusal, in the form that its reader reads."""

    async def refused(request: Request, error: Exception) -> Response:
        refusal = _refusal_of(request, error)
        if _is_for_programs(request):
            return web.json_refusal(refusal, web.language_of(request))
        return page.refusal(rooms, request, refusal)

    return refused


def _refusal_of(request: Request, error: Exception) -> DomainError:
    if isinstance(error, DomainError):
        return error
    path = request.scope["path"]
    if isinstance(error, HTTPException):
        allowed = _allowed(request) or ({"GET"} if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else set())
        return not_allowed(path, request.method, allowed) if allowed else RouteNotFound(path=path)
    return web.incident(error, request.scope["path"])


def _allowed(request: Request) -> set[str]:
    """The verbs that the path of a request takes."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    taking = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    return {verb for route in taking for verb in route.methods or ()}


def application(rooms: Rooms, hosts: frozenset[str]) -> ASGIApp:
    """All of it, behind the edge. `hosts`: the names that a request's Host may have."""
    rooms_with_routes = (
        JsonApi(rooms),
        Downloads(rooms),
        Blobs(rooms),
        LiveEvents(rooms),
        OperationsPages(rooms),
        ExporterPages(rooms),
    )
    routes = [route for room in rooms_with_routes for route in room.routes()]
    static = Mount("/static", StaticFiles(directory=STATIC))
    refuse = _refuse(rooms)
    handlers = {DomainError: refuse, HTTPException: refuse, Exception: refuse}
    served = Starlette(routes=[Route(web.HEALTH, healthz), static, *routes], exception_handlers=handlers)
    return Edge(served, rooms, hosts)
