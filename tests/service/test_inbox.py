"""Consuming another service's events: effect and cursor together, nothing skipped, nothing twice; also over gRPC."""

import asyncio
import dataclasses
import pathlib
import uuid

import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2
from aval.events.v1 import events_pb2
from google.protobuf.empty_pb2 import Empty

from chassis import inbox, migrations, tables
from chassis.command import Submission, Transaction
from chassis.database import Database
from chassis.identity import Caller, service_caller
from chassis.ids import system_random
from chassis.testing import Platform
from chassis.writer import run_batch
from services.declarations.service import SERVICE as DECLARATIONS
from services.settlement.service import SERVICE as SETTLEMENT

SOURCE, EPOCH = "declarations", "epoch"
EXPORTER = Caller("enterprises/91411023MAXY00112A/a", "enterprises/91411023MAXY00112A", frozenset({"EXPORTER"}))


def told(transaction: Transaction, event: events_pb2.Event) -> None:
    """The reaction of these tests: one event of our own for each foreign one; the poison one fails."""
    if event.type == "poison":
        raise ValueError(event.type)
    transaction.append("heard", event.resource, Empty(), ["services/test"])


def span_of(after: int, through: int, *types: str) -> events_pb2.WatchResponse:
    events = [events_pb2.Event(type=one, resource="consents/c") for one in types]
    return events_pb2.WatchResponse(log_epoch=EPOCH, after_position=after, through_position=through, events=events)


def consume(store: Database, response: events_pb2.WatchResponse) -> object:
    operation = inbox.consume_operation(SOURCE, told)
    submission = Submission(operation, service_caller("test"), response, "", 1, system_random(16))
    return run_batch(store, [submission])[submission]


def state(store: Database) -> tuple[tuple[str, int], int]:
    """The cursor, and how many foreign events took effect."""
    with store.read() as connection:
        heard = sa.select(sa.func.count()).select_from(tables.events).where(tables.events.c.type == "heard")
        return inbox.cursor(connection, SOURCE), connection.execute(heard).scalar_one()


def test_effect_and_cursor_move_together_and_once(database_url: str) -> None:
    store = Database(database_url, "test")
    migrations.upgrade(store, [], system_random)
    consume(store, span_of(0, 3, "a", "b"))
    assert state(store) == ((EPOCH, 3), 2)
    consume(store, span_of(0, 3, "a", "b"))
    assert state(store) == ((EPOCH, 3), 2)
    assert isinstance(consume(store, span_of(4, 6, "c")), inbox.Gap)
    assert isinstance(consume(store, span_of(3, 5, "c", "poison")), ValueError)
    assert state(store) == ((EPOCH, 3), 2)
    consume(store, span_of(3, 5, "c"))
    assert state(store) == ((EPOCH, 5), 3)
    store.close()


def test_the_first_range_starts_at_the_beginning(database_url: str) -> None:
    store = Database(database_url, "test")
    migrations.upgrade(store, [], system_random)
    assert isinstance(consume(store, span_of(2, 3, "a")), inbox.Gap)
    assert state(store) == (("", 0), 0)
    store.close()


async def test_a_service_hears_another_over_grpc(tmp_path: pathlib.Path, database_url: str) -> None:
    listening = dataclasses.replace(SETTLEMENT, subscriptions={SOURCE: told})
    platform = Platform(tmp_path, database_url, [DECLARATIONS, listening])
    await platform.start()
    consent = declarations_pb2.Consent(institution="banks/LMHFCNB0", purpose="test")
    consent.expire_time.FromJsonString("2100-01-01T00:00:00Z")
    request = declarations_pb2.CreateConsentRequest(request_id=str(uuid.uuid4()), consent=consent)
    made = await platform.call("declarations", "CreateConsent", request, EXPORTER)
    path = SETTLEMENT.contract.path("Watch")
    watching = events_pb2.WatchRequest(resource=made.name)
    heard: list[str] = []
    # As a service, which sees the whole log.
    channels = platform.nodes["declarations"].channels
    async with asyncio.timeout(20):
        async for response in channels.watch("settlement", path, watching):
            heard += [event.type for event in response.events]
            if heard:
                break
    assert heard == ["heard"]
    await platform.stop()
