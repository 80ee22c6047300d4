"""`aval data`, on both databases: a version comes to every service or to none, after kill -9 too; verify knows."""

import contextlib
import datetime
import json
import pathlib
import subprocess
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import sqlalchemy as sa

from chassis import migrations
from chassis.database import Database
from cli import dated_data, dates, verification
from cli.dated_data import TablesRefused
from cli.stores import SERVICES
from tests.support import seeded_random
from tests.system.support import AVAL, aval
from trade.dated_tables import packaged, reads
from trade.dated_tables import store as dated_tables_store
from trade.dated_tables.model import digest_of
from trade.tables import dated_tables

PATIENCE_SECONDS = 30
PACKAGED = {table.name: table.content.decode() for table in packaged.tables()}
CALENDAR = "calendars/CN.working"
NAMES = [service.name for service in SERVICES]


@pytest.fixture
def platform(database_url: str) -> str:
    """The stores of all services, as they begin."""
    for service in SERVICES:
        store = Database(database_url, service.name)
        migrations.upgrade(store, service.migrations, seeded_random(1), service.prepare)
        store.close()
    return database_url


@contextlib.contextmanager
def opened(database: str, service: str) -> Iterator[Database]:
    """A service's store."""
    store = Database(database, service)
    try:
        yield store
    finally:
        store.close()


def file_of(folder: pathlib.Path, name: str, text: str, source: str = "a notice") -> pathlib.Path:
    """A file of a table."""
    file = folder / f"{name.replace('/', ' ')}.csv"
    file.write_text(f"# name: {name}\n# source: {source}\n{text}", "utf-8")
    return file


def text_of(value: str, since: str = "2027-01-01") -> str:
    """The packaged rates, and another one of the dollar from a day on."""
    day = (datetime.date.fromisoformat(since) - datetime.timedelta(days=1)).isoformat()
    rows = PACKAGED["exchange_rates"].splitlines(keepends=True)
    last = max(number for number, row in enumerate(rows) if row.startswith("USD"))
    rows[last] = rows[last].replace(",,", f",{day},")
    return "".join(rows) + f"USD,{value},{since},,a notice\n"


def rates(folder: pathlib.Path, value: str) -> pathlib.Path:
    """A file of them."""
    return file_of(folder, "exchange_rates", text_of(value))


def next_year() -> str:
    """The packaged working days, with a year more of which New Year is off."""
    row = "PUBLISHED,,,,a notice,2027-01-01,2027-12-31\nOFF,,New Year,元旦,,2027-01-01,2027-01-01\n"
    return PACKAGED[CALENDAR] + row


def wrong_calendar(folder: pathlib.Path) -> pathlib.Path:
    """A file of a calendar in which a day is off twice."""
    row = "OFF,,New Year,元旦,,2026-01-01,2026-01-01\n"
    return file_of(folder, CALENDAR, PACKAGED[CALENDAR] + row)


def load(database: str, *files: pathlib.Path, correction: str = "") -> list[tuple[str, int]]:
    """The versions that are in force once files are loaded."""
    editions = dated_data.load(database, dated_data.drafts(files), correction)
    return [(edition.name, edition.version) for edition in editions]


def refusal(database: str, *files: pathlib.Path, correction: str = "") -> list[tuple[str, str]]:
    """Which files are refused, and why."""
    with pytest.raises(TablesRefused) as refused:
        load(database, *files, correction=correction)
    return [(pathlib.Path(each["file"]).stem, each["reason"]) for each in dated_data.refused(refused.value)]


def held(database: str) -> dict[str, list[str]]:
    """The versions that each service holds."""
    services: dict[str, list[str]] = {}
    for name in NAMES:
        with opened(database, name) as store, store.read() as connection:
            services[name] = [str(edition) for edition in dated_tables_store.editions(connection)]
    return services


def violations(database: str) -> list[str]:
    """Everything that verify finds."""
    found: list[str] = verification.verify(database, is_whole=True)["violations"]
    return found


