"""The rows of saved filters: the only SQL of this room."""

from typing import Any

import sqlalchemy as sa

from chassis import records
from services.declarations.schema import metadata
from services.declarations.window.filters.model import SavedFilter

saved_filters = records.table("saved_filters", SavedFilter, metadata, sa.Index("saved_filters_tenant", "tenant", "id"))


def load(connection: sa.Connection, tenant: str, name: str) -> SavedFilter | None:
    """Returns a tenant's saved filter by its name; None where there is none."""
    rows = saved_filters
    identifier = name.removeprefix("savedFilters/")
    return records.one(connection, rows, SavedFilter, rows.c.id == identifier, rows.c.tenant == tenant)


def of_tenant(tenant: str) -> Any:
    """Returns a query of a tenant's saved filters."""
    return sa.select(saved_filters).where(saved_filters.c.tenant == tenant)


def add(connection: sa.Connection, saved: SavedFilter) -> None:
    """Adds a saved filter."""
    records.insert(connection, saved_filters, saved)


def delete(connection: sa.Connection, saved: SavedFilter) -> None:
    """Deletes a saved filter."""
    connection.execute(sa.delete(saved_filters).where(saved_filters.c.id == saved.id))
