"""A breach at the register and the loans on its asset, on both databases: over real ports, and by events alone."""

import asyncio
import pathlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2, value_pb2
from aval.events.v1 import events_pb2
from aval.loans.v1 import loans_pb2
from google.protobuf.empty_pb2 import Empty

from chassis import inbox
from chassis.clock import SystemClock
from chassis.command import Submission
from chassis.identity import Caller, service_caller
from chassis.ids import derived, system_random
from chassis.ports import free_port
from chassis.status import RemoteError
from chassis.testing import Platform
from chassis.writer import run_batch
from cli import breaches
from ledger.tables import transfers
from services.declarations.service import SERVICE as DECLARATIONS
from services.loans.service import SERVICE as LOANS
from tests.service.test_loans import (
    BANKS,
    CHECKER,
    DECLARATION,
    EXPORTER_CALLER,
    MAKER,
    NOW_US,
    Room,
    active,
    room,
    signed,
    told,
    usd,
    work_off,
)
from tests.service.test_loans_platform import PATIENCE_SECONDS, Market

SYSTEM = Caller(f"{BANKS[0]}/system", BANKS[0], frozenset({"BANK_SYSTEM"}))
SOURCE = DECLARATIONS.name
REACTIONS = LOANS.subscriptions[SOURCE]

__all__ = ["room"]


@pytest.fixture
async def market(tmp_path: pathlib.Path, database_url: str) -> AsyncIterator[Market]:
    """Declarations and loans; the insurer has an address and nobody answers, so that drawdowns wait for its cover."""
    platform = Platform(tmp_path, database_url, [DECLARATIONS, LOANS])
    platform.addresses["credit_insurance"] = f"127.0.0.1:{free_port()}"
    await platform.start()
    yield Market(platform)
    await platform.stop()


async def until(check: Callable[[], Any]) -> Any:
    """The first result of a check that is something."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (result := await check()):
        assert time.monotonic() < deadline, "nothing came"
        await asyncio.sleep(0.05)
    return result


async def encumber(market: Market, declaration: str, amount: int) -> None:
    """The bank's own system has value of the declaration encumbered."""
    identifier = derived("encumbrance", declaration)
    item = declarations_pb2.EncumberedValue(asset=declaration, amount=usd(amount))
    encumbrance = declarations_pb2.Encumbrance(asset_class=declarations_pb2.Encumbrance.RECEIVABLE, items=[item])
    request = declarations_pb2.ReserveEncumbranceRequest(encumbrance_id=identifier, encumbrance=encumbrance)
    reserved = await market.call("ReserveEncumbrance", request, SYSTEM, SOURCE)
    confirm = declarations_pb2.ConfirmEncumbranceRequest(name=reserved.name)
    await market.call("ConfirmEncumbrance", confirm, SYSTEM, SOURCE)


async def refusal(attempt: Any) -> str:
    """The reason for which a call is refused; empty where it isn't."""
    try:
        await attempt
    except RemoteError as error:
        return error.reason
    return ""


def disagreements(market: Market) -> list[str]:
    return breaches.violations({name: node.store for name, node in market.platform.nodes.items()})


def waiting(market: Market) -> int:
    """The register's events that loans have yet to take."""
    nodes = market.platform.nodes
    with nodes[SOURCE].store.read() as log, nodes["loans"].store.read() as connection:
        return inbox.lag(connection, log, SOURCE, REACTIONS, SystemClock().now_us()).waiting


async def test_a_breach_stops_what_is_not_paid_out_until_it_is_cured(market: Market) -> None:
    declaration, other = await market.declare(1), await market.declare(2)
    await market.consent(BANKS[0])
    await encumber(market, declaration, 50_000_00)
    under_way = await market.agree([declaration, other], MAKER, CHECKER, 20_000_00)
    elsewhere = await market.agree([other], MAKER, CHECKER, 1_000_00)
    unsigned = await market.agree([declaration], MAKER, CHECKER, 1_000_00)
    offered = await market.offer([declaration], MAKER, CHECKER, 1_000_00)
    for loan in (under_way, elsewhere):
        await market.sign(loan, CHECKER)
        await market.watch(loan.name, "loan.reserved")

    await market.amend(1, 30_000_00)
    events = await market.watch(under_way.name, "loan.refused")
    assert events == ["loan.agreed", "loan.signed", "loan.valued", "loan.valued", "loan.reserved", "loan.refused"]
    assert (await market.get(under_way.name)).cancellation_reason == "DECLARATION_BREACHED"
    assert await refusal(market.sign(unsigned, CHECKER)) == "DECLARATION_BREACHED"
    assert await refusal(market.accept(offered)) == "DECLARATION_BREACHED"
    for restarted in ("loans", "declarations"):
        await market.platform.restart(restarted)
        assert await refusal(market.sign(unsigned, CHECKER)) == "DECLARATION_BREACHED"
    going_on = await market.get(elsewhere.name)
    assert not going_on.cancellation_reason

    await market.amend(1, 100_000_00)

    async def is_signed() -> bool:
        return await refusal(market.sign(unsigned, CHECKER)) != "DECLARATION_BREACHED"

    await until(is_signed)
    await market.watch(unsigned.name, "loan.reserved")
    assert (await market.accept(offered)).name
    assert waiting(market) == 0
    assert disagreements(market) == []
    assert market.violations() == []


