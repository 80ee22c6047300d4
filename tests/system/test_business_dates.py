"""`aval date`: the platform's business date shown and closed while it runs."""

import datetime
import json

from tests.system.support import Door, aval, verify


def date_command(door: Door, *arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error."""
    done = aval("date", *arguments, "--folder", str(door.layout.folder))
    return done.returncode, done.stdout, done.stderr


def shown(door: Door) -> datetime.date:
    """The business date by `aval date show --json`."""
    status, text, _ = date_command(door, "show", "--json")
    assert status == 0
    return datetime.date.fromisoformat(json.loads(text)["date"])


def test_a_demo_ends_today_and_its_date_is_closed_ahead(door: Door) -> None:
    today = shown(door)
    china = datetime.timezone(datetime.timedelta(hours=8))
    assert abs(today - datetime.datetime.now(china).date()) <= datetime.timedelta(days=1)
    ahead = today + datetime.timedelta(days=3)
    status, text, _ = date_command(door, "close", "--until", ahead.isoformat(), "--json")
    assert (status, json.loads(text)["date"]) == (0, ahead.isoformat())
    assert shown(door) == ahead
    status, _, told = date_command(door, "close", "--until", today.isoformat())
    assert status == 1
    assert f"{today} lies before the business date, {ahead}" in told
    assert verify(door.layout.folder)["ok"]


def test_what_is_no_day_is_told(door: Door) -> None:
    status, _, told = date_command(door, "close", "--until", "2026-02-30")
    assert status == 2
    assert "2026-02-30" in told
