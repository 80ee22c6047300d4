"""The sum of the migrations is the tables, for every service and for the gateway, on both databases."""

import importlib
import importlib.util
import pathlib
import shutil
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from chassis import tables
from chassis.database import Database
from chassis.ids import system_random
from chassis.service import Service
from cli.stores import SERVICES
from gateway import tables as gateway_tables
from gateway.store import open_database
from ledger import tables as ledger_tables
from scripts import new_migration
from tests.support import Stores, ring
from trade import tables as trade_tables


def differences(database: Database, *metadata: sa.MetaData) -> list[Any]:
    """Returns what the tables have and the schema hasn't, or the other way."""
    with database.write() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, list(metadata)))  # type: ignore[arg-type]


def home(name: str) -> str:
    """Returns the module of a service's tables: schema.py, filled by loading the service, or tables.py."""
    module = "schema" if importlib.util.find_spec(f"services.{name}.schema") else "tables"
    return f"services.{name}.{module}"


def own_tables(name: str) -> sa.MetaData:
    """Returns a service's tables."""
    metadata: sa.MetaData = importlib.import_module(home(name)).metadata
    return metadata


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_a_services_migrations_give_its_tables(store: Stores, service: Service) -> None:
    own = own_tables(service.name)
    database = store(service.name, service.migrations)
    assert differences(database, tables.metadata, ledger_tables.metadata, trade_tables.metadata, own) == []
    # Without its own tables something is missing: the comparison looks at them.
    assert differences(database, tables.metadata, ledger_tables.metadata, trade_tables.metadata) != []


def test_the_gateways_migrations_give_its_tables(database_url: str) -> None:
    database = open_database(database_url, system_random, ring())
    try:
        assert differences(database, tables.metadata, gateway_tables.metadata) == []
    finally:
        database.close()


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_the_next_migration_of_a_service_is_written(service: Service, tmp_path: pathlib.Path) -> None:
    """The script runs every standing migration on an empty store, those that carry sealed rows over among them."""
    *_, own = service.migrations
    room, versions = pathlib.Path(own).parent, tmp_path / service.name / "versions"
    shutil.copytree(own, versions, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(room / "service.py", versions.parent)
    before = set(versions.glob("*.py"))
    new_migration.main(home(service.name), str(versions), "Nothing new")
    (written,) = set(versions.glob("*.py")) - before
    assert written.name.endswith("_nothing_new.py")
    assert "op." not in written.read_text()
