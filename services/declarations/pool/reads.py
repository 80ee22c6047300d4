"""Reading pools: the enterprise its own, an institution those of enterprises that let it see."""

import sqlalchemy as sa
from aval.declarations.v1 import pool_pb2

from chassis import paging, records
from chassis.errors import NotFound
from chassis.service import Reading
from services.declarations import visibility
from services.declarations.pool import rpc, store
from services.declarations.pool.model import Movement, Pool
from services.declarations.tables import pool_movements, pools


def _seen(reading: Reading, name: str) -> Pool:
    """The pool, if the caller may see it. NotFound otherwise."""
    identifier = name.removeprefix("pools/")
    pool = store.load(reading.connection, [identifier]).get(identifier)
    if pool is None or not visibility.sees(reading, pool.enterprise) or not _is_meant(reading, pool):
        raise NotFound(resource=name)
    return pool


def _is_meant(reading: Reading, pool: Pool) -> bool:
    """An institution sees no pool that is another's to finance."""
    tenant = reading.caller.tenant
    return not visibility.is_institution(tenant) or pool.beneficiary in ("", tenant)


def get(reading: Reading, request: pool_pb2.GetPoolRequest) -> pool_pb2.Pool:
    """One pool, its base explained."""
    pool = _seen(reading, request.name)
    message = rpc.to_proto(pool)
    totals = store.totals(reading.connection, [pool.id])[pool.id]
    message.derivation.CopyFrom(rpc.derivation(pool, totals, reading.caller.language))
    return message


def list_(reading: Reading, request: pool_pb2.ListPoolsRequest) -> pool_pb2.ListPoolsResponse:
    """A page, newest first."""
    tenant = reading.caller.tenant
    query = sa.select(pools).where(visibility.among_seen(reading, pools.c.enterprise))
    if visibility.is_institution(tenant):
        query = query.where(pools.c.beneficiary.in_(("", tenant)))
    if request.enterprise:
        query = query.where(pools.c.enterprise == request.enterprise)
    query = paging.newest_first(query, pools.c.id, request)
    page, token = paging.cut(request, records.many(reading.connection, query, Pool), "id")
    return pool_pb2.ListPoolsResponse(pools=map(rpc.to_proto, page), next_page_token=token)


def list_movements(reading: Reading, request: pool_pb2.ListPoolMovementsRequest) -> pool_pb2.ListPoolMovementsResponse:
    """A page, newest first."""
    pool, rows = _seen(reading, request.name), pool_movements
    # Along the key: an id begins with its pool's, and "0" follows "/".
    query = sa.select(rows).where(rows.c.id > f"{pool.id}/", rows.c.id < f"{pool.id}0")
    query = paging.newest_first(query, rows.c.id, request)
    page, token = paging.cut(request, records.many(reading.connection, query, Movement), "id")
    return pool_pb2.ListPoolMovementsResponse(pool_movements=map(rpc.movement_to_proto, page), next_page_token=token)
