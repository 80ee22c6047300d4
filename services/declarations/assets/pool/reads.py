"""Reads pools: the enterprise its own, an institution those of enterprises that let it see."""

from aval.declarations.v1 import pool_pb2

from chassis import paging, records
from chassis.service import Reading
from services.declarations.assets.pool import rpc, store
from services.declarations.assets.pool.model import Movement, Pool
from services.declarations.assets.pool.store import pool_movements, pools
from services.declarations.privacy import visibility
from services.declarations.privacy.consent import access


def _seen(reading: Reading, method: str, name: str) -> Pool:
    """Returns the pool, if the caller may see it. An institution sees none that is another's to finance."""
    identifier = name.removeprefix("pools/")
    pool = store.load(reading.connection, [identifier]).get(identifier)
    is_meant = pool is not None and (
        not access.is_institution(reading.caller) or pool.beneficiary in ("", reading.caller.tenant)
    )
    access.look(reading, pool.enterprise if pool and is_meant else "", method, name)
    assert pool is not None
    return pool


def get(reading: Reading, request: pool_pb2.GetPoolRequest) -> pool_pb2.Pool:
    """Returns a pool, its base explained."""
    pool = _seen(reading, "GetPool", request.name)
    message = rpc.to_proto(pool)
    totals = store.totals(reading.connection, [pool.id])[pool.id]
    message.derivation.CopyFrom(rpc.derivation(pool, totals, reading.caller.language))
    return message


def list_(reading: Reading, request: pool_pb2.ListPoolsRequest) -> pool_pb2.ListPoolsResponse:
    """Returns a page of the pools that the caller may see, newest first."""
    tenant = reading.caller.tenant
    query = store.matching(visibility.among_seen(reading, pools.c.enterprise))
    if access.is_institution(reading.caller):
        query = query.where(store.meant_for(tenant))
    if request.enterprise:
        query = query.where(pools.c.enterprise == request.enterprise)
    query = paging.newest_first(query, pools.c.id, request)
    page, token = paging.cut(request, records.many(reading.connection, query, Pool), "id")
    access.note_page(reading, "ListPools", ((pool.name, pool.enterprise) for pool in page))
    return pool_pb2.ListPoolsResponse(pools=map(rpc.to_proto, page), next_page_token=token)


def list_movements(reading: Reading, request: pool_pb2.ListPoolMovementsRequest) -> pool_pb2.ListPoolMovementsResponse:
    """Returns a page of a pool's movements, newest first."""
    pool = _seen(reading, "ListPoolMovements", request.name)
    query = paging.newest_first(store.movements_of(pool.id), pool_movements.c.id, request)
    page, token = paging.cut(request, records.many(reading.connection, query, Movement), "id")
    return pool_pb2.ListPoolMovementsResponse(pool_movements=map(rpc.movement_to_proto, page), next_page_token=token)
