"""The story's actors: banks, insurer and window at the mutual-TLS door, the exporter by the JSON API.

Each call carries the story's trace context, as a bank's system does that reacts to an event, and is
made again with the same request id while the platform is restarting.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import grpc
import httpx
import pyotp
from google.protobuf.message import Message

from chassis import signatures, telemetry
from chassis.certificates import Authority
from chassis.channel import Channels
from chassis.contracts import contract
from chassis.status import RemoteError
from cli.demo import world
from cli.layout import Addresses
from gateway.directory.model import SESSION_ROLES

PATIENCE_SECONDS = 90.0
AGAIN_SECONDS = 0.2
RETRY_STATUSES = {502, 503, 504}
RETRY_CODES = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.UNKNOWN,
}
Answer = TypeVar("Answer")


async def patiently(attempt: Callable[[], Awaitable[Answer]]) -> Answer:
    """Returns the answer; tries again while the outcome is unknown or the platform can't be reached."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return await attempt()
        except (RemoteError, httpx.TransportError) as error:
            again = isinstance(error, httpx.TransportError) or error.code in RETRY_CODES
            if not again or time.monotonic() > deadline:
                raise
        await asyncio.sleep(AGAIN_SECONDS)


async def until(read: Callable[[], Awaitable[Answer]], holds: Callable[[Answer], bool]) -> Answer:
    """Reads until the condition holds and returns that. Raises TimeoutError with the last value read."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        answer = await read()
        if holds(answer):
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(str(answer))
        await asyncio.sleep(0.05)


class Institution:
    """Somebody with a certificate, at the door."""

    def __init__(self, authority: Authority, addresses: Addresses, person: world.Person, trace: str) -> None:
        self.person, self._trace = person, trace
        self._credentials = authority.issue(person.certificate)
        self._channels = Channels(self._credentials, {"gateway": addresses.door})

    async def call(self, service: str, method: str, request: Message) -> Any:
        """Calls a method and returns the response. Raises RemoteError if it is refused."""
        callee = contract(service)
        content = request.SerializeToString()
        metadata = [(telemetry.TRACEPARENT, self._trace)] if self._trace else []
        raw = await patiently(lambda: self._channels.call("gateway", callee.path(method), content, metadata))
        return callee.response(method).FromString(raw)

    def sign(self, content: bytes) -> str:
        """Signs bytes by the key of the institution's certificate. Returns the detached signature."""
        return signatures.sign(content, self._credentials.key, self.person.certificate, "ES256")

    async def close(self) -> None:
        """Ends its connection."""
        await self._channels.close()


# The steps whose codes count, from the last one on; and what is said of one that doesn't.
CODE_STEPS = (-1, 0, 1)
CODE_INVALID = ("ONE_TIME_CODE_INVALID", "SIGN_IN_FAILED")


class Refused(Exception):
    """The JSON API refused."""

    def __init__(self, response: httpx.Response) -> None:
        self.status, self.body = response.status_code, response.text
        super().__init__(f"{response.status_code} {response.text}")


class Exporter:
    """An exporter with a session, by the JSON API."""

    def __init__(self, authority: Authority, addresses: Addresses, person: world.Person, trace: str) -> None:
        self.person, self._trace = person, trace
        self._codes = pyotp.TOTP(world.one_time_secret(authority, person.login))
        self._client = httpx.AsyncClient(base_url=addresses.url, timeout=15, headers={"x-aval-request": "1"})

    async def sign_in(self) -> None:
        """Opens a session, with a one-time code where the role needs one. Raises Refused."""
        given = {"login": self.person.login, "password": world.PASSWORD}
        if not SESSION_ROLES[self.person.role]:
            await self._send("POST", "/session", given, {})
            return
        await self._with_a_code(lambda code: self._send("POST", "/session", {**given, "oneTimeCode": code}, {}))

    async def _with_a_code(self, act: Callable[[str], Awaitable[Any]]) -> Any:
        """Acts with the last step's code, which still counts: the present one is left to whoever comes next.

        Where that code was used already, acts with the following ones. Raises Refused.
        """
        refusal: Refused | None = None
        for step in CODE_STEPS:
            code = str(self._codes.at(int(time.time()) + step * self._codes.interval))
            try:
                return await act(code)
            except Refused as refused:
                if not any(reason in refused.body for reason in CODE_INVALID):
                    raise
                refusal = refused
        assert refusal is not None
        raise refusal

    async def get(self, path: str) -> Any:
        """Reads a resource."""
        return await self._send("GET", path, None, {})

    async def post(self, path: str, body: Mapping[str, Any], request_id: str, with_code: bool = False) -> Any:
        """Makes a change, with a one-time code where it needs one."""
        headers = {"idempotency-key": request_id}
        if not with_code:
            return await self._send("POST", path, body, headers)
        return await self._with_a_code(
            lambda code: self._send("POST", path, body, {**headers, "aval-one-time-code": code})
        )

    async def _send(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Any:
        traced = {**headers, telemetry.TRACEPARENT: self._trace} if self._trace else dict(headers)

        async def attempt() -> httpx.Response:
            response = await self._client.request(method, path, json=body, headers=traced)
            if response.status_code in RETRY_STATUSES:
                raise httpx.ReadError(response.text, request=response.request)
            return response

        response = await patiently(attempt)
        if response.is_error:
            raise Refused(response)
        return response.json() if response.content else None

    async def close(self) -> None:
        """Ends its connection."""
        await self._client.aclose()
