"""Files for browsers: what a list would show, streamed page by page, so that its length doesn't matter."""

from collections.abc import AsyncIterator
from typing import Any

from aval.declarations.v1 import insight_pb2
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from chassis.identity import Caller
from gateway import web
from gateway.json_api import transcoding
from gateway.json_api.routes import find
from gateway.web import Rooms

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
METHOD = "ExportDeclarations"
PAGE = 500
MEDIA_TYPE = "text/csv; charset=utf-8"
HEADERS = {"Content-Disposition": 'attachment; filename="declarations.csv"', "Cache-Control": "no-store"}


class Downloads:
    """/downloads/declarations.csv takes what GET /v1/declarations:export takes, and bom=true for spreadsheets."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    def routes(self) -> list[Route]:
        """Returns its routes."""
        return [Route("/downloads/declarations.csv", self.declarations, methods=["GET"])]

    async def declarations(self, request: Request) -> Response:
        """Answers with the caller's declarations as CSV. What refuses the first page refuses the download."""
        principal = await web.signed_in(self._rooms, request)
        caller = principal.caller(web.language_of(request))
        parameters = dict.fromkeys(request.query_params.multi_items())
        with_mark = ("bom", "true") in parameters
        asked = _asked([parameter for parameter in parameters if parameter[0] != "bom"])
        first = await self._page(asked, caller)
        if request.method == "HEAD":
            return Response(media_type=MEDIA_TYPE, headers=HEADERS)
        pages = self._pages(asked, first, caller, with_mark)
        return StreamingResponse(pages, media_type=MEDIA_TYPE, headers=HEADERS)

    async def _page(self, asked: insight_pb2.ExportDeclarationsRequest, caller: Caller) -> Any:
        return await self._rooms.backends.call("declarations", METHOD, asked, caller)

    async def _pages(
        self, asked: insight_pb2.ExportDeclarationsRequest, page: Any, caller: Caller, with_mark: bool
    ) -> AsyncIterator[bytes]:
        if with_mark:
            yield BYTE_ORDER_MARK
        yield page.csv
        while page.next_page_token:
            asked.page_token = page.next_page_token
            page = await self._page(asked, caller)
            yield page.csv


def _asked(parameters: list[tuple[str, str]]) -> insight_pb2.ExportDeclarationsRequest:
    """Returns the request that the parameters make. Raises InvalidFields."""
    route, _ = find("GET", "/v1/declarations:export")
    assert route is not None
    asked: insight_pb2.ExportDeclarationsRequest = transcoding.request_of(route, {}, parameters, b"")
    asked.format = insight_pb2.ExportDeclarationsRequest.CSV
    asked.page_size = asked.page_size or PAGE
    return asked
