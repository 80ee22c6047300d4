"""`aval date close`, on both databases: day by day through the services, after kill -9 too, each day verified."""

import datetime
import json
import logging
import pathlib
import subprocess
import time

import pytest
from aval.credit_insurance.v1 import credit_insurance_pb2 as pb

from chassis import business_date, migrations, rpc
from chassis.clock import SystemClock
from chassis.database import Database
from cli import dates
from cli.stores import SERVICES
from tests.service.credit_insurance_world import CHECKER, MAKER, World, policy_request
from tests.support import seeded_random
from tests.system.support import AVAL, aval, up

logger = logging.getLogger(__name__)

DAY = datetime.timedelta(days=1)
POLICIES = 40
# How many services are told of before the process is killed: within the first day, at its end, in later ones.
KILLED_AFTER = (1, 3, 5, 6)


@pytest.fixture
def platform(database_url: str) -> str:
    """The stores of all services; on each of the coming days policies end."""
    for service in SERVICES:
        store = Database(database_url, service.name)
        migrations.upgrade(store, service.migrations, seeded_random(1), service.prepare)
        store.close()
    world = World(database_url)
    world.now_us = SystemClock().now_us()
    for number in range(POLICIES):
        request = policy_request(1)
        request.policy.end_date.CopyFrom(rpc.date(today() + number % 4 * DAY))
        name = world.call("CreatePolicy", request, MAKER).name
        world.call("ApprovePolicy", pb.ApprovePolicyRequest(name=name), CHECKER)
    world.store.close()
    return database_url


def today() -> datetime.date:
    return business_date.day(SystemClock().now_us())


def shown(database: str) -> dict[str, str]:
    """Each service's date, as `aval date show` tells it: at most one day apart, and then under way."""
    report = dates.report(database)
    found = {name: row["date"] for name, row in report["services"].items()}
    days = sorted({datetime.date.fromisoformat(text) for text in found.values()})
    assert days[-1] - days[0] <= DAY
    assert report["date"] == days[0].isoformat()
    if len(days) > 1:
        assert report["is_closing"]
    return found


def states(database: str) -> list[int]:
    """How the policies stand, by the last day of their period."""
    world = World(database)
    page = world.read("ListPolicies", pb.ListPoliciesRequest(page_size=POLICIES), MAKER).policies
    world.store.close()
    return [policy.state for policy in sorted(page, key=lambda policy: rpc.to_date(policy.end_date))]


def close(database: str, until: str, *options: str) -> subprocess.CompletedProcess[str]:
    """`aval date close` to its end."""
    return aval("date", "close", "--until", until, "--database", database, *options)


def killed(database: str, until: str, services: int) -> None:
    """kill -9 of a close once it has told of so many services."""
    command = [AVAL, "date", "close", "--until", until, "--database", database]
    with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0) as process:
        assert process.stdout is not None
        told = b""
        while sum(told.count(name.encode()) for name in dates.ORDER) < services:
            read = process.stdout.read(1)
            assert read, told
            told += read
        process.kill()


def test_a_close_that_is_killed_goes_on_where_it_was(platform: str) -> None:
    """J3: a close that is killed goes on where it was."""
    until = today() + 3 * DAY
    seen = []
    for services in KILLED_AFTER:
        killed(platform, until.isoformat(), services)
        seen.append(shown(platform))
    done = close(platform, until.isoformat(), "--verify", "--json")
    report = json.loads(done.stdout)
    assert (report["ok"], report["is_closing"], report["date"]) == (True, False, until.isoformat())
    assert {row["date"] for row in report["services"].values()} == {until.isoformat()}
    assert {row["closed_date"] for row in report["services"].values()} == {(until - DAY).isoformat()}
    assert states(platform) == [pb.Policy.ENDED] * 30 + [pb.Policy.IN_FORCE] * 10
    # Some were killed in the middle of a day, and some days were closed before.
    assert any(len(set(found.values())) > 1 for found in seen)


def test_five_days_are_closed_and_verified_one_by_one(platform: str) -> None:
    done = close(platform, "+5d", "--verify")
    assert done.returncode == 0, done.stdout
    closed = [line for line in done.stdout.splitlines() if line.endswith("all hold")]
    assert [line.split()[0] for line in closed] == [(today() + number * DAY).isoformat() for number in range(6)]
    assert closed[0].split()[1:5] == list(dates.ORDER)
    assert states(platform) == [pb.Policy.ENDED] * POLICIES


def test_the_first_day_with_a_violation_stops_the_close(platform: str) -> None:
    store = Database(platform, "credit_insurance")
    with store.write() as connection:
        connection.exec_driver_sql("UPDATE log_head SET position = position + 1")
    store.close()
    done = close(platform, "+5d", "--verify", "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["ok"], len(report["days"])) == (1, False, 1)
    assert any("events: head" in violation for violation in report["violations"])


def test_every_service_closes() -> None:
    assert sorted(dates.ORDER) == sorted(service.name for service in SERVICES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-12-01", datetime.date(2026, 12, 1)),
        ("+60d", datetime.date(2027, 1, 29)),
        ("+0d", datetime.date(2026, 11, 30)),
    ],
)
def test_a_day_is_given_by_itself_or_from_the_present_one(text: str, expected: datetime.date) -> None:
    assert dates.day_of(text, datetime.date(2026, 11, 30)) == expected


@pytest.mark.parametrize("text", ["2026-02-30", "+d", "60d", "+sixd", ""])
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        dates.day_of(text, datetime.date(2026, 11, 30))


@pytest.mark.volume
def test_two_months_are_closed_and_verified_while_the_platform_runs(
    database_url: str, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The demo's loans, covers and bills meet sixty ends of a date, and verify holds after each."""
    with up(tmp_path / "platform", "--database", database_url) as running:
        running.wait_for("Serving")
        begun = time.monotonic()
        done = subprocess.run(
            [AVAL, "date", "close", "--until", "+60d", "--verify", "--json", "--database", database_url],
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - begun
    report = json.loads(done.stdout)
    assert (report["ok"], report["violations"], len(report["days"])) == (True, [], 61)
    slowest = max(day["seconds"] for day in report["days"])
    with caplog.at_level(logging.INFO):
        logger.info("%s: 60 days in %.0f s, the slowest %.1f s", database_url.split(":")[0], seconds, slowest)
