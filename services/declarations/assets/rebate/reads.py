"""Reads rebates: the enterprise its own, an institution what it was let see, the window all."""

from aval.declarations.v1 import rebate_pb2

from chassis import paging, records
from chassis.service import Reading
from services.declarations.assets.rebate import rpc, store
from services.declarations.assets.rebate.assets import as_asset
from services.declarations.assets.rebate.model import Rebate
from services.declarations.assets.rebate.store import rebates
from services.declarations.privacy.consent import access
from services.declarations.privacy.visibility import among_seen
from services.declarations.register.preshipment import available as preshipment_available


def get(reading: Reading, request: rebate_pb2.GetRebateRequest) -> rebate_pb2.Rebate:
    """Returns a rebate. Whoever may not see it can't tell it from one that doesn't exist."""
    identifier = request.name.removeprefix("rebates/")
    rebate = store.load(reading.connection, [identifier]).get(identifier)
    access.look(reading, rebate.enterprise if rebate else "", "GetRebate", request.name)
    assert rebate is not None
    return _views(reading, [rebate])[0]


def list_(reading: Reading, request: rebate_pb2.ListRebatesRequest) -> rebate_pb2.ListRebatesResponse:
    """Returns a page of the rebates that the caller may see, newest first."""
    query = paging.newest_first(store.matching(among_seen(reading, rebates.c.enterprise)), rebates.c.id, request)
    page, token = paging.cut(request, records.many(reading.connection, query, Rebate), "id")
    access.note_page(reading, "ListRebates", ((rebate.name, rebate.enterprise) for rebate in page))
    return rebate_pb2.ListRebatesResponse(rebates=_views(reading, page), next_page_token=token)


def _views(reading: Reading, page: list[Rebate]) -> list[rebate_pb2.Rebate]:
    available = preshipment_available.available(reading, [as_asset(rebate) for rebate in page])
    return [rpc.to_proto(rebate, available[rebate.name]) for rebate in page]
