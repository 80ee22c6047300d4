"""Taking another service's events: effect and cursor together, in order, once; a poison event stops its resource."""

import asyncio
import dataclasses
import itertools
import pathlib
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from aval.declarations.v1 import declarations_pb2
from aval.events.v1 import events_pb2
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from chassis import inbox, migrations, parked, tables, verification
from chassis.command import Operation, Submission, Transaction
from chassis.database import Database
from chassis.identity import Caller, service_caller
from chassis.ids import system_random
from chassis.testing import Platform
from chassis.writer import run_batch
from services.declarations.service import SERVICE as DECLARATIONS
from services.settlement.service import SERVICE as SETTLEMENT

SOURCE, EPOCH = "declarations", "epoch"
EXPORTER = Caller("enterprises/91411023MAXY00112A/a", "enterprises/91411023MAXY00112A", frozenset({"EXPORTER"}))
SECOND_US = 1_000_000


def heard(transaction: Transaction, event: events_pb2.Event) -> None:
    """The reaction of these tests: one event of our own for each foreign one."""
    transaction.append("heard", f"{event.resource} {event.type}", Empty(), ["services/test"])


def poisoned(transaction: Transaction, event: events_pb2.Event) -> None:
    """A reaction that fails after it has done half its work."""
    heard(transaction, event)
    transaction.connection.execute(sa.insert(tables.inbox).values(source="half", epoch="", position=1))
    raise KeyError(event.type)


def out_of_reach(_transaction: Transaction, _event: events_pb2.Event) -> None:
    """A reaction whose store doesn't answer."""
    raise sa.exc.OperationalError("SELECT 1", None, Exception("gone"))


HEARING: inbox.Reactions = {"a": heard, "b": heard, "poison": poisoned}


def range_of(after: int, *events: tuple[str, str]) -> events_pb2.WatchResponse:
    """A range of events, each a type and a resource, that ends with the last of them."""
    told = [
        events_pb2.Event(position=position, type=type, resource=resource)
        for position, (type, resource) in enumerate(events, start=after + 1)
    ]
    through = after + len(events)
    return events_pb2.WatchResponse(log_epoch=EPOCH, after_position=after, through_position=through, events=told)


def run(store: Database, operation: Operation, request: Message, now_us: int = 1) -> object:
    """The outcome of an internal command."""
    submission = Submission(operation, service_caller("test"), request, "", now_us, system_random(16))
    return run_batch(store, [submission])[submission]


def consume(
    store: Database, response: events_pb2.WatchResponse, reactions: Mapping[str, Any] = HEARING, now_us: int = 1
) -> object:
    return run(store, inbox.consume_operation(SOURCE, reactions), response, now_us)


def retry(store: Database, resource: str, reactions: Mapping[str, Any], now_us: int = 1) -> None:
    outcome = run(store, inbox.retry_operation(SOURCE, reactions), events_pb2.Event(resource=resource), now_us)
    assert outcome == Empty()


def cursor(store: Database) -> tuple[str, int]:
    with store.read() as connection:
        return inbox.cursor(connection, SOURCE)


def effects(store: Database) -> list[str]:
    """Returns the resources and types that took effect, in order."""
    with store.read() as connection:
        rows = tables.events
        query = sa.select(rows.c.resource).where(rows.c.type == "heard").order_by(rows.c.position)
        return list(connection.execute(query).scalars())


def waiting(store: Database) -> list[tuple[str, int, int, str | None]]:
    """The events that wait: resource, position, attempts, failure."""
    with store.read() as connection:
        return [(row.resource, row.position, row.attempts, row.failure) for row in parked.every(connection)]


@pytest.fixture
def hearing(database_url: str) -> Iterator[Database]:
    """A store that follows a source."""
    store = Database(database_url, "test")
    migrations.upgrade(store, [], system_random)
    yield store
    store.close()


def test_effect_and_cursor_move_together_and_once(hearing: Database) -> None:
    first = range_of(0, ("a", "x"), ("other", "x"), ("b", "y"))
    for _ in range(2):
        assert consume(hearing, first) == Empty()
        assert (cursor(hearing), effects(hearing)) == ((EPOCH, 3), ["x a", "y b"])
    assert isinstance(consume(hearing, range_of(4, ("a", "x"))), inbox.Gap)
    assert (cursor(hearing), effects(hearing)) == ((EPOCH, 3), ["x a", "y b"])


