"""Limits of a call at the door: its message comes in time or it is refused, and streams are counted by tenant."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from aval.declarations.v1 import declarations_pb2 as pb
from aval.events.v1 import events_pb2
from grpc_reflection.v1alpha import reflection_pb2

from chassis.certificates import Credentials
from chassis.channel import MOST_BYTES, channel_credentials
from chassis.contracts import contract
from chassis.settings import STREAMS_PER_TENANT
from gateway.door.door import Door
from tests.gateway_world import World, call
from tests.service.gateway.test_door import CHECKER, SYSTEM, WINDOW, reason

PATH = contract("declarations").path
LIST = PATH("ListDeclarations")
# Of the library's own services, too.
UNARY = [LIST, PATH("ReserveEncumbrance"), "/grpc.health.v1.Health/Check"]
ONE_MESSAGE_STREAMS = [PATH("Watch"), "/grpc.health.v1.Health/Watch"]


async def _nothing() -> AsyncIterator[bytes]:
    """No message, and the end."""
    return
    yield b""


async def _never() -> AsyncIterator[bytes]:
    """No message, and no end."""
    await asyncio.Event().wait()
    yield b""


async def _end_of(call: Any) -> grpc.aio.AioRpcError:
    """How a call ends, without a deadline of its own."""

    async def ended() -> None:
        if hasattr(call, "__await__"):
            await call
        else:
            assert [answer async for answer in call] == []

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asyncio.wait_for(ended(), 10)
    return caught.value


def _opened(channel: grpc.aio.Channel, path: str, requests: AsyncIterator[bytes]) -> Any:
    kind = channel.stream_stream if path in ONE_MESSAGE_STREAMS else channel.stream_unary
    return kind(path)(requests)


@pytest.mark.parametrize("path", [*UNARY, *ONE_MESSAGE_STREAMS])
async def test_a_call_that_ends_without_a_message_is_answered(world: World, path: str) -> None:
    error = await _end_of(_opened(world.door(SYSTEM), path, _nothing()))
    assert (error.code(), reason(error)) == (grpc.StatusCode.INVALID_ARGUMENT, "MESSAGE_MISSING")


@pytest.mark.parametrize("path", [*UNARY, *ONE_MESSAGE_STREAMS])
async def test_a_call_whose_message_never_comes_is_ended(world: World, path: str) -> None:
    credentials = Credentials.load(world.settings.certificates, "services/gateway")
    identification = world.gateway.identification
    door = Door(credentials, world.platform.channels, identification, message_seconds=0.2)
    address = f"127.0.0.1:{await door.start('127.0.0.1:0')}"
    window = world.platform.authority.issue(WINDOW)
    async with grpc.aio.secure_channel(address, channel_credentials(window)) as channel:
        error = await _end_of(_opened(channel, path, _never()))
        assert (error.code(), reason(error)) == (grpc.StatusCode.DEADLINE_EXCEEDED, "MESSAGE_LATE")
        # A stream of messages may wait for its next one.
        stream = channel.stream_stream(PATH("StreamReceipts"))()
        await asyncio.sleep(0.4)
        assert not stream.done()
        stream.cancel()
    await door.stop()


def _watch(channel: grpc.aio.Channel) -> Any:
    return channel.unary_stream(PATH("Watch"))(events_pb2.WatchRequest().SerializeToString())


async def _until_taken(channel: grpc.aio.Channel) -> Any:
    """A stream, asked for until there is a place for it: one that was left becomes free in a moment."""
    while True:
        stream = _watch(channel)
        with contextlib.suppress(grpc.aio.AioRpcError):
            assert await stream.read() is not grpc.aio.EOF
            return stream


async def test_a_tenants_streams_are_counted_and_others_go_on(world: World) -> None:
    # Two people of one bank, each with a connection: the bank is one.
    mine = [world.door(SYSTEM), world.door(CHECKER)]
    held = [_watch(mine[number % 2]) for number in range(STREAMS_PER_TENANT)]
    for stream in held:
        assert await stream.read() is not grpc.aio.EOF
    refused = await _end_of(_watch(mine[0]))
    assert (refused.code(), reason(refused)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED")
    both_ways = await _end_of(mine[1].stream_stream(PATH("StreamReceipts"))(_never()))
    assert reason(both_ways) == "QUOTA_EXCEEDED"
    # Its calls are no streams, and another's stream is another's.
    assert await call(mine[0], "ListDeclarations", pb.ListDeclarationsRequest()) is not None
    other = _watch(world.door(WINDOW))
    assert await other.read() is not grpc.aio.EOF
    held.pop().cancel()
    again = await asyncio.wait_for(_until_taken(mine[0]), 10)
    for stream in (*held, other, again):
        stream.cancel()


async def test_whoever_asks_again_and_again_is_refused_ever_later(world: World) -> None:
    """Refusals of one tenant come one after the other; they would cost others more than the streams themselves."""
    channel = world.door("banks/LMHFCNB0/lmhf.system")
    ask = channel.stream_stream(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
    )
    held = [ask() for _ in range(STREAMS_PER_TENANT)]
    for stream in held:
        await stream.write(reflection_pb2.ServerReflectionRequest(list_services=""))
        assert await stream.read()
    start = time.monotonic()
    ends = await asyncio.gather(*(_end_of(ask(_never())) for _ in range(20)))
    assert {reason(error) for error in ends} == {"QUOTA_EXCEEDED"}
    assert time.monotonic() - start > 20 * 0.02
    for stream in held:
        stream.cancel()


async def test_a_message_that_no_library_takes_is_refused_before_it_is_read(world: World) -> None:
    """Its refusal is the library's own, without a reason: docs/errors.md says what it means."""
    options = [("grpc.max_send_message_length", -1)]
    bank = channel_credentials(world.platform.authority.issue(SYSTEM))
    async with grpc.aio.secure_channel(world.addresses.door, bank, options=options) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary(LIST)(bytes(MOST_BYTES + 1), timeout=30)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "larger than max" in str(caught.value.details())
