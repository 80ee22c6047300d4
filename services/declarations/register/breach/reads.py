"""Reading breaches: the enterprise sees all of its own, a holder its own share."""

from aval.declarations.v1 import value_pb2

from chassis import paging, records
from chassis.errors import NotFound
from chassis.service import Reading
from services.declarations.register.breach import rpc, store
from services.declarations.register.breach.model import Breach
from services.declarations.register.breach.store import breaches


def get(reading: Reading, request: value_pb2.GetBreachRequest) -> value_pb2.Breach:
    """Returns a breach. Raises NotFound for those that have no part in it."""
    breach, tenant = store.load(reading.connection, request.name.removeprefix("breaches/")), reading.caller.tenant
    if breach is None or not (tenant == breach.enterprise or breach.share_of(tenant)):
        raise NotFound(resource=request.name)
    return rpc.to_proto(breach, tenant)


def list_(reading: Reading, request: value_pb2.ListBreachesRequest) -> value_pb2.ListBreachesResponse:
    """Returns a page of the caller's breaches, newest first."""
    query, tenant = store.of_party(reading.caller.tenant), reading.caller.tenant
    if request.asset:
        query = query.where(breaches.c.asset == request.asset)
    query = paging.newest_first(query, breaches.c.id, request)
    page, token = paging.cut(request, records.many(reading.connection, query, Breach), "id")
    return value_pb2.ListBreachesResponse(
        breaches=[rpc.to_proto(breach, tenant) for breach in page], next_page_token=token
    )
