"""Live status: the services' Watch streams as server-sent events, with the session's own assertion."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from aval.events.v1 import events_pb2
from google.protobuf import json_format
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from chassis.errors import DomainError
from chassis.identity import Caller
from gateway import web
from gateway.web import Rooms

WATCHED = ("declarations", "loans", "settlement")
RETRY_MILLISECONDS = 2000


@dataclass(frozen=True, slots=True)
class Range:
    """The events that a service's stream gave, and the token to resume after them."""

    service: str
    response: events_pb2.WatchResponse


class LiveEvents:
    """The endpoint /events?services=loans,declarations&resource=loans/…; Last-Event-ID resumes."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    def routes(self) -> list[Route]:
        """Returns its routes."""
        return [Route("/events", self.events, methods=["GET"])]

    async def events(self, request: Request) -> Response:
        """Answers with a stream that ends when a service's does; browsers come back with the last id."""
        # A page left open is no use of the session.
        principal = await web.signed_in(self._rooms, request, in_use=False)
        wanted = request.query_params.get("services", ",".join(WATCHED)).split(",")
        services = [name for name in WATCHED if name in wanted and name in self._rooms.backends.names]
        tokens = _opened(request.headers.get("last-event-id", ""))
        resource = request.query_params.get("resource", "")
        caller = principal.caller(web.language_of(request))
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        if request.method == "HEAD":
            return Response(media_type="text/event-stream", headers=headers)
        stream = self._stream(caller, services, tokens, resource)
        return StreamingResponse(stream, media_type="text/event-stream", headers=headers)

    async def _stream(
        self, caller: Caller, services: list[str], tokens: dict[str, str], resource: str
    ) -> AsyncIterator[str]:
        yield f"retry: {RETRY_MILLISECONDS}\n: {' '.join(services)}\n\n"
        ranges: asyncio.Queue[Range | None] = asyncio.Queue(100)
        relays = [
            asyncio.create_task(self._relay(caller, service, tokens.get(service, ""), resource, ranges))
            for service in services
        ]
        try:
            while relays and (found := await ranges.get()) is not None:
                tokens[found.service] = found.response.resume_token
                yield _text(found, tokens)
        finally:
            for relay in relays:
                relay.cancel()
            await asyncio.gather(*relays, return_exceptions=True)

    async def _relay(
        self, caller: Caller, service: str, token: str, resource: str, ranges: asyncio.Queue[Range | None]
    ) -> None:
        """Passes on a service's events from the token on, or from now on; an end or a failure ends the whole stream."""
        with contextlib.suppress(DomainError):
            token = token or await self._end(caller, service, resource)
            request = events_pb2.WatchRequest(resume_token=token, resource=resource)
            async with contextlib.aclosing(self._rooms.backends.watch(service, request, caller)) as stream:
                await ranges.put(Range(service, events_pb2.WatchResponse(resume_token=token)))
                async for response in stream:
                    await ranges.put(Range(service, response))
        await ranges.put(None)

    async def _end(self, caller: Caller, service: str, resource: str) -> str:
        """Returns the token of the log's present end: what happened before is on the page already."""
        token = ""
        request = events_pb2.WatchRequest(resource=resource, until_end=True)
        async with contextlib.aclosing(self._rooms.backends.watch(service, request, caller)) as stream:
            async for response in stream:
                token = response.resume_token
        return token


def _text(batch: Range, tokens: Mapping[str, str]) -> str:
    """Returns server-sent events of a range; a range without any is a comment that keeps the line open."""
    if not batch.response.events:
        return f": {batch.service}\nid: {_sealed(tokens)}\n\n"
    return "".join(
        f"id: {_sealed(tokens)}\ndata: {json.dumps(_data(batch.service, event), ensure_ascii=False)}\n\n"
        for event in batch.response.events
    )


def _data(service: str, event: events_pb2.Event) -> dict[str, object]:
    return {
        "service": service,
        "type": event.type,
        "resource": event.resource,
        "createTime": event.create_time.ToJsonString(),
        "payload": json_format.MessageToDict(event.payload),
    }


def _sealed(tokens: Mapping[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(tokens).encode()).decode()


def _opened(text: str) -> dict[str, str]:
    """Reads the tokens of a last id; none where it isn't one of ours."""
    try:
        tokens = json.loads(base64.urlsafe_b64decode(text)) if text else {}
    except ValueError:
        return {}
    return {str(key): str(value) for key, value in tokens.items()} if isinstance(tokens, dict) else {}
