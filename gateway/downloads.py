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
        export = _asked([parameter for parameter in parameters if parameter[0] != "bom"])
        first = await self._page(export, caller)
        if request.method == "HEAD":
            return Response(media_type=MEDIA_TYPE, headers=HEADERS)
        pages = self._pages(export, first, caller, with_mark)
        return StreamingResponse(pages, media_type=MEDIA_TYPE, headers=HEADERS)

    async def _page(self, export: insight_pb2.ExportDeclarationsRequest, caller: Caller) -> Any:
        return await self._rooms.backends.call("declarations", METHOD, export, caller)

    async def _pages(
        self, export: insight_pb2.ExportDeclarationsRequest, page: Any, caller: Caller, with_mark: bool
    ) -> AsyncIterator[bytes]:
        if with_mark:
            yield BYTE_ORDER_MARK
        yield page.csv
        while page.next_page_token:
            export.page_token = page.next_page_token
            page = await self._page(export, caller)
            yield page.csv


def _asked(parameters: list[tuple[str, str]]) -> insight_pb2.ExportDeclarationsRequest:
    """Returns the request that the parameters make. Raises InvalidFields."""
    route, _ = find("GET", "/v1/declarations:export")
    assert route is not None
    export: insight_pb2.ExportDeclarationsRequest = transcoding.request_of(route, {}, parameters, b"")
    export.format = insight_pb2.ExportDeclarationsRequest.CSV
    export.page_size = export.page_size or PAGE
    return export
