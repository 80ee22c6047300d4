"""Reading orders: the enterprise its own, an institution those of enterprises that let it see, the window all."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from aval.declarations.v1 import retail_pb2

from chassis import paging, records
from chassis.errors import NotFound
from chassis.identity import Caller
from chassis.service import Reading
from services.declarations.consent import access
from services.declarations.consent import store as consents
from services.declarations.retail.matching import store as matching
from services.declarations.retail.order import rpc
from services.declarations.retail.order.model import Order, by_enterprise
from services.declarations.tables import retail_orders

SEES_ALL = "WINDOW"


def get(reading: Reading, request: retail_pb2.GetRetailOrderRequest) -> retail_pb2.RetailOrder:
    """One order with its match. Who may not see it can't tell it from one that doesn't exist."""
    identifier = request.name.removeprefix("retailOrders/")
    order = records.one(reading.connection, retail_orders, Order, retail_orders.c.id == identifier)
    access.see(reading, order.enterprise if order else "", "GetRetailOrder", [request.name])
    if order is None or not _may_know(reading.caller, order):
        raise NotFound(resource=request.name)
    message = rpc.to_proto(order)
    stands = matching.of(reading.connection, [identifier], reading.now_us)[identifier]
    message.match.CopyFrom(rpc.match_to_proto(stands, reading.caller.language))
    return message


def _may_know(caller: Caller, order: Order) -> bool:
    own = caller.tenant == order.enterprise
    return own or access.is_institution(caller) or _sees_all(caller)


def _sees_all(caller: Caller) -> bool:
    return SEES_ALL in caller.roles or caller.tenant.startswith("services/")


def list_(reading: Reading, request: retail_pb2.ListRetailOrdersRequest) -> retail_pb2.ListRetailOrdersResponse:
    """A page, by descending name."""
    query = _visible(reading, sa.select(retail_orders))
    for condition in _conditions(request):
        query = query.where(condition)
    query = paging.newest_first(query, retail_orders.c.id, request)
    page, token = paging.cut(request, records.many(reading.connection, query, Order), "id")
    _note_page(reading, page)
    return retail_pb2.ListRetailOrdersResponse(orders=map(rpc.to_proto, page), next_page_token=token)


def _note_page(reading: Reading, page: Sequence[Order]) -> None:
    """An institution's page is a disclosure to it."""
    if access.is_institution(reading.caller):
        access.seen_together(reading, "ListRetailOrders", by_enterprise(page))


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
    if _sees_all(caller):
        return query
    if access.is_institution(caller):
        return query.where(enterprise.in_(consents.consenting(caller.tenant, reading.now_us)))
    return query.where(enterprise == caller.tenant)
