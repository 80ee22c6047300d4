"""The stores of a local platform, opened beside the running one or without it."""

import contextlib
import pathlib
from collections.abc import Iterator

from chassis import keyring
from chassis.database import Database
from chassis.keyring import KeyFile, KeyRing
from chassis.service import Service
from services.credit_insurance.service import SERVICE as CREDIT_INSURANCE
from services.declarations.service import SERVICE as DECLARATIONS
from services.loans.service import SERVICE as LOANS
from services.settlement.service import SERVICE as SETTLEMENT

SERVICES: tuple[Service, ...] = (DECLARATIONS, SETTLEMENT, CREDIT_INSURANCE, LOANS)

Opened = list[tuple[Service, Database]]


def _ring(service: Service, rings: pathlib.Path | None) -> KeyRing:
    """Returns a service's key ring; none where it isn't at hand."""
    if rings is None or not keyring.file_of(rings, service.name).exists():
        return keyring.NO_KEYS
    return KeyFile(keyring.file_of(rings, service.name))


@contextlib.contextmanager
def opened(database: str, rings: pathlib.Path | None = None) -> Iterator[Opened]:
    """Opens every service's store, with its key ring where a folder of rings has it."""
    stores = [(service, Database(database, service.name, _ring(service, rings))) for service in SERVICES]
    try:
        yield stores
    finally:
        for _, store in stores:
            store.close()
