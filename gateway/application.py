"""The web application: JSON API, pages, and what happens when something goes wrong in them."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from chassis.errors import DomainError
from gateway import web
from gateway.errors import RouteNotFound
from gateway.json_api.api import JsonApi
from gateway.web import Edge, Rooms


async def healthz(_request: Request) -> Response:
    """Whether the process serves."""
    return PlainTextResponse("ok")


async def refused(request: Request, error: Exception) -> Response:
    """A refusal, in the form that the caller reads."""
    assert isinstance(error, DomainError)
    return web.json_refusal(error, web.language_of(request))


async def missing(request: Request, error: Exception) -> Response:
    """No route, or no such verb."""
    assert isinstance(error, HTTPException)
    return await refused(request, RouteNotFound(path=request.scope["path"]))


async def broken(request: Request, error: Exception) -> Response:
    """What nobody expected."""
    return await refused(request, web.incident(error, request.scope["path"]))


def application(rooms: Rooms) -> ASGIApp:
    """All of it, behind the edge."""
    routes = [Route("/healthz", healthz), *JsonApi(rooms).routes()]
    handlers = {DomainError: refused, HTTPException: missing, Exception: broken}
    return Edge(Starlette(routes=routes, exception_handlers=handlers))
