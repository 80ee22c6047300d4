"""Breaches told before their events named holders are carried over: each share names its holder."""

import contextlib
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from aval.declarations.v1 import value_pb2
from aval.events.v1 import events_pb2
from google.protobuf import any_pb2
from google.protobuf.empty_pb2 import Empty

from chassis import eventlog, inbox, migrations
from chassis.command import Submission
from chassis.database import Database
from chassis.identity import service_caller
from chassis.ids import system_random
from chassis.tables import events
from chassis.writer import run_batch
from cli import breaches
from services.declarations.service import SERVICE
from services.loans.service import SERVICE as LOANS
from tests.service.register_world import BANKS, OTHER, World
from tests.support import NOW_US, Stores
from trade import breach

NAMING = "declarations_0007"


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """A register whose log tells of an open breach, shared by two banks, as the release of before wrote it."""
    made = World(database_url)
    made.consent(*BANKS[:2])
    name = made.declared()
    made.finance(name, 50_000_00, pari_passu=True)
    made.finance(name, 30_000_00, OTHER, pari_passu=True)
    made.amend(name, 40_000_00)
    made.amend(name, 50_000_00)
    with made.store.write() as connection:
        _write_as_before(connection)
    yield made
    made.store.close()


def _write_as_before(connection: sa.Connection) -> None:
    for row in connection.execute(sa.select(events).where(events.c.type.in_(breach.EVENTS))).all():
        payload, message = any_pb2.Any.FromString(row.payload), value_pb2.Breach()
        payload.Unpack(message)
        message.ClearField("holder")
        payload.Pack(message)
        this = sa.update(events).where(events.c.position == row.position)
        connection.execute(this.values(payload=payload.SerializeToString()))


def _carry_over(store: Database) -> None:
    """Runs the step that names holders, as an upgrade of a standing store would."""
    step = ScriptDirectory.from_config(migrations.configuration(SERVICE.migrations)).get_revision(NAMING)
    assert step is not None
    with store.write() as connection, Operations.context(MigrationContext.configure(connection)):
        step.module.upgrade()


def _log(world: World) -> list[events_pb2.Event]:
    with world.store.read() as connection:
        return eventlog.read(connection, "", 0, types=breach.EVENTS).events


def _follow(loans: Database, told: list[events_pb2.Event]) -> None:
    response = events_pb2.WatchResponse(log_epoch="1", through_position=told[-1].position, events=told)
    operation = inbox.consume_operation(SERVICE.name, LOANS.subscriptions[SERVICE.name])
    work = Submission(operation, service_caller("loans"), response, "", NOW_US, system_random(16))
    assert run_batch(loans, [work])[work] == Empty()


def test_a_breach_that_was_told_before_names_its_holders(world: World, store: Stores) -> None:
    """X9: loans that follow a standing log from its beginning note the whole of a breach, not its last share."""
    _carry_over(world.store)
    told = [(each.holder, each.open_amount.minor_units) for each in map(breach.from_event, _log(world))]
    assert [each for each in told if not each[0]] == [("", 40_000_00), ("", 30_000_00)]
    assert [each for each in told if each[0] == BANKS[0]] == [(BANKS[0], 25_000_00), (BANKS[0], 18_750_00)]
    assert [each for each in told if each[0] == BANKS[1]] == [(BANKS[1], 15_000_00), (BANKS[1], 11_250_00)]
    with contextlib.closing(store("loans", LOANS.migrations)) as loans:
        _follow(loans, _log(world))
        assert breaches.violations({SERVICE.name: world.store, "loans": loans}) == []
