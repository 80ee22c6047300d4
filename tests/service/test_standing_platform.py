"""A whole platform that the release of 0.2.0 left is carried over, on both databases; nothing is refused for being old.

tests/fixtures/standing/demo_0.2.0.json.gz holds the rows and the key rings of that release's demo, as its processes
wrote them to SQLite: money in, cover, a loan drawn down and repaid, encumbrances released.
"""

import gzip
import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import sqlalchemy as sa

from chassis import business_date, keyring, migrations, tasks
from chassis.clock import SystemClock
from chassis.database import Database
from chassis.identity import service_caller
from chassis.ids import system_random
from chassis.keyring import KeyFile
from chassis.service import Service
from cli import verification as cli_verification
from cli.stores import SERVICES
from tests.support import migrate_to
from trade.derivations import store as derivation_store

FIXTURE = pathlib.Path(__file__).parents[1] / "fixtures" / "standing" / "demo_0.2.0.json.gz"
OLD: Mapping[str, Any] = json.loads(gzip.decompress(FIXTURE.read_bytes()))
HEADS = {
    "declarations": "declarations_0005",
    "settlement": "settlement_0005",
    "credit_insurance": "credit_insurance_0002",
    "loans": "loans_0002",
}
SEALED = "hex:"


def _value(column: sa.Column[Any], value: Any) -> Any:
    if isinstance(value, str) and value.startswith(SEALED):
        return bytes.fromhex(value.removeprefix(SEALED))
    return bool(value) if isinstance(column.type, sa.Boolean) and value is not None else value


def _fill(connection: sa.Connection, tables: Mapping[str, Any]) -> None:
    """Writes the rows of before into the tables of before."""
    for name, content in tables.items():
        if name != "alembic_version":
            table = sa.Table(name, sa.MetaData(), autoload_with=connection)
            columns = [table.c[column] for column in content["columns"]]
            rows = [
                {column.name: _value(column, value) for column, value in zip(columns, row, strict=True)}
                for row in content["rows"]
            ]
            connection.execute(sa.delete(table))
            connection.execute(sa.insert(table), rows)


@pytest.fixture
def rings(tmp_path: pathlib.Path) -> pathlib.Path:
    """The folder of the key rings that sealed the rows."""
    for service in SERVICES:
        file = keyring.file_of(tmp_path, service.name)
        file.write_text(json.dumps(OLD[service.name]["ring"]))
        file.chmod(0o600)
    return tmp_path


@pytest.fixture
def platform(database_url: str, rings: pathlib.Path) -> Iterator[dict[str, Database]]:
    """The four stores as the release of before left them."""
    stores = {
        service.name: Database(database_url, service.name, KeyFile(keyring.file_of(rings, service.name)))
        for service in SERVICES
    }
    for service in SERVICES:
        heads = (HEADS[service.name], "ledger_0001", "chassis_0004")
        migrate_to(stores[service.name], service.migrations, heads)
        with stores[service.name].write() as connection:
            _fill(connection, OLD[service.name]["tables"])
    yield stores
    for store in stores.values():
        store.close()


def _carry_over(service: Service, store: Database) -> bool:
    """Brings a store up to date as a starting process does; whether it was carried over."""
    is_carried = migrations.upgrade(store, service.migrations, system_random, service.prepare)
    if is_carried:
        now_us = SystemClock().now_us()
        with store.write() as connection:
            business_date.follow(connection, now_us)
            tasks.realign(connection, service.sagas, service_caller(service.name), now_us)
    return is_carried


def test_a_platform_of_before_is_carried_over_and_everything_holds(
    platform: dict[str, Database], database_url: str, rings: pathlib.Path
) -> None:
    """Rows, chains, tasks, participants, blobs, and what services agree on; carrying over again changes nothing."""
    assert all(_carry_over(service, platform[service.name]) for service in SERVICES)
    report = cli_verification.verify(database_url, is_whole=True, rings=rings)
    assert report["violations"] == []
    assert report["events"] == {name: len(OLD[name]["tables"]["events"]["rows"]) for name in OLD}
    # What was decided before has no derivation, and none is made up for it.
    for store in platform.values():
        with store.read() as connection:
            assert [*derivation_store.pages(connection)] == []
    assert not any(_carry_over(service, platform[service.name]) for service in SERVICES)


def test_a_row_of_before_that_was_changed_is_found_after_it_was_carried_over(
    platform: dict[str, Database], database_url: str
) -> None:
    for service in SERVICES:
        _carry_over(service, platform[service.name])
    with platform["settlement"].write() as connection:
        table = sa.Table("ledger_transfers", sa.MetaData(), autoload_with=connection)
        first = connection.execute(sa.select(sa.func.min(table.c.position))).scalar_one()
        connection.execute(sa.update(table).where(table.c.position == first).values(amount=table.c.amount + 1))
    assert any("settlement" in text for text in cli_verification.verify(database_url, is_whole=True)["violations"])
