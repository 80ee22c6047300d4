"""Applications as rows: the only SQL of this room."""

import sqlalchemy as sa

from chassis import records
from chassis.command import Transaction
from chassis.errors import NotFound
from chassis.participants import Participation, join, tenants
from services.loans.application import rpc
from services.loans.application.model import Application
from services.loans.tables import applications

APPLICATIONS = Participation("applications", applications, Application)


def find(connection: sa.Connection, name: str, tenant: str) -> Application:
    """The application, if the tenant made it or was asked. NotFound otherwise."""
    identifier = name.removeprefix("applications/")
    application = records.one(connection, applications, Application, applications.c.id == identifier)
    if application is None or tenant not in tenants(application):
        raise NotFound(resource=name)
    return application


def add(transaction: Transaction, application: Application) -> None:
    """A new application, with its events."""
    records.insert(transaction.connection, applications, application)
    join(transaction.connection, application.name, application.participants)
    _tell(transaction, application, "application.opened")


def save(transaction: Transaction, application: Application, event: str) -> Application:
    """A changed application, with its events."""
    fresh = records.update(transaction.connection, applications, application)
    _tell(transaction, fresh, event)
    return fresh


def _tell(transaction: Transaction, application: Application, event: str) -> None:
    """One event for each party, since no bank may learn which others were asked."""
    for tenant in tenants(application):
        transaction.append(event, application.name, rpc.to_proto(application, tenant), [tenant])