def test_of_a_range_that_overlaps_the_cursor_the_rest_takes_effect(hearing: Database) -> None:
    consume(hearing, range_of(0, ("a", "x"), ("b", "x")))
    assert consume(hearing, range_of(1, ("b", "x"), ("a", "z"))) == Empty()
    assert (cursor(hearing), effects(hearing)) == ((EPOCH, 3), ["x a", "x b", "z a"])


def test_the_first_range_starts_at_the_beginning(hearing: Database) -> None:
    assert isinstance(consume(hearing, range_of(2, ("a", "x"))), inbox.Gap)
    assert cursor(hearing) == ("", 0)


def test_a_log_of_another_epoch_isnt_taken_for_the_old_one(hearing: Database) -> None:
    consume(hearing, range_of(0, ("a", "x")))
    restored = range_of(1, ("a", "x"))
    restored.log_epoch = "restored"
    assert isinstance(consume(hearing, restored), inbox.Gap)
    assert cursor(hearing) == (EPOCH, 1)


def test_a_poison_event_stops_its_resource_and_no_other(hearing: Database) -> None:
    consume(hearing, range_of(0, ("a", "x"), ("poison", "x"), ("a", "y"), ("b", "x"), ("b", "y")))
    assert cursor(hearing) == (EPOCH, 5)
    assert effects(hearing) == ["x a", "y a", "y b"]
    assert waiting(hearing) == [("x", 2, 1, "KeyError"), ("x", 4, 0, None)]
    consume(hearing, range_of(5, ("a", "x"), ("a", "y")))
    assert effects(hearing) == ["x a", "y a", "y b", "y a"]
    assert [row[:2] for row in waiting(hearing)] == [("x", 2), ("x", 4), ("x", 6)]
    with hearing.read() as connection:
        assert connection.execute(sa.select(tables.inbox.c.source)).scalars().all() == [SOURCE]
        assert parked.violations(connection) == []
        assert [told["why"] for told in verification.parked(connection)] == ["KeyError", parked.BEHIND, parked.BEHIND]


def test_a_resource_goes_on_in_order_once_its_event_takes_effect(hearing: Database) -> None:
    consume(hearing, range_of(0, ("poison", "x"), ("poison", "y"), ("a", "x"), ("b", "x")))
    retry(hearing, "x", HEARING)
    assert waiting(hearing)[0] == ("x", 1, 2, "KeyError")
    assert effects(hearing) == []
    retry(hearing, "x", {**HEARING, "poison": heard})
    assert effects(hearing) == ["x poison", "x a", "x b"]
    assert [row[0] for row in waiting(hearing)] == ["y"]
    consume(hearing, range_of(4, ("a", "x")))
    assert effects(hearing)[3:] == ["x a"]


def test_a_long_queue_is_taken_in_parts(hearing: Database) -> None:
    consume(hearing, range_of(0, ("poison", "x"), *itertools.repeat(("a", "x"), parked.AT_ONCE + 1)))
    mended = {**HEARING, "poison": heard}
    retry(hearing, "x", mended, 5)
    assert len(effects(hearing)) == parked.AT_ONCE
    with hearing.read() as connection:
        assert list(parked.due(connection, SOURCE, 5)) == ["x"]
    retry(hearing, "x", mended, 5)
    assert (len(effects(hearing)), waiting(hearing)) == (parked.AT_ONCE + 2, [])


