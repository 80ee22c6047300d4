"""Bodies: limited before they are read, and parsed beside the loop."""

import asyncio
import json
import time
import uuid
from typing import Any

import pytest
from aval.declarations.v1 import declarations_pb2 as pb
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import DomainError
from gateway.bodies import check_values, form_of
from gateway.errors import TooManyFields
from gateway.limits import DEFAULTS, LIMITS, Limits, UnknownLimit
from tests.gateway_world import PASSWORD, World, call

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
LARGE = 4_800_000
GOAL_SECONDS = 0.5


def form_of_bytes(size: int) -> bytes:
    return b"a=&" * (size // 3)


@pytest.mark.parametrize(
    "path", ["/sign-in", "/sign-out", "/applications/new", "/offers/1/accept", "/account/password"]
)
async def test_a_form_of_any_length_is_not_read(world: World, path: str) -> None:
    async with world.signed_in() as client:
        answer = await client.post(path, content=form_of_bytes(LARGE), headers=FORM)
    assert answer.status_code == 413


async def test_a_form_of_many_fields_is_not_parsed(world: World) -> None:
    async with world.browser() as client:
        content = form_of_bytes(LIMITS.form_bytes - 1)
        answer = await client.post("/sign-in", content=content, headers={**FORM, "Accept": "application/json"})
    assert (answer.status_code, answer.json()["reason"]) == (413, "TOO_MANY_FIELDS")


async def test_chunks_without_end_are_not_read(world: World) -> None:
    async def chunks() -> Any:
        for _ in range(1_000):
            yield form_of_bytes(4_096)

    async with world.browser() as client:
        answer = await client.post("/sign-in", content=chunks(), headers=FORM)
    assert answer.status_code == 413


@pytest.mark.parametrize("path", ["/session", "/session:changePassword"])
async def test_a_sign_in_of_400_000_names_is_not_parsed(world: World, path: str) -> None:
    body = json.dumps({str(index): "" for index in range(400_000)}).encode()
    async with world.signed_in() as client:
        answer = await client.post(path, content=body[: LIMITS.json_bytes])
    assert (answer.status_code, answer.json()["reason"]) == (413, "MESSAGE_TOO_LARGE")


async def test_nobody_s_message_is_not_read(world: World) -> None:
    """Whoever isn't signed in, or has another role, is told before anything is read or parsed."""
    body = b'{"receipts":[' + b"{}," * 1_000_000
    async with world.browser() as client:
        assert (await client.post("/v1/consents", content=body)).status_code == 401
    async with world.signed_in() as client:
        answer = await client.post("/v1/receipts:batchCreate", content=body)
        assert (answer.status_code, answer.json()["reason"]) == (403, "ACCESS_DENIED")


@pytest.mark.parametrize("body", [b"[" + b"0," * 300_000, b'{"a":' * 260_000, b"{}," * 260_000])
async def test_a_message_of_many_values_is_not_parsed(world: World, body: bytes) -> None:
    async with world.signed_in() as client:
        answer = await client.post("/v1/consents", content=body, headers={"Idempotency-Key": str(uuid.uuid4())})
    assert (answer.status_code, answer.json()["reason"]) == (413, "TOO_MANY_FIELDS")


async def test_a_query_of_many_parameters_is_refused(world: World) -> None:
    async with world.signed_in() as client:
        answer = await client.get("/v1/declarations?" + "&".join(["filter.statuses=CLOSED"] * 300))
    assert (answer.status_code, answer.json()["reason"]) == (413, "TOO_MANY_FIELDS")


async def test_others_are_served_while_large_bodies_are_sent(world: World) -> None:
    """Eight forms and eight messages at a time, by nobody and by somebody; a health check never waits for a parse."""
    large = b'{"purpose":"' + b"x" * 4_000_000 + b'"}'

    async def attack(client: Any, path: str, content: bytes) -> None:
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        answer = await client.post(path, content=content, headers=headers)
        assert answer.status_code in (400, 413)

    waits = []
    async with world.browser() as stranger, world.signed_in() as somebody, world.browser() as asking:
        stranger.timeout = somebody.timeout = asking.timeout = 60
        sent = [attack(stranger, "/sign-in", form_of_bytes(LARGE)) for _ in range(8)]
        sent += [attack(somebody, "/v1/consents", large) for _ in range(8)]
        attacking = asyncio.gather(*sent)
        while not attacking.done():
            start = time.monotonic()
            assert (await asking.get("/healthz")).status_code == 200
            waits.append(time.monotonic() - start)
            await asyncio.sleep(0)
        await attacking
    # One parse of 4 MB in the loop would be longer than any check.
    assert len(waits) > 3


async def test_the_door_answers_while_the_pages_are_attacked(world: World) -> None:
    """In this process they share a loop; that they are two processes is for tests of the whole platform."""
    async with world.browser() as stranger:
        stranger.timeout = 60
        forms = [stranger.post("/sign-in", content=form_of_bytes(LARGE), headers=FORM) for _ in range(8)]
        attacking = asyncio.gather(*forms)
        window = world.door("window/window.system")
        start = time.monotonic()
        await call(window, "ListDeclarations", pb.ListDeclarationsRequest())
        seconds = time.monotonic() - start
        assert {answer.status_code for answer in await attacking} == {413}
    assert seconds < 10 * GOAL_SECONDS


def test_a_form_s_values() -> None:
    assert form_of(b"a=1&b=&a=2", 3) == {"a": ["1", "2"], "b": [""]}
    with pytest.raises(TooManyFields):
        form_of(b"a=1&b=&a=2", 2)


@given(st.binary(max_size=2_000), st.integers(1, 100))
def test_any_bytes_are_a_form_or_refused(body: bytes, limit: int) -> None:
    try:
        found = form_of(body, limit)
    except DomainError:
        assert body.count(b"&") >= limit
        return
    assert sum(map(len, found.values())) <= limit
    assert all(isinstance(value, str) for values in found.values() for value in values)


@pytest.mark.parametrize(("body", "values"), [(b"[1,2,3]", 3), (b'{"a":[1,2]}', 4), (b"", 0)])
def test_values_are_counted_at_most(body: bytes, values: int) -> None:
    check_values(body, max(values, 1))
    if values:
        with pytest.raises(TooManyFields):
            check_values(body, values - 1)


def test_limits_are_data(tmp_path: Any) -> None:
    file = tmp_path / "limits.toml"
    file.write_text("form_bytes = 100\n")
    assert Limits.load(file).form_bytes == 100
    assert Limits.load(file).form_fields == LIMITS.form_fields
    for wrong in ("form_byte = 100", "form_bytes = 0", 'form_bytes = "1"', "form_bytes = true"):
        file.write_text(wrong)
        with pytest.raises(UnknownLimit, match="form_byte"):
            Limits.load(file)
    assert DEFAULTS.exists()


async def test_a_password_s_length_is_no_way_to_hold_the_server(world: World) -> None:
    async with world.browser() as client:
        answer = await client.post("/session", json={"login": "ruijia.li", "password": PASSWORD * 1_000})
    assert answer.status_code == 413