async def test_verification_finds_a_breach_that_loans_were_never_told_of(market: Market) -> None:
    """X9: verification finds a breach that loans were never told of."""
    declaration = await market.declare(3)
    await market.consent(BANKS[0])
    await encumber(market, declaration, 50_000_00)
    await market.amend(3, 30_000_00)

    async def is_taken() -> bool:
        return waiting(market) == 0

    await until(is_taken)
    assert disagreements(market) == []
    with market.platform.nodes["loans"].store.write() as connection:
        connection.execute(sa.delete(sa.table("breaches")))
    (fault,) = disagreements(market)
    assert fault.startswith("loans: breaches/")
    assert fault.endswith("is noted with None, the register has USD 20,000.00"), fault


def share(open_amount: int, holder: str = BANKS[0], name: str = "breaches/1") -> value_pb2.Breach:
    """A holder's share of a breach of the declaration; with no holder the whole."""
    state = value_pb2.Breach.OPEN if open_amount else value_pb2.Breach.CURED
    message = value_pb2.Breach(
        name=name,
        asset=DECLARATION,
        enterprise=EXPORTER_CALLER.tenant,
        asset_class="RECEIVABLE",
        holder=holder,
        open_amount=usd(open_amount),
        state=state,
    )
    message.create_time.FromMicroseconds(NOW_US + 1)
    return message


def tell(room: Room, after: int, *told: tuple[str, value_pb2.Breach]) -> None:
    """The loans service takes a range of the register's events, twice."""
    events = []
    for position, (type, message) in enumerate(told, start=after + 1):
        event = events_pb2.Event(position=position, type=type, resource=message.name)
        event.payload.Pack(message)
        events.append(event)
    response = events_pb2.WatchResponse(
        log_epoch="epoch", after_position=after, through_position=after + len(told), events=events
    )
    operation = inbox.consume_operation(SOURCE, REACTIONS)
    for _ in range(2):
        work = Submission(operation, service_caller("loans"), response, "", NOW_US + 2, system_random(16))
        assert run_batch(room.database, [work])[work] == Empty()


def booked(room: Room) -> int:
    """How many ledger transfers there are."""
    with room.database.read() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(transfers)).scalar_one())


def test_a_loan_that_is_paid_out_shows_its_banks_share_and_no_money_moves(room: Room) -> None:
    loan = active(room)
    before = booked(room)
    whole, own = share(900_00, holder=""), share(300_00)
    tell(room, 0, ("encumbrance.breached", whole), ("encumbrance.breached", own))
    for party in (CHECKER, EXPORTER_CALLER):
        shown = room.read("GetLoan", party, name=loan.name)
        (standing,) = shown.breaches
        assert (standing.breach, standing.asset, standing.open_amount) == ("breaches/1", DECLARATION, usd(300_00))
    (listed,) = room.read("ListLoans", CHECKER).loans
    assert listed.breaches == shown.breaches
    tell(room, 2, ("breach.cured", share(600_00, holder="")), ("breach.cured", share(200_00)))
    assert room.read("GetLoan", CHECKER, name=loan.name).breaches[0].open_amount == usd(200_00)
    tell(room, 4, ("breach.resolved", share(0, holder="")), ("breach.resolved", share(0)))
    ended = room.read("GetLoan", CHECKER, name=loan.name)
    assert not ended.breaches
    assert told(room, loan.name)[-3:] == ["loan.breached", "loan.breached", "loan.breach_ended"]
    assert (ended.state, ended.outstanding, booked(room)) == (loan.state, loan.outstanding, before)
    assert room.violations() == []


def test_a_drawdown_that_an_older_breach_does_not_stop_shows_it(room: Room) -> None:
    """X9: the event came late, and nothing of the loan stands on the declaration in breach."""
    loan, older = signed(room), share(300_00)
    work_off(room, "confirm")
    older.create_time.FromMicroseconds(NOW_US - 1)
    tell(room, 0, ("encumbrance.breached", older))
    work_off(room)
    paid_out = room.read("GetLoan", CHECKER, name=loan.name)
    assert loans_pb2.Loan.State.Name(paid_out.state) == "ACTIVE"
    assert [standing.breach for standing in paid_out.breaches] == ["breaches/1"]
    assert room.violations() == []


def test_a_breach_of_something_else_or_of_others_changes_no_loan(room: Room) -> None:
    loan = active(room)
    foreign = share(300_00)
    foreign.enterprise = "enterprises/91410100MA44OTHERX"
    elsewhere = share(300_00)
    elsewhere.asset = "pools/1"
    told_of = [share(300_00, holder="banks/EFGHCNBB"), foreign, elsewhere]
    tell(room, 0, *(("encumbrance.breached", message) for message in told_of))
    assert room.read("GetLoan", CHECKER, name=loan.name) == loan
