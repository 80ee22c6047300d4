"""Reads persons back: for a reason, by those who may, and never unseen."""

from collections.abc import Mapping

import sqlalchemy as sa
from aval.declarations.v1 import personal_pb2

from chassis.errors import NotFound
from chassis.identity import Caller
from chassis.service import Reading
from services.declarations.privacy import callers
from services.declarations.privacy import errors as privacy_errors
from services.declarations.privacy.consent import access
from services.declarations.privacy.consent.access import PendingDisclosure
from services.declarations.privacy.consent.model import Consent, Purpose
from services.declarations.privacy.personal import store as personal_store
from services.declarations.window.declaration.store import declarations
from services.declarations.window.draft.store import drafts
from services.declarations.window.retail.flows.tables import retail_orders
from services.declarations.window.retail.list.store import retail_lists

METHOD = "GetPersonalData"

# By the collection in a resource's name: the table that names the enterprise of its resources.
OWNERS: Mapping[str, sa.Table] = {
    "declarations": declarations,
    "drafts": drafts,
    "retailOrders": retail_orders,
    "retailLists": retail_lists,
}


def get(reading: Reading, request: personal_pb2.GetPersonalDataRequest) -> personal_pb2.PersonalData:
    """Returns the persons that a document names. Raises NotFound, ConsentMissing."""
    owner = "" if _is_hidden(reading.caller, request.name) else _owner(reading.connection, request.name)
    consent = _may_read(reading, owner, request.name)
    persons = personal_store.of(reading, [request.name]).get(request.name)
    if persons is None and not owner:
        raise NotFound(resource=request.name)
    reading.notes.append(
        PendingDisclosure(owner, consent, METHOD, [request.name], Purpose.PERSONAL_DATA, request.reason)
    )
    return persons or personal_pb2.PersonalData()


def _is_hidden(caller: Caller, name: str) -> bool:
    """Returns whether an institution asks for what none sees: drafts of any enterprise."""
    return access.is_institution(caller) and name.startswith("drafts/")


def _owner(connection: sa.Connection, name: str) -> str:
    """Returns the resource's enterprise, empty where there is none: then the window alone reads it."""
    collection, _, identifier = name.partition("/")
    source = OWNERS.get(collection)
    return "" if source is None else personal_store.enterprise(connection, source, identifier)


def _may_read(reading: Reading, owner: str, name: str) -> Consent | None:
    """Returns the consent by which an institution reads, None for callers that need none.

    Raises ConsentMissing, NotFound.
    """
    caller = reading.caller
    if access.is_institution(caller):
        consent = access.granted(reading, [owner], Purpose.PERSONAL_DATA).get(owner)
        if consent is None:
            raise privacy_errors.ConsentMissing
        return consent
    if not callers.is_window(caller) and caller.tenant != owner:
        raise NotFound(resource=name)
    return None
