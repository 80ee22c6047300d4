"""The sum of the migrations is the tables, for every service and for the gateway, on both databases."""

import importlib
import importlib.util
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
from tests.support import Stores, ring


def differences(database: Database, *metadata: sa.MetaData) -> list[Any]:
    """Returns what the tables have and the schema hasn't, or the other way."""
    with database.write() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, list(metadata)))  # type: ignore[arg-type]


def own_tables(name: str) -> sa.MetaData:
    """Returns a service's tables: those of schema.py, filled by loading the service, or those of tables.py."""
    home = "schema" if importlib.util.find_spec(f"services.{name}.schema") else "tables"
    metadata: sa.MetaData = importlib.import_module(f"services.{name}.{home}").metadata
    return metadata


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_a_services_migrations_give_its_tables(store: Stores, service: Service) -> None:
    own = own_tables(service.name)
    database = store(service.name, service.migrations)
    assert differences(database, tables.metadata, ledger_tables.metadata, own) == []
    # Without its own tables something is missing: the comparison looks at them.
    assert differences(database, tables.metadata, ledger_tables.metadata) != []


def test_the_gateways_migrations_give_its_tables(database_url: str) -> None:
    database = open_database(database_url, system_random, ring())
    try:
        assert differences(database, tables.metadata, gateway_tables.metadata) == []
    finally:
        database.close()
