"""Two processes at one asset, step by step: whoever had to wait decides on what the other left, not on what it read."""

import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from aval.declarations.v1 import declarations_pb2 as pb
from aval.declarations.v1 import pre_shipment_pb2

from chassis import business_date, database, eventlog, testing
from chassis.command import Transaction
from chassis.identity import Caller
from chassis.ids import Identifiers
from services.declarations.intake.takers import declarations as takers_declarations
from services.declarations.kinds import KINDS
from services.declarations.register.preshipment import commands as preshipment_commands
from services.declarations.register.protocol import confirming as protocol_confirming
from tests.service.register_world import BANK, BANKS, EXPORTER, INSURER, OTHER, VALUE, WINDOW, World, usd

PATIENCE_SECONDS = 20
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"


@pytest.fixture
def world(postgresql_server: testing.PostgreSQL) -> Iterator[World]:
    """A register on PostgreSQL, since SQLite's one writer is never interrupted; proved at the end."""
    made = World(postgresql_server.new_database())
    made.consent(*BANKS, INSURER)
    yield made
    assert made.violations() == []
    made.store.close()


@contextlib.contextmanager
def meanwhile(
    world: World, function: Callable[[Transaction, Any], Any], request: Any, caller: Caller
) -> Iterator[None]:
    """Another process's command, which commits once what is done in the block waits for it."""
    other = World(world.store.url)
    failures: list[BaseException] = []
    is_done, has_begun = threading.Event(), threading.Event()

    def run() -> None:
        try:
            with other.store.write() as connection:
                ids = Identifiers(world.now_us, uuid.uuid4().bytes)
                date = business_date.present(connection, world.now_us)
                transaction = Transaction(connection, caller, world.now_us, ids, business_date=date)
                function(transaction, request)
                eventlog.flush(connection, transaction.events)
                has_begun.set()
                _until_somebody_waits(other, is_done)
        except BaseException as failure:
            failures.append(failure)
        finally:
            has_begun.set()

    thread = threading.Thread(target=run)
    thread.start()
    has_begun.wait(PATIENCE_SECONDS)
    try:
        yield
    finally:
        is_done.set()
        thread.join(PATIENCE_SECONDS)
        other.store.close()
    assert not failures, failures


def _until_somebody_waits(world: World, is_done: threading.Event) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_done.wait(0.01):
        with world.store.read() as connection:
            if connection.exec_driver_sql(WAITING).scalar_one():
                return
        assert time.monotonic() < deadline, "nobody waits, and the block doesn't end"


def confirmation(name: str) -> pb.ConfirmEncumbranceRequest:
    """All of it."""
    return pb.ConfirmEncumbranceRequest(name=name)


def receipts(name: str, code: str, now_us: int) -> pb.BatchCreateReceiptsRequest:
    """One receipt of a declaration."""
    request = pb.BatchCreateReceiptsRequest()
    request.receipts.add(
        declaration_number=name.removeprefix("declarations/"), channel_code=code
    ).notice_time.FromMicroseconds(now_us)
    return request


def receive(transaction: Transaction, request: pb.BatchCreateReceiptsRequest) -> None:
    """As the writer would: under the lock of the declaration's name."""
    names = [f"declarations/{receipt.declaration_number}" for receipt in request.receipts]
    database.lock(transaction.connection, names)
    takers_declarations.create_receipts(transaction, request)


def test_what_is_paid_settles_what_was_just_confirmed(world: World) -> None:
    """The payment found a reservation; by the time it is booked that is finance."""
    name = world.declared()
    first, second = world.finance(name, 10_000_00), world.reserve(name, 40_000_00)
    with meanwhile(world, partial(protocol_confirming.confirm, KINDS), confirmation(second), BANK):
        world.pay(name, 30_000_00)
    settled = [world.encumbrance(held).items[0].settled for held in (first, second)]
    assert settled == [usd(10_000_00), usd(20_000_00)]


def test_a_deletion_is_taken_while_finance_is_confirmed(world: World) -> None:
    """Customs can't be refused; what was just confirmed falls short."""
    name = world.declared()
    held = world.reserve(name, 40_000_00)
    with meanwhile(world, partial(protocol_confirming.confirm, KINDS), confirmation(held), BANK):
        world.receive(name, "D")
    assert world.booked(name) == {"financed": 40_000_00, "shortfall": 40_000_00}
    assert [breach.amount for breach in world.breaches(BANK)] == [usd(40_000_00)]


def test_an_order_counts_what_was_just_shipped_under_it(world: World) -> None:
    """One declaration of it is amended while another is linked."""
    order = world.order(2 * VALUE)
    world.finance(order, 80_000_00)
    financed, fresh = world.declared(), world.declared()
    world.finance(financed, 90_000_00, OTHER)
    link = pre_shipment_pb2.LinkPreShipmentRequest(name=order, declaration=financed)
    world.call("LinkPreShipment", link, EXPORTER)
    link = pre_shipment_pb2.LinkPreShipmentRequest(name=order, declaration=fresh)
    with meanwhile(world, partial(preshipment_commands.link, KINDS), link, EXPORTER):
        world.amend(financed, VALUE - 1)
    assert world.booked(fresh)["reserved"] == 80_000_00
    assert "free" not in world.booked(order)


@pytest.mark.parametrize("is_receipt_first", [True, False])
def test_a_receipt_finds_the_declaration_that_is_just_coming(world: World, is_receipt_first: bool) -> None:
    """Whichever of two processes commits first."""
    row = world.row()
    name = f"declarations/{row.declaration_number}"
    deletion = receipts(name, "D", world.now_us)
    batch = pb.BatchCreateDeclarationsRequest(declarations=[row])
    if is_receipt_first:
        with meanwhile(world, receive, deletion, WINDOW):
            world.call("BatchCreateDeclarations", batch, WINDOW)
    else:
        with meanwhile(world, lambda *work: takers_declarations.take([work]), takers_declarations.rows(batch), WINDOW):
            world.call("BatchCreateReceipts", deletion, WINDOW)
    assert world.declaration(name).status == pb.Declaration.DELETED
