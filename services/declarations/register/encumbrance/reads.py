"""Reading encumbrances: their holder and the enterprise do, nobody else."""

import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2

from chassis import paging, records
from chassis.errors import NotFound
from chassis.service import Reading
from services.declarations.register.encumbrance import rpc, store
from services.declarations.register.encumbrance.model import Encumbrance
from services.declarations.register.encumbrance.store import encumbered, encumbrances


def get(reading: Reading, request: declarations_pb2.GetEncumbranceRequest) -> declarations_pb2.Encumbrance:
    """Returns an encumbrance. Raises NotFound for all but its holder and the enterprise."""
    identifier = request.name.removeprefix("encumbrances/")
    encumbrance = store.named(reading.connection, reading.caller, [identifier]).get(identifier)
    if encumbrance is None or reading.caller.tenant not in (encumbrance.holder, encumbrance.enterprise):
        raise NotFound(resource=request.name)
    return rpc.to_proto(encumbrance, reading.caller.tenant)


def list_(
    reading: Reading, request: declarations_pb2.ListEncumbrancesRequest
) -> declarations_pb2.ListEncumbrancesResponse:
    """Returns a page of the caller's encumbrances, newest first."""
    rows, tenant = encumbrances, reading.caller.tenant
    query = sa.select(rows).where(sa.or_(rows.c.holder == tenant, rows.c.enterprise == tenant))
    if request.asset:
        on = sa.select(encumbered.c.encumbrance).where(encumbered.c.asset == request.asset)
        query = query.where(rows.c.id.in_(on))
    query = paging.newest_first(query, rows.c.id, request)
    page, token = paging.cut(request, records.many(reading.connection, query, Encumbrance), "id")
    messages = [rpc.to_proto(encumbrance, tenant) for encumbrance in page]
    return declarations_pb2.ListEncumbrancesResponse(encumbrances=messages, next_page_token=token)
