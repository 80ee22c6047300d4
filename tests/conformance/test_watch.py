"""Watch: every event once over a cut, dense for services, opaque for outsiders, nothing of others."""

import asyncio
from typing import Any

import pytest
from aval.events.v1 import events_pb2

from chassis import watch
from chassis.contracts import contract
from chassis.identity import policy_of, service_caller
from cli.stores import SERVICES
from tests.conformance.examples import MUTATIONS
from tests.conformance.world import CAST, STRANGERS, World

NAMES = [service.name for service in SERVICES]
# What tells the exporter something new.
TELLING = {
    "declarations": "CreateConsent",
    "settlement": "ImportPayment",
    "credit_insurance": "RequestBuyerLimit",
    "loans": "CreateApplication",
}
# A service that watches.
INSIDE = service_caller("settlement")


def ids_of(responses: list[Any]) -> list[str]:
    """The events' ids in the order they were told."""
    return [event.event_id for response in responses for event in response.events]


async def tell(world: World, service: str) -> None:
    """Something happens."""
    key = (service, TELLING[service])
    caller, request = await MUTATIONS[key](world)
    await world.call(*key, request, caller)


async def still(world: World, service: str) -> None:
    """Until nothing is under way that would tell more by itself."""
    before, now = -1, 0
    while before != now:
        before = now
        now = (await world.watch(service, events_pb2.WatchRequest(), INSIDE))[-1].through_position
        await asyncio.sleep(0.05)


async def test_what_a_caller_gave_an_id_it_watches_by_that_id_or_by_its_name(world: World) -> None:
    caller, request = await MUTATIONS["declarations", "ReserveEncumbrance"](world)
    made = await world.call("declarations", "ReserveEncumbrance", request, caller)
    for name in (made.name, f"encumbrances/{request.encumbrance_id}"):
        (response,) = await world.watch("declarations", events_pb2.WatchRequest(resource=name), caller)
        assert [(event.type, event.resource) for event in response.events] == [("encumbrance.reserved", made.name)]
    by_id = events_pb2.WatchRequest(resource=f"encumbrances/{request.encumbrance_id}")
    assert not ids_of(await world.watch("declarations", by_id, STRANGERS["BANK_SYSTEM"]))


@pytest.mark.parametrize("service", NAMES)
async def test_a_resumed_stream_gives_every_event_once(world: World, service: str) -> None:
    await still(world, service)
    exporter, told = CAST["EXPORTER"], []
    token = ""
    for _ in range(3):
        await tell(world, service)
        responses = await world.watch(service, events_pb2.WatchRequest(resume_token=token), exporter)
        told += ids_of(responses)
        token = responses[-1].resume_token
    assert token
    whole = ids_of(await world.watch(service, events_pb2.WatchRequest(), exporter))
    assert told == whole[: len(told)]
    assert len(set(whole)) == len(whole) >= 3


@pytest.mark.parametrize("service", NAMES)
async def test_a_stream_cut_in_its_middle_goes_on(world: World, service: str) -> None:
    exporter = CAST["EXPORTER"]
    channel, metadata = world.way(service, exporter)
    call = channel.unary_stream(contract(service).path("Watch"))
    stream = call(events_pb2.WatchRequest().SerializeToString(), metadata=metadata, timeout=20)
    first = events_pb2.WatchResponse.FromString(await stream.read())
    await tell(world, service)
    second = events_pb2.WatchResponse.FromString(await stream.read())
    stream.cancel()
    assert second.events
    await tell(world, service)
    rest = await world.watch(service, events_pb2.WatchRequest(resume_token=second.resume_token), exporter)
    assert ids_of(rest)
    whole = ids_of(await world.watch(service, events_pb2.WatchRequest(), exporter))
    told = ids_of([first, second, *rest])
    assert told == whole[: len(told)]


@pytest.mark.parametrize("service", NAMES)
async def test_a_service_can_prove_that_it_missed_none(world: World, service: str) -> None:
    epoch, cursor, positions = "", 0, []
    for _ in range(2):
        await tell(world, service)
        request = events_pb2.WatchRequest(log_epoch=epoch, after_position=cursor)
        for response in await world.watch(service, request, INSIDE):
            assert response.after_position == cursor
            epoch, cursor = response.log_epoch, response.through_position
            positions += [event.position for event in response.events]
    assert positions == list(range(1, cursor + 1))


