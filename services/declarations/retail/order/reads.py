"""Reading orders: the enterprise its own, an institution those of enterprises that let it see, the window all."""

from typing import Any

import sqlalchemy as sa
from aval.declarations.v1 import retail_pb2

from chassis import paging, records
from chassis.errors import NotFound
from chassis.identity import Caller
from chassis.service import Reading
from services.declarations.consent import store as consents
from services.declarations.retail.matching import store as matching
from services.declarations.retail.order import rpc
from services.declarations.retail.order.model import Order
from services.declarations.tables import retail_orders

SEES_ALL = "WINDOW"


def get(reading: Reading, request: retail_pb2.GetRetailOrderRequest) -> retail_pb2.RetailOrder:
    """One order with its match. Who may not see it can't tell it from one that doesn't exist."""
    identifier = request.name.removeprefix("retailOrders/")
    query = _visible(reading, sa.select(retail_orders).where(retail_orders.c.id == identifier))
    found = records.many(reading.connection, query, Order)
    if not found:
        raise NotFound(resource=request.name)
    message = rpc.to_proto(found[0])
    stands = matching.of(reading.connection, [identifier], reading.now_us)[identifier]
    message.match.CopyFrom(rpc.match_to_proto(stands, reading.caller.language))
    return message


def list_(reading: Reading, request: retail_pb2.ListRetailOrdersRequest) -> retail_pb2.ListRetailOrdersResponse:
    """A page, by descending name."""
    query = _visible(reading, sa.select(retail_orders))
    for condition in _conditions(request):
        query = query.where(condition)
    query = paging.newest_first(query, retail_orders.c.id, request)
    page, token = paging.cut(request, records.many(reading.connection, query, Order), "id")
    return retail_pb2.ListRetailOrdersResponse(orders=map(rpc.to_proto, page), next_page_token=token)


def _conditions(request: retail_pb2.ListRetailOrdersRequest) -> list[Any]:
    """The filters that are set."""
    state = retail_pb2.RetailMatch.State.Name(request.match_state) if request.match_state else ""
    wanted = {
        "enterprise": request.enterprise,
        "platform_code": request.platform_code,
        "merchant_code": request.merchant_code,
        "match_state": state,
    }
    return [retail_orders.c[name] == value for name, value in wanted.items() if value]


def _visible(reading: Reading, query: Any) -> Any:
    """Only the orders that the caller may see."""
    caller, enterprise = reading.caller, retail_orders.c.enterprise
    if SEES_ALL in caller.roles or caller.tenant.startswith("services/"):
        return query
    if _is_institution(caller):
        return query.where(enterprise.in_(consents.consenting(caller.tenant, reading.now_us)))
    return query.where(enterprise == caller.tenant)


def _is_institution(caller: Caller) -> bool:
    return caller.tenant.startswith(("banks/", "insurers/"))
