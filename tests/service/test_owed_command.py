"""`aval owed` beside a running platform, on both databases: what is owed, late and parked, why, and again."""

import asyncio
import json
import pathlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from aval.declarations.v1 import value_pb2
from aval.events.v1 import events_pb2
from aval.settlement.v1 import settlement_pb2
from click.testing import CliRunner

from chassis import inbox, money, owed, parked, tables
from chassis.clock import SystemClock
from chassis.database import Database
from chassis.identity import service_caller
from chassis.money import Money
from chassis.owed import OwedCall, State
from chassis.testing import Platform
from cli.main import main
from cli.owed import lines
from services.declarations.service import SERVICE as DECLARATIONS
from services.loans.service import SERVICE as LOANS
from tests.support import NOW_US, Stores

SECOND_US, DAY_US = 1_000_000, 86_400_000_000
PATIENCE_SECONDS = 20


def row(resource: str, **changes: Any) -> dict[str, Any]:
    """A task of a loan, to settlement, which this platform doesn't reach."""
    made: dict[str, Any] = {"resource": resource, "branch": "", "saga": "loan", "step": "disburse", "round": 1}
    made |= {"service": "settlement", "method": "Disburse", "tenant": "banks/X", "traceparent": ""}
    made["request"] = settlement_pb2.DisburseRequest(loan=resource).SerializeToString()
    made |= {"caller": service_caller("loans").to_text(), "business_date": "2026-11-30", "not_before_us": 0}
    return made | {"attempts": 0, "failure": None, "parked": None} | changes


def rows(now_us: int) -> Sequence[Mapping[str, Any]]:
    """One call of each state, none of which a runner makes in the next hour."""
    later = {"due_us": now_us + DAY_US}
    parked = {"attempts": 1000, "failure": "UNAVAILABLE", "parked": "settlement can't be reached"}
    return [
        row("loans/4", since_us=now_us + DAY_US, not_before_us=now_us + DAY_US, **later),
        row("loans/3", since_us=now_us - SECOND_US, **later),
        row("loans/2", since_us=now_us - 3600 * SECOND_US, attempts=7, failure="DEADLINE_EXCEEDED", **later),
        row("loans/1", since_us=now_us - DAY_US, due_us=now_us - DAY_US, branch="fee", **parked),
    ]


@pytest.fixture
async def platform(tmp_path: pathlib.Path, database_url: str) -> AsyncIterator[Platform]:
    """Declarations and loans, running; loans owe one call of each state."""
    running = Platform(tmp_path, database_url, [DECLARATIONS, LOANS])
    await running.start()
    with running.nodes["loans"].store.write() as connection:
        connection.execute(sa.insert(tables.tasks), rows(SystemClock().now_us()))
    yield running
    with running.nodes["loans"].store.write() as connection:
        connection.execute(sa.delete(tables.tasks))
    await running.stop()


@pytest.fixture
def aval(database_url: str) -> Callable[..., Any]:
    """Runs a command on the store and returns how it ended."""
    return lambda *arguments: CliRunner().invoke(main, [*arguments, "--database", database_url])


