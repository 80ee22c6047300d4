"""Applications as rows: the only SQL of this room."""

from typing import Any

import sqlalchemy as sa

from chassis import records
from chassis.command import Transaction
from chassis.errors import NotFound
from services.loans.application import rpc
from services.loans.application.model import Application
from services.loans.tables import applications, asked_banks


def find(connection: sa.Connection, name: str, tenant: str) -> Application:
    """The application, if the tenant made it or was asked. NotFound otherwise."""
    identifier = name.removeprefix("applications/")
    application = records.one(connection, applications, Application, applications.c.id == identifier)
    if application is None or tenant not in (application.enterprise, *application.banks):
        raise NotFound(resource=name)
    return application


def of_party(tenant: str) -> Any:
    """A query of the applications that a tenant made or was asked."""
    to_bank = sa.select(asked_banks.c.application).where(asked_banks.c.bank == tenant)
    return sa.select(applications).where(
        sa.or_(applications.c.enterprise == tenant, applications.c.id.in_(to_bank)),
    )


def add(transaction: Transaction, application: Application) -> None:
    """A new application, with its events."""
    records.insert(transaction.connection, applications, application)
    rows = [{"bank": bank, "application": application.id} for bank in application.banks]
    transaction.connection.execute(sa.insert(asked_banks), rows)
    _tell(transaction, application, "application.opened")


def save(transaction: Transaction, application: Application, event: str) -> Application:
    """A changed application, with its events."""
    fresh = records.update(transaction.connection, applications, application)
    _tell(transaction, fresh, event)
    return fresh


def _tell(transaction: Transaction, application: Application, event: str) -> None:
    """One event for each party, since no bank may learn which others were asked."""
    for party in (application.enterprise, *application.banks):
        transaction.append(event, application.name, rpc.to_proto(application, party), [party])
