"""Bodies of requests: limited before they are read, and parsed beside the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import parse_qs

from starlette.requests import ClientDisconnect, Request

from chassis.server import MessageTooLarge
from gateway.errors import CallerGone, TooManyFields
from gateway.limits import Limits

Result = TypeVar("Result")


class Bodies:
    """Reads and parses bodies: one at a time, so that the loop needn't share the interpreter with several."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="bodies")

    async def form(self, request: Request) -> dict[str, list[str]]:
        """Returns a form's values by name. Raises MessageTooLarge, TooManyFields, CallerGone."""
        body = await read(request, self._limits.form_bytes)
        return form_of(body, self._limits.form_fields)

    async def small(self, request: Request) -> bytes:
        """Returns the body of a sign-in and the like. Raises MessageTooLarge, CallerGone."""
        return await read(request, self._limits.sign_in_bytes)

    async def message(self, request: Request) -> bytes:
        """Returns the body of a method's request. Raises MessageTooLarge, TooManyFields, CallerGone."""
        if len(request.query_params.multi_items()) > self._limits.query_parameters:
            raise TooManyFields(limit=self._limits.query_parameters)
        body = await read(request, self._limits.json_bytes)
        check_values(body, self._limits.json_values)
        return body

    async def parsed(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Runs the function on a body, beside the loop. Returns its result."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)

    def close(self) -> None:
        """Ends the thread."""
        self._thread.shutdown(wait=True)


async def read(request: Request, limit: int) -> bytes:
    """Returns the body, of at most so many bytes; a longer one isn't read. Raises MessageTooLarge, CallerGone."""
    told = request.headers.get("content-length", "0")
    # The server has refused a length that is no number.
    if int(told) > limit:
        raise MessageTooLarge(size=told, limit=limit)
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise MessageTooLarge(size=len(body), limit=limit)
    except ClientDisconnect as gone:
        raise CallerGone from gone
    return bytes(body)


def form_of(body: bytes, limit: int) -> dict[str, list[str]]:
    """Returns the values of a form by name: a=1&b=&a=2 is {"a": ["1", "2"], "b": [""]}. Raises TooManyFields."""
    try:
        return parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=limit)
    except ValueError as error:
        raise TooManyFields(limit=limit) from error


def check_values(body: bytes, limit: int) -> None:
    """Counts the values of JSON: [1,2,3] has 3, {"a":[1,2]} has 2 and a name.

    Raises TooManyFields where there may be more than the limit.
    """
    if body.count(b",") + body.count(b":") + body.count(b"[") + body.count(b"{") > limit:
        raise TooManyFields(limit=limit)