def test_a_waiting_event_is_taken_again_ever_more_seldom_and_in_the_end_by_a_person(
    hearing: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.tasks.PARK_AFTER_ATTEMPTS", 3)
    consume(hearing, range_of(0, ("poison", "x"), ("a", "x")), now_us=SECOND_US)

    def due_us() -> int | None:
        with hearing.read() as connection:
            return parked.every(connection)[0].due_us

    first = due_us()
    assert first is not None
    assert 150_000 <= first - SECOND_US <= 250_000
    retry(hearing, "x", HEARING, first)
    second = due_us()
    assert second is not None
    assert 300_000 <= second - first <= 500_000
    retry(hearing, "x", HEARING, second)
    assert due_us() is None
    with hearing.write() as connection:
        assert parked.retry(connection, "x", 7) == 1
        assert parked.retry(connection, "y", 7) == 0
    assert due_us() == 7


def test_what_may_go_away_by_itself_parks_nothing(hearing: Database) -> None:
    outcome = consume(hearing, range_of(0, ("a", "x"), ("b", "y")), {"a": heard, "b": out_of_reach})
    assert isinstance(outcome, sa.exc.OperationalError)
    assert (cursor(hearing), effects(hearing), waiting(hearing)) == (("", 0), [], [])


def test_the_lag_counts_the_events_that_are_still_to_be_taken(database_url: str, hearing: Database) -> None:
    source = Database(database_url, "source")
    migrations.upgrade(source, [], system_random)

    def tell(transaction: Transaction, _request: Empty) -> Message:
        for type in ("a", "other", "b"):
            transaction.append(type, "x", Empty(), [])
        return Empty()

    run(source, Operation("tell", Empty, run=tell, keeps_requests=False), Empty(), 10 * SECOND_US)

    def lag() -> inbox.Lag:
        with source.read() as log, hearing.read() as connection:
            return inbox.lag(connection, log, SOURCE, HEARING, 17 * SECOND_US)

    assert lag() == inbox.Lag(source=SOURCE, position=0, head=3, waiting=2, age_seconds=7)
    consume(hearing, range_of(0, ("a", "x")))
    assert lag() == inbox.Lag(source=SOURCE, position=1, head=3, waiting=1, age_seconds=7)
    consume(hearing, range_of(1, ("other", "x"), ("b", "x")))
    assert lag() == inbox.Lag(source=SOURCE, position=3, head=3, waiting=0, age_seconds=0)
    source.close()


def test_a_cursor_that_stands_is_carried_over(database_url: str) -> None:
    store = Database(database_url, "test")
    store.create_schema()
    script = ScriptDirectory.from_config(migrations.configuration([]))
    with store.write() as connection:

        def steps(revision: object, _context: object) -> object:
            return script._upgrade_revs("chassis_0007", revision)  # type: ignore[arg-type]

        context = MigrationContext.configure(connection, opts={"fn": steps, "script": script})
        with Operations.context(context):
            context.run_migrations()
        row = {"source": SOURCE, "epoch": EPOCH, "position": 7, "parked": None}
        connection.execute(sa.insert(sa.table("inbox", *map(sa.column, row))).values(row))
    migrations.upgrade(store, [], system_random)
    assert cursor(store) == (EPOCH, 7)
    consume(store, range_of(7, ("poison", "x")))
    assert waiting(store) == [("x", 8, 1, "KeyError")]
    store.close()


async def test_a_service_hears_another_over_grpc_also_after_either_was_started_again(
    tmp_path: pathlib.Path, database_url: str
) -> None:
    listening = dataclasses.replace(SETTLEMENT, subscriptions={SOURCE: {"consent.granted": heard}})
    platform = Platform(tmp_path, database_url, [DECLARATIONS, listening])
    await platform.start()

    async def tell() -> str:
        consent = declarations_pb2.Consent(institution="banks/LMHFCNB0", purpose="test")
        consent.expire_time.FromJsonString("2100-01-01T00:00:00Z")
        request = declarations_pb2.CreateConsentRequest(request_id=str(uuid.uuid4()), consent=consent)
        made = await platform.call("declarations", "CreateConsent", request, EXPORTER)
        return f"{made.name} consent.granted"

    async def told(count: int) -> list[str]:
        """Returns the listener's events, once there are so many, as a service that sees the whole log."""
        path, resources = SETTLEMENT.contract.path("Watch"), []
        await platform.nodes["declarations"].channels["settlement"].channel_ready()
        request = events_pb2.WatchRequest(types=["heard"])
        async with asyncio.timeout(20):
            async for response in platform.nodes["declarations"].channels.watch("settlement", path, request):
                resources += [event.resource for event in response.events]
                if len(resources) >= count:
                    return resources
        raise AssertionError(resources)

    consents = [await tell()]
    assert await told(1) == consents
    for restarted in ("declarations", "settlement"):
        await platform.restart(restarted)
        consents.append(await tell())
        assert await told(len(consents)) == consents
    await platform.stop()