def test_a_version_is_in_force_in_every_service_and_loading_it_again_changes_nothing(
    platform: str, tmp_path: pathlib.Path
) -> None:
    before = held(platform)
    file = rates(tmp_path, "1.2")
    assert load(platform, file) == [("exchange_rates", 2)]
    after = held(platform)
    assert len({tuple(editions) for editions in after.values()}) == 1
    assert all(set(before[name]) < set(after[name]) for name in NAMES)
    assert load(platform, file) == [("exchange_rates", 2)]
    assert held(platform) == after
    assert violations(platform) == []


def test_a_transaction_reads_what_is_in_force_and_the_next_one_what_was_loaded(
    platform: str, tmp_path: pathlib.Path
) -> None:
    def value(connection: sa.Connection) -> str:
        return reads.dated_table(connection, "exchange_rates").value("USD", datetime.date(2027, 1, 1))

    with opened(platform, "loans") as store:
        if store.dialect == "postgresql":
            with store.read() as connection:
                assert reads.in_force(connection, "exchange_rates").version == 1
                load(platform, rates(tmp_path, "1.2"))
                assert reads.in_force(connection, "exchange_rates").version == 1
        load(platform, rates(tmp_path, "1.2"))
        with store.read() as connection:
            assert (value(connection), reads.in_force(connection, "exchange_rates").version) == ("1.2", 2)


def test_one_file_that_is_refused_holds_all_back(platform: str, tmp_path: pathlib.Path) -> None:
    before = held(platform)
    good = rates(tmp_path, "1.2")
    assert refusal(platform, good, wrong_calendar(tmp_path)) == [("calendars CN.working", "CALENDAR_ROWS_OVERLAP")]
    assert refusal(platform, good, good) == [("exchange_rates", "TABLE_TWICE")]
    assert held(platform) == before


def test_days_that_have_passed_are_changed_only_with_a_reason_which_is_kept(
    platform: str, tmp_path: pathlib.Path
) -> None:
    before = held(platform)
    text = text_of("1.2", since="2026-11-03")
    file = file_of(tmp_path, "exchange_rates", text)
    assert refusal(platform, file) == [("exchange_rates", "PAST_CHANGED")]
    assert held(platform) == before
    assert load(platform, file, correction="the dollar was misread") == [("exchange_rates", 2)]
    listed = {(table["name"], table["version"]): table for table in dated_data.listed(platform)}
    assert listed["exchange_rates", 2]["correction"] == "the dollar was misread"
    assert sorted(listed["exchange_rates", 2]["services"]) == sorted(NAMES)
    assert listed["exchange_rates", 1]["correction"] == ""


def test_a_version_number_goes_up(platform: str, tmp_path: pathlib.Path) -> None:
    text = text_of("1.2")
    file = tmp_path / "exchange_rates.csv"
    for number in ("1", "0", "two"):
        file.write_text(f"# source: a notice\n# version: {number}\n{text}", "utf-8")
        assert refusal(platform, file) == [("exchange_rates", "TABLE_VERSION_INVALID")]
    file.write_text(f"# source: a notice\n# version: 5\n{text}", "utf-8")
    assert load(platform, file) == [("exchange_rates", 5)]
    assert load(platform, rates(tmp_path, "1.3")) == [("exchange_rates", 6)]
    # What counted before may count again: that is another version.
    assert load(platform, file_of(tmp_path, "exchange_rates", text)) == [("exchange_rates", 7)]


def test_a_load_that_is_killed_goes_on_where_it_was(platform: str, tmp_path: pathlib.Path) -> None:
    """DT1: after kill -9 between two services verify names those that lack the version, and the same again ends it."""
    file = rates(tmp_path, "1.2")
    command = [AVAL, "data", "load", str(file), "--database", platform]
    with opened(platform, "credit_insurance") as store:
        with store.write() as connection:
            _lock(connection)
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
                _wait_for(platform, "loans", 2)
                process.kill()
        told = [text for text in violations(platform) if "lacks exchange_rates 2" in text]
        assert [text.split()[1] for text in told] == ["declarations", "credit_insurance"]
    # What the operator loads next finds the version that was cut off carried to all.
    calendar = file_of(tmp_path, CALENDAR, next_year())
    done = aval("data", "load", str(calendar), "--database", platform, "--json")
    assert json.loads(done.stdout)["tables"][0]["taken_by"] == list(dates.ORDER)
    assert violations(platform) == []
    again = aval("data", "load", str(file), "--database", platform, "--json")
    assert json.loads(again.stdout)["tables"][0] | {"digest": ""} == {
        "name": "exchange_rates", "version": 2, "source": "a notice", "digest": "", "correction": "", "taken_by": [],
    }  # fmt: skip


