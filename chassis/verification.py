"""Proof of what every service keeps alike, from its rows alone."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from chassis import business_date, eventlog, jobs, tasks
from chassis import parked as chassis_parked
from chassis.blobs import proof as blob_proof
from chassis.currencies import kept_digits
from chassis.keyring import NO_KEYS, KeyRing
from chassis.sealing import Opening
from chassis.service import Service


def violations(service: Service, connection: sa.Connection, keys: KeyRing = NO_KEYS) -> list[str]:
    """Returns all that doesn't fit in a service's rows: events, tasks, currencies, blobs, and the service's own rules.

    With the service's keys the contents of blobs are opened and their digests proven too.
    """
    found = [*eventlog.violations(connection), *tasks.violations(connection, service.sagas)]
    found += [*business_date.violations(connection), *jobs.violations(connection, service.jobs)]
    found += chassis_parked.violations(connection)
    found += blob_proof.violations(Opening(connection, keys))
    return [*found, *unknown_currencies(connection), *service.violations(connection)]


def unknown_currencies(connection: sa.Connection) -> list[str]:
    """The rows in a currency that was never money, by table and column.

    Of one order in BTC: "currency: pre_shipments.amount_currency: 1 row in BTC, which is no money; the first is 0194…".
    """
    return [text for table, column in _currency_columns(connection) for text in _of_column(connection, table, column)]


def _currency_columns(connection: sa.Connection) -> Iterator[tuple[sa.Table, sa.Column[Any]]]:
    """Every column that holds currencies, of every table of the store."""
    is_postgresql = connection.dialect.name == "postgresql"
    schema = connection.exec_driver_sql("SELECT current_schema()").scalar_one() if is_postgresql else None
    metadata = sa.MetaData()
    metadata.reflect(connection, schema=schema, resolve_fks=False)
    for table in metadata.sorted_tables:
        for column in table.columns:
            if column.name == "currency" or column.name.endswith("_currency"):
                yield table, column


def _of_column(connection: sa.Connection, table: sa.Table, column: sa.Column[Any]) -> Iterator[str]:
    key = next(iter(table.primary_key.columns), column)
    first_key = sa.func.min(sa.cast(key, sa.Text))
    query = sa.select(column, sa.func.count(), first_key).where(column != "").group_by(column).order_by(column)
    for code, count, first in connection.execute(query):
        if kept_digits(code) is None:
            rows = "row" if count == 1 else "rows"
            place = f"{table.name}.{column.name}"
            yield f"currency: {place}: {count} {rows} in {code}, which is no money; the first is {first}"


def parked(connection: sa.Connection) -> Sequence[Mapping[str, Any]]:
    """Returns the calls that wait for a person and the events that wait, each with why: no row of these is wrong.

    An event that waits behind another of its resource says so.
    """
    calls = [
        {"resource": task.resource, "step": task.step, "attempts": task.attempts, "why": task.parked}
        for task in tasks.parked(connection)
    ]
    events = [
        {
            "resource": parked.resource,
            "step": f"{parked.source} {parked.type}",
            "attempts": parked.attempts,
            "why": parked.failure or chassis_parked.BEHIND,
        }
        for parked in chassis_parked.every(connection)
    ]
    return [*calls, *events]
