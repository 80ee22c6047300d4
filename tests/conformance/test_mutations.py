"""Every mutation takes effect once, whoever repeats it and however often; what it stood on must not have changed."""

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa

from chassis import eventlog, tables, tasks
from chassis.contracts import contract
from cli.stores import SERVICES
from tests.conformance.examples import MUTATIONS, Key
from tests.conformance.world import World, identifier

TWINS = 3
WITH_ETAG = [key for key in MUTATIONS if "etag" in contract(key[0]).request(key[1]).DESCRIPTOR.fields_by_name]


def test_every_mutation_has_an_example() -> None:
    served = {(service.name, method) for service in SERVICES for method in service.commands}
    assert served == set(MUTATIONS)


def changed(message: Any) -> Any:
    """The same request with other content that is as valid."""
    other = type(message)()
    other.CopyFrom(message)
    other.request_id = "request"
    assert _change(other), f"nothing to change in {message}"
    other.request_id = message.request_id
    return other


def _change(message: Any) -> bool:
    """Changes one thing: an amount, an etag, a document, a purpose or an identifier."""
    for field, value in message.ListFields():
        if field.name == "minor_units":
            message.minor_units += 1
        elif field.name == "etag":
            message.etag = "other"
        elif field.name == "content":
            message.content = value + b" "
        elif field.name in ("purpose", "note", "owner", "store", "display_name", "account_number"):
            setattr(message, field.name, value[:-1] + ("B" if value.endswith("A") else "A"))
        elif field.name in ("repayment_id", "cover_hold_id"):
            setattr(message, field.name, identifier())
        elif field.name == "title" or str(value).startswith("savedFilters/"):
            setattr(message, field.name, f"{value}b")
        elif field.name in ("payment", "bill") and field.type == field.TYPE_STRING:
            setattr(message, field.name, value[: value.rfind("/") + 1] + identifier())
        elif field.name == "channel_code":
            message.channel_code = "P"
        elif field.type != field.TYPE_MESSAGE or not any(_change(entry) for entry in _several(field, value)):
            continue
        return True
    return False


def _several(field: Any, value: Any) -> list[Any]:
    return list(value) if field.is_repeated else [value]


def told(world: World, service: str, names: list[str]) -> list[int]:
    """How often each party was told each thing of these resources."""
    events, parties, count = tables.events.c, tables.event_tenants.c, sa.func.count()
    joined = sa.join(tables.events, tables.event_tenants, events.position == parties.position)
    query = sa.select(count).select_from(joined).where(events.resource.in_(names))
    with world.platform.nodes[service].store.read() as connection:
        return list(connection.execute(query.group_by(events.resource, events.type, parties.tenant)).scalars())


@pytest.mark.parametrize("key", MUTATIONS, ids=".".join)
async def test_a_mutation_takes_effect_once(world: World, key: Key, monkeypatch: pytest.MonkeyPatch) -> None:
    service, method = key
    caller, request = await MUTATIONS[key](world)
    content = request.SerializeToString()
    with monkeypatch.context() as held:
        # What a mutation makes due comes after the count: its outcome may tell of the same again.
        held.setattr(tasks, "due", lambda *_: [])
        answers = await asyncio.gather(*(world.raw(service, method, content, caller) for _ in range(TWINS)))
        answers.append(await world.raw(service, method, content, caller))
        assert len(set(answers)) == 1, answers
        answer = contract(service).response(method).FromString(answers[0])
        names = [value for field, value in answer.ListFields() if field.name == "name"]
        assert set(told(world, service, names)) <= {1}
    refusal = await world.refused(service, method, changed(request), caller)
    assert (refusal.code, refusal.reason) == ("ALREADY_EXISTS", "REQUEST_ID_REUSED")
    assert await world.raw(service, method, content, caller) == answers[0]


@pytest.mark.parametrize("key", WITH_ETAG, ids=".".join)
async def test_a_stale_etag_changes_nothing(world: World, key: Key) -> None:
    service, method = key
    caller, request = await MUTATIONS[key](world)
    etag, request.etag = request.etag, "stale"
    assert etag
    refusal = await world.refused(service, method, request, caller)
    assert (refusal.code, refusal.reason) == ("ABORTED", "ETAG_MISMATCH")
    # A refusal binds nobody: the right etag under the same request id goes through.
    request.etag = etag
    await world.call(service, method, request, caller)


STREAMS = [(service.name, stream, batch) for service in SERVICES for stream, batch in service.streams.items()]


@pytest.mark.parametrize(("service", "stream", "batch"), STREAMS)
async def test_a_stream_answers_as_its_batch_form_does(world: World, service: str, stream: str, batch: str) -> None:
    caller, request = await MUTATIONS[service, batch](world)
    content = request.SerializeToString()
    answer = await world.raw(service, batch, content, caller)
    channel, metadata = world.way(service, caller)
    call = channel.stream_stream(contract(service).path(stream))(
        iter([content, content]), metadata=metadata, timeout=20
    )
    assert [raw async for raw in call] == [answer, answer]


async def test_the_rows_prove_it_afterwards(world: World) -> None:
    for service in SERVICES:
        with world.platform.nodes[service.name].store.read() as connection:
            found = [*eventlog.violations(connection), *tasks.violations(connection, service.sagas)]
            assert [*found, *service.violations(connection)] == []