def _lock(connection: sa.Connection) -> None:
    """Holds up whoever would add a version: the table on PostgreSQL, the store on SQLite."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("LOCK TABLE trade_dated_tables IN EXCLUSIVE MODE")


def _wait_for(database: str, service: str, version: int) -> None:
    """Waits until a service holds a version of the day counts."""
    begun = time.monotonic()
    with opened(database, service) as store:
        while time.monotonic() < begun + PATIENCE_SECONDS:
            with store.read() as connection:
                newest = dated_tables_store.newest(connection, "exchange_rates")
            if newest is not None and newest.version == version:
                return
            time.sleep(0.02)
    pytest.fail(f"{service} doesn't come to {version}")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        # The digest isn't that of the content, in the store itself.
        ({"content": b"code"}, [f"loans: DT1: {CALENDAR} 1 holds other rows than were loaded"]),
        # Content and digest fit, and are others than everybody else's.
        (
            {"content": b"code", "digest": digest_of(b"code")},
            [
                f"DT1: loans lacks {CALENDAR} 1",
                *[f"DT1: {name} lacks {CALENDAR} 1" for name in NAMES if name != "loans"],
            ],
        ),
        (
            {"version": 2},
            [f"DT1: loans lacks {CALENDAR} 1", *[f"DT1: {n} lacks {CALENDAR} 2" for n in NAMES if n != "loans"]],
        ),
    ],
)
def test_verify_names_a_store_that_holds_something_else(
    platform: str, change: Mapping[str, Any], expected: list[str]
) -> None:
    """DT1: all services hold the same versions of every table, and each is what was loaded."""
    with opened(platform, "loans") as store, store.write() as connection:
        connection.execute(sa.update(dated_tables).where(dated_tables.c.name == CALENDAR).values(**change))
    told = violations(platform)
    assert [start for start in expected if not any(text.startswith(start) for text in told)] == []
    assert [text for text in told if f"{CALENDAR} " not in text] == []


def test_two_loads_at_once_end_in_one_order(platform: str, tmp_path: pathlib.Path) -> None:
    """DT1: whoever comes second takes the next number, and every service has both."""
    folders = [tmp_path / "first", tmp_path / "second"]
    commands = []
    for folder, value in zip(folders, ("1.2", "1.3"), strict=True):
        folder.mkdir()
        commands.append([AVAL, "data", "load", str(rates(folder, value)), "--database", platform, "--json"])
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    reports = [json.loads(process.communicate()[0]) for process in running]
    assert all(report["ok"] for report in reports)
    assert [edition.split()[1] for edition in held(platform)["loans"] if edition.startswith("exchange")] == [
        "1",
        "2",
        "3",
    ]
    assert violations(platform) == []


def test_files_are_checked_without_a_platform(tmp_path: pathlib.Path) -> None:
    wrong = wrong_calendar(tmp_path)
    done = aval("data", "check", str(wrong), str(rates(tmp_path, "-1")), "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["ok"]) == (1, False)
    assert [(problem["path"], problem["reason"]) for problem in report["problems"]] == [
        ("rows[125]", "CALENDAR_ROWS_OVERLAP"), ("lines[62].value", "CELL_INVALID"),
    ]  # fmt: skip
    done = aval("data", "check", str(rates(tmp_path, "1.2")))
    assert (done.returncode, "exchange_rates, 59 rows, sha256" in done.stdout) == (0, True)


def test_all_versions_are_listed(platform: str) -> None:
    report = json.loads(aval("data", "list", "--database", platform, "--json").stdout)
    assert {(table["name"], table["version"]) for table in report["tables"]} == {(name, 1) for name in PACKAGED}
    assert f"{CALENDAR} 1" in aval("data", "list", "--database", platform).stdout
