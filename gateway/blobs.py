"""Blobs over HTTP: a document is sent and read as it is, never whole in memory."""

import base64
import binascii
import hashlib
import re
from collections.abc import AsyncGenerator, AsyncIterator

from aval.blobs.v1 import blobs_pb2
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from chassis.blobs.errors import BlobTooLarge
from chassis.blobs.model import PREFIX, name_of, type_problems
from chassis.errors import AccessDenied, DomainError, InvalidFields, Problem
from chassis.identity import Caller
from chassis.service import GET_BLOB, UPLOAD_BLOB
from chassis.status import RemoteError
from gateway import web
from gateway.connections import BLOBS
from gateway.contracts import public_methods
from gateway.directory.model import Principal
from gateway.errors import CallerGone, RouteNotFound
from gateway.json_api import transcoding
from gateway.web import Rooms

CREATED = 201
# RFC 9530, as a structured field: its sequence of bytes is base64 between colons.
CONTENT_DIGEST = re.compile(r"(?:^|,)\s*sha-256=:(?P<digest>[A-Za-z0-9+/=]+):\s*(?:,|$)", re.ASCII)
SHA256_BYTES = 32


class Blobs:
    """POST /blobs/{service} takes a body in, GET /blobs/{service}/{sha256} gives it out."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    def routes(self) -> list[Route]:
        """Returns what it answers."""
        return [
            Route(BLOBS + "{service}", self.upload, methods=["POST"]),
            Route(BLOBS + "{service}/{sha256}", self.download, methods=["GET"]),
        ]

    async def upload(self, request: Request) -> Response:
        """Takes a document in; its Content-Type must agree with what it is, and its Content-Digest if there is one."""
        web.check_same_site(request)
        service, caller = await self._caller(request, UPLOAD_BLOB)
        with web.traced(request, f"POST {BLOBS}{service}") as span:
            body = Body(request, self._rooms.limits.blob_bytes)
            try:
                blob = await self._rooms.backends.upload(service, body.parts(), caller)
            except RemoteError as refusal:
                raise body.refusal or refusal from refusal
            web.note_status(span, CREATED)
        place = f"{BLOBS}{service}/{blob.name.removeprefix(PREFIX)}"
        return Response(transcoding.to_json(blob), CREATED, {"Location": place}, "application/json")

    async def download(self, request: Request) -> Response:
        """Gives a document out as a file to be saved: no browser opens it as part of this site."""
        service, caller = await self._caller(request, GET_BLOB)
        sha256 = request.path_params["sha256"]
        with web.traced(request, f"GET {BLOBS}{service}/{{sha256}}") as span:
            parts = self._rooms.backends.download(service, blobs_pb2.GetBlobRequest(name=name_of(sha256)), caller)
            first = await anext(parts)
            web.note_status(span, 200)
        headers = {
            "Content-Length": str(first.size),
            "Content-Disposition": f'attachment; filename="{sha256}"',
            "X-Content-Type-Options": "nosniff",
        }
        if request.method == "HEAD":
            await parts.aclose()
            return Response(media_type=first.media_type, headers=headers)
        return StreamingResponse(_contents(first, parts), media_type=first.media_type, headers=headers)

    async def _caller(self, request: Request, method: str) -> tuple[str, Caller]:
        """Returns the service of a path and who calls. Raises RouteNotFound, NotSignedIn, AccessDenied."""
        service = request.path_params["service"]
        public = {found.service: found for found in public_methods() if found.descriptor.name == method}
        if service not in public:
            raise RouteNotFound(path=request.scope["path"])
        principal: Principal = await web.signed_in(self._rooms, request)
        policy = public[service].policy
        if policy.roles.isdisjoint(principal.roles):
            raise AccessDenied(method=policy.method)
        return service, principal.caller(web.language_of(request))


async def _contents(first: blobs_pb2.BlobPart, rest: AsyncGenerator[blobs_pb2.BlobPart, None]) -> AsyncIterator[bytes]:
    try:
        yield first.content
        async for part in rest:
            yield part.content
    finally:
        await rest.aclose()


class Body:
    """A request's body on its way to a service. `refusal` says why it didn't get to its end."""

    refusal: DomainError | None = None

    def __init__(self, request: Request, limit: int) -> None:
        """Raises InvalidFields, BlobTooLarge, before anything is read."""
        self._request, self._limit = request, limit
        self._media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        self._sha256, problems = _declared_digest(request.headers.get("content-digest", ""))
        problems += type_problems(self._media_type)
        if problems:
            raise InvalidFields(problems)
        # The server has refused a length that is no number.
        if int(request.headers.get("content-length", "0")) > limit:
            raise BlobTooLarge(limit=limit)

    async def parts(self) -> AsyncIterator[blobs_pb2.BlobPart]:
        """Gives the body as it comes; the last part, which makes it whole, only if it came to its end."""
        digest, size = hashlib.sha256(), 0
        yield blobs_pb2.BlobPart(media_type=self._media_type)
        try:
            async for chunk in self._request.stream():
                digest.update(chunk)
                size += len(chunk)
                if size > self._limit:
                    self.refusal = BlobTooLarge(limit=self._limit)
                    return
                yield blobs_pb2.BlobPart(content=chunk)
        except ClientDisconnect:
            self.refusal = CallerGone()
            return
        yield blobs_pb2.BlobPart(sha256=self._sha256 or digest.hexdigest())


def _declared_digest(header: str) -> tuple[str, list[Problem]]:
    """Returns the SHA-256 of a Content-Digest in hexadecimal digits, and what is wrong with it; "" where there is none.

    sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=: is e3b0c442….
    """
    found = CONTENT_DIGEST.search(header)
    try:
        digest = base64.b64decode(found["digest"], validate=True) if found else b""
    except binascii.Error:
        digest = b"?"
    if len(digest) in (0, SHA256_BYTES):
        return digest.hex(), []
    text = "must have a SHA-256 as sha-256=:base64:", "须为 sha-256=:base64: 形式的 SHA-256 摘要。"
    return "", [Problem("Content-Digest", "MALFORMED", *text)]