@pytest.mark.parametrize("service", NAMES)
async def test_outsiders_learn_no_position_and_strangers_no_event(world: World, service: str) -> None:
    for caller in CAST.values():
        if not caller.roles <= roles(service):
            continue
        for response in await world.watch(service, events_pb2.WatchRequest(), caller):
            assert (response.after_position, response.through_position) == (0, 0)
            assert {event.position for event in response.events} <= {0}
    for role, stranger in STRANGERS.items():
        if {role} <= roles(service):
            assert ids_of(await world.watch(service, events_pb2.WatchRequest(), stranger)) == []


async def test_the_pace_of_a_stream_tells_nothing_of_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """PD5: a stranger is told when something of its own happens and at a steady pace, not at each commit."""
    monkeypatch.setattr(watch, "HEARTBEAT_SECONDS", 0.5)
    channel, metadata = world.way("declarations", STRANGERS["BANK_MAKER"])
    call = channel.unary_stream(contract("declarations").path("Watch"))
    stream = call(events_pb2.WatchRequest().SerializeToString(), metadata=metadata, timeout=20)
    first = events_pb2.WatchResponse.FromString(await stream.read())
    for _ in range(5):
        await tell(world, "declarations")
    beats = [events_pb2.WatchResponse.FromString(await stream.read()) for _ in range(3)]
    stream.cancel()
    assert all(beat.HasField("ledger_head") for beat in beats)
    assert {len(one.resume_token) for one in (first, *beats)} == {len(first.resume_token)}


def roles(service: str) -> frozenset[str]:
    """Returns the roles that may watch a service."""
    return policy_of(contract(service).method("Watch")).roles


@pytest.mark.parametrize("service", NAMES)
async def test_a_foreign_cursor_is_out_of_range(world: World, service: str) -> None:
    (own,) = (await world.watch(service, events_pb2.WatchRequest(), INSIDE))[-1:]
    other = next(name for name in NAMES if name != service)
    token = (await world.watch(other, events_pb2.WatchRequest(), CAST["EXPORTER"]))[-1].resume_token
    cursors = [
        (events_pb2.WatchRequest(log_epoch="another epoch"), INSIDE),
        (events_pb2.WatchRequest(log_epoch=own.log_epoch, after_position=own.through_position + 10_000), INSIDE),
        (events_pb2.WatchRequest(resume_token=token), CAST["EXPORTER"]),
        (events_pb2.WatchRequest(resume_token="bm90IG91cnM="), CAST["EXPORTER"]),
        (events_pb2.WatchRequest(resume_token="%"), CAST["EXPORTER"]),
    ]
    for request, caller in cursors:
        refusal = await world.watch_refused(service, request, caller)
        assert (refusal.code, refusal.reason) == ("OUT_OF_RANGE", "LOG_RESTORED"), request


@pytest.mark.parametrize("service", NAMES)
async def test_a_service_that_asks_for_types_gets_these_alone_and_can_prove_that_it_missed_none(
    world: World, service: str
) -> None:
    await still(world, service)
    await tell(world, service)
    every = [
        event for response in await world.watch(service, events_pb2.WatchRequest(), INSIDE) for event in response.events
    ]
    wanted = every[-1].type
    responses = await world.watch(service, events_pb2.WatchRequest(types=[wanted]), INSIDE)
    told = [event.position for response in responses for event in response.events]
    assert told == [event.position for event in every if event.type == wanted]
    cursor = 0
    for response in responses:
        assert response.after_position == cursor
        cursor = response.through_position
    assert cursor == responses[-1].head_position >= every[-1].position
    outside = await world.watch(service, events_pb2.WatchRequest(types=["nothing.like_it"]), CAST["EXPORTER"])
    assert (ids_of(outside), [response.head_position for response in outside]) == ([], [0])


async def test_a_follower_of_types_is_told_the_head_at_each_heartbeat_and_not_at_each_commit(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "HEARTBEAT_SECONDS", 0.5)
    channel, metadata = world.way("declarations", INSIDE)
    call = channel.unary_stream(contract("declarations").path("Watch"))
    request = events_pb2.WatchRequest(types=["breach.cured"])
    stream = call(request.SerializeToString(), metadata=metadata, timeout=20)
    first = events_pb2.WatchResponse.FromString(await stream.read())
    for _ in range(3):
        await tell(world, "declarations")
    following = events_pb2.WatchResponse.FromString(await stream.read())
    while following.head_position < first.head_position + 3:
        cursor = following.through_position
        following = events_pb2.WatchResponse.FromString(await stream.read())
        assert following.after_position == cursor
    stream.cancel()
    assert following.HasField("ledger_head")
    assert following.through_position == following.head_position
