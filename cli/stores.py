"""The stores of a local platform, opened beside the running one or without it."""

import contextlib
from collections.abc import Iterator

from chassis.database import Database
from chassis.service import Service
from services.credit_insurance.service import SERVICE as CREDIT_INSURANCE
from services.declarations.service import SERVICE as DECLARATIONS
from services.loans.service import SERVICE as LOANS
from services.settlement.service import SERVICE as SETTLEMENT

SERVICES: tuple[Service, ...] = (DECLARATIONS, SETTLEMENT, CREDIT_INSURANCE, LOANS)

Opened = list[tuple[Service, Database]]


@contextlib.contextmanager
def opened(database: str) -> Iterator[Opened]:
    """Gives every service with its store."""
    stores = [(service, Database(database, service.name)) for service in SERVICES]
    try:
        yield stores
    finally:
        for _, store in stores:
            store.close()
