"""Reading persons back: for a reason, by who may, and never unseen."""

from collections.abc import Callable, Mapping, Sequence

import sqlalchemy as sa
from aval.declarations.v1 import personal_pb2

from chassis.errors import NotFound
from chassis.service import Reading
from services.declarations import errors
from services.declarations.consent import access
from services.declarations.consent.access import Seen
from services.declarations.consent.model import Consent, Purpose
from services.declarations.declaration import store as declarations
from services.declarations.personal import store
from services.declarations.retail.order import reads as retail_orders

METHOD = "GetPersonalData"
READS_ALL = "WINDOW"

Owners = Callable[[sa.Connection, Sequence[str]], Mapping[str, str]]
# By the collection in a resource's name: whose the resources with these ids are.
OWNERS: Mapping[str, Owners] = {
    "declarations": declarations.enterprises,
    "retailOrders": retail_orders.enterprises,
}


def get(reading: Reading, request: personal_pb2.GetPersonalDataRequest) -> personal_pb2.PersonalData:
    """The persons a document names. NotFound, ConsentMissing."""
    owner = _owner(reading.connection, request.name)
    consent = _may_read(reading, owner, request.name)
    found = store.of(reading, [request.name]).get(request.name, personal_pb2.PersonalData())
    reading.notes.append(Seen(owner, consent, METHOD, [request.name], Purpose.PERSONAL_DATA, request.reason))
    return found


def _owner(connection: sa.Connection, name: str) -> str:
    """Whose the resource is; empty where there is none."""
    collection, _, identifier = name.partition("/")
    owners = OWNERS.get(collection)
    return owners(connection, [identifier]).get(identifier, "") if owners else ""


def _may_read(reading: Reading, owner: str, name: str) -> Consent | None:
    """The consent by which an institution reads; None for who needs none."""
    caller = reading.caller
    if access.is_institution(caller):
        consent = access.granted(reading, [owner], Purpose.PERSONAL_DATA).get(owner)
        if consent is None:
            raise errors.ConsentMissing
        return consent
    if not owner or (caller.tenant != owner and READS_ALL not in caller.roles):
        raise NotFound(resource=name)
    return None