async def told(aval: Callable[..., Any]) -> Any:
    """The report that `aval owed --json` prints."""
    result = await asyncio.to_thread(aval, "owed", "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.usefixtures("platform")
async def test_it_lists_what_is_owed_late_and_parked_and_why(aval: Callable[..., Any]) -> None:
    report = await told(aval)
    assert report["ok"]
    assert report["counts"] == {"PARKED": 1, "LATE": 1, "OWED": 1, "WAITING": 1}
    parked, late, fresh, waiting = report["calls"]
    assert parked.pop("since") < late["since"] < fresh["since"] < waiting["since"] == waiting["not_before"]
    assert parked.pop("age_seconds") >= 86_400
    assert parked == {
        "service": "loans",
        "resource": "loans/1",
        "branch": "fee",
        "step": "disburse",
        "peer": "settlement",
        "state": "PARKED",
        "not_before": None,
        "next_attempt": None,
        "attempts": 1000,
        "failure": "UNAVAILABLE",
        "parked": "settlement can't be reached",
    }
    assert (late["state"], late["attempts"], late["failure"]) == ("LATE", 7, "DEADLINE_EXCEEDED")
    assert late["next_attempt"] > late["since"]
    assert (fresh["state"], waiting["state"], waiting["age_seconds"]) == ("OWED", "WAITING", 0)
    result = await asyncio.to_thread(aval, "owed")
    first, *_, last = result.stdout.splitlines()
    assert first.startswith("PARKED  loans -> settlement: loans/1 (fee) disburse since ")
    assert first.endswith(", 1000 attempts, UNAVAILABLE, settlement can't be reached")
    assert last == "1 parked, 1 late, 1 owed, 1 waiting"


@pytest.mark.usefixtures("platform")
async def test_a_parked_call_is_made_again_by_the_running_platform(aval: Callable[..., Any]) -> None:
    refused = await asyncio.to_thread(aval, "owed", "--retry", "loans/2")
    assert refused.exit_code == 1
    assert "loans/2 has no parked call" in refused.output
    result = await asyncio.to_thread(aval, "owed", "--retry", "loans/1", "--json")
    assert json.loads(result.stdout) == {"ok": True, "retried": 1}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (again := next(call for call in (await told(aval))["calls"] if call["resource"] == "loans/1"))[
        "attempts"
    ]:
        assert time.monotonic() < deadline
    assert (again["state"], again["parked"]) == ("LATE", None)
    assert again["attempts"] < 1000
    assert again["failure"] == "SERVICE_UNAVAILABLE"


@pytest.mark.usefixtures("platform")
async def test_a_person_is_told_the_worst_calls_and_how_many_there_are(aval: Callable[..., Any]) -> None:
    report = await told(aval)
    many = report | {"calls": report["calls"] * 20}
    told_lines = lines(many)
    assert len(told_lines) == 52
    assert told_lines[50] == "and 30 more: --json lists all"


def test_the_age_of_the_oldest_call_to_each_peer_counts_no_parked_and_no_waiting_one(store: Stores) -> None:
    planted = [
        row(
            "loans/1",
            since_us=NOW_US - 40 * SECOND_US,
            attempts=9,
            failure="UNAVAILABLE",
            due_us=NOW_US + 30 * SECOND_US,
        ),
        row("loans/2", since_us=NOW_US - 30 * SECOND_US, due_us=NOW_US),
        row("loans/3", since_us=NOW_US - 60 * SECOND_US, due_us=NOW_US, parked="no"),
        row("loans/4", since_us=NOW_US - SECOND_US // 2, due_us=NOW_US, service="declarations"),
        row("loans/5", since_us=NOW_US + 1, due_us=NOW_US + 1, service="credit_insurance"),
    ]
    database = store()
    with database.write() as connection:
        assert owed.ages(connection, NOW_US) == {}
        connection.execute(sa.insert(tables.tasks), planted)
    with database.read() as connection:
        assert owed.ages(connection, NOW_US) == {"settlement": 40.0, "declarations": 0.5}


@pytest.mark.parametrize(
    ("since_us", "parked", "state"),
    [
        (NOW_US + 1, None, State.WAITING),
        (NOW_US, None, State.OWED),
        (NOW_US - 10 * SECOND_US, None, State.OWED),
        (NOW_US - 10 * SECOND_US - 1, None, State.LATE),
        (NOW_US + 1, "no", State.PARKED),
    ],
)
def test_a_call_is_late_once_it_is_owed_for_longer_than_a_call_may_take(
    since_us: int, parked: str | None, state: State
) -> None:
    call = OwedCall(
        resource="loans/1", branch="", step="disburse", peer="settlement", not_before_us=0, since_us=since_us,
        due_us=since_us, attempts=0, failure=None, parked=parked,
    )  # fmt: skip
    assert call.state(NOW_US) is state


@pytest.mark.usefixtures("platform")
async def test_events_that_wait_are_listed_and_taken_again(database_url: str, aval: Callable[..., Any]) -> None:
    """Loans failed on a breach until a person looked; a second event waits behind the first."""
    store, now_us = Database(database_url, "loans"), SystemClock().now_us()
    park_two(store, now_us)
    first, behind = (await told(aval))["events"]
    assert first.pop("since") == behind.pop("since")
    assert first.pop("age_seconds") >= 86_400
    assert first == {
        "service": "loans",
        "source": "declarations",
        "resource": "breaches/1",
        "position": 7,
        "type": "encumbrance.breached",
        "next_attempt": None,
        "attempts": 1,
        "failure": "KeyError",
    }
    assert (behind["position"], behind["attempts"], behind["failure"]) == (9, 0, None)
    result = await asyncio.to_thread(aval, "owed")
    assert "EVENT   declarations -> loans: breaches/1 encumbrance.breached (7) since " in result.stdout
    assert "0 attempts, waits behind an earlier event" in result.stdout
    result = await asyncio.to_thread(aval, "owed", "--retry", "breaches/1", "--json")
    assert json.loads(result.stdout) == {"ok": True, "retried": 1}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (report := await told(aval))["events"]:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    assert [(lag["service"], lag["source"]) for lag in report["followed"]] == [("loans", "declarations")]
    with store.read() as connection:
        assert connection.execute(sa.text("SELECT name FROM breaches")).scalars().all() == ["breaches/1"]
    store.close()


def park_two(store: Database, now_us: int) -> None:
    """Two events of a breach wait, the first for a person, the second behind it."""
    message = value_pb2.Breach(
        name="breaches/1", asset="declarations/1", enterprise="enterprises/1", state=value_pb2.Breach.OPEN
    )
    message.open_amount.CopyFrom(money.to_proto(Money("USD", 5)))
    with store.write() as connection:
        inbox.advance(connection, "declarations", "epoch", 9)
        for position, failure in ((7, "KeyError"), (9, None)):
            event = events_pb2.Event(position=position, type="encumbrance.breached", resource="breaches/1")
            event.payload.Pack(message)
            parked.park(connection, "declarations", event, now_us - DAY_US, failure)
        connection.execute(sa.update(tables.parked_events).values(due_us=None))
